package watcher

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A sighting is what a file looked like at a time.
type sighting struct {
	path    string // as in File
	size    int64
	modTime time.Time
	at      time.Time // when it was seen so first
	unread  time.Time // since when Take finds it Unreadable; zero: it does not
}

// A walk looks at folders and sends the files that are not known. It runs in a goroutine of its own and waits while its
// receiver has no room, so that a folder may hold any number of files.
type walk struct {
	*Folder
	caller *caller
	events Events // that the folders found are to be watched by; nil: none
	found  chan<- sighting

	unwatched  error  // why a folder could not be watched; the rest is not tried then
	files      []File // room for those that are sent together
	cloudFiles int    // as in walked
}

// walked is the end of a walk.
type walked struct {
	err       error // the root could not be read, or the walk was stopped
	events    Events
	unwatched error            // as in walk
	dirs      []string         // that it began with
	unread    map[string]error // subfolders that could not be read, and why: up to maxFolders
	full      bool             // it was a walk of the root

	cloudFiles int // that were passed over, since their content is in the cloud
}

// chunkOfEntries is how much of a folder is read and asked about at once: enough to pay for that, and few enough that the first files of
// a slow share need not wait long for the others.
const chunkOfEntries = 64

// run ends the watches of gone, then walks the folders dirs, relative to the root, and all in them if the Folder is
// recursive. What it can't read is taken down and passed over, unless it is the root.
func (w *walk) run(ctx context.Context, gone, dirs []string) walked {
	end := walked{events: w.events, err: w.checkRoot(), dirs: slices.Clone(dirs), unread: make(map[string]error)}
	if w.events != nil {
		for _, dir := range gone {
			w.events.Remove(dir)
		}
	}
	for len(dirs) > 0 && end.err == nil {
		dir := dirs[len(dirs)-1]
		sub, err := w.folder(ctx, dir)
		dirs = append(dirs[:len(dirs)-1], sub...)
		end.full = end.full || dir == "."
		switch {
		case err == nil:
		case ctx.Err() != nil || dir == ".":
			end.err = cmp.Or(ctx.Err(), err)
		case !vanished(err) && len(end.unread) < maxFolders:
			end.unread[dir] = err
		}
	}
	if end.err == nil && end.full {
		end.err = w.checkRoot() // a share that went away left nothing to be found
	}
	end.unwatched, end.cloudFiles = w.unwatched, w.cloudFiles
	return end
}

// folder has one folder watched, then sends its files and returns its subfolders. In this order nothing can be missed that
// appears meanwhile.
func (w *walk) folder(ctx context.Context, dir string) (sub []string, err error) {
	name := w.osPath(dir)
	w.watch(dir, name)
	d, err := w.open(dir, name)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	for {
		var entries []fs.DirEntry
		files := w.files[:0]
		err := w.caller.call("read", name, func() (err error) { entries, err = d.ReadDir(chunkOfEntries); return err })
		for _, e := range entries {
			rel := below(dir, e.Name())
			switch {
			case e.IsDir():
				if w.wantsFolder(rel, e) {
					sub = append(sub, rel)
				}
			case e.Type().IsRegular():
				if file, ok := w.file(ctx, d, rel, e); ok {
					files = append(files, file)
				}
			}
		}
		w.send(ctx, files)
		w.files = files
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, io.EOF):
			return sub, nil
		case err != nil:
			return sub, err
		}
	}
}

// open opens a folder. Only the root may be a link.
func (w *walk) open(dir, name string) (d *os.File, err error) {
	flags := dirFlags
	if dir == "." {
		flags = os.O_RDONLY
	}
	err = w.caller.call("open", name, func() (err error) { d, err = os.OpenFile(name, flags, 0); return err })
	return d, err
}

func (w *walk) checkRoot() error { return w.caller.call("root", w.root, w.identity.Check) }

// watch has a folder watched, unless there are no events (any more).
func (w *walk) watch(dir, name string) {
	if w.events == nil || w.unwatched != nil {
		return
	}
	err := w.caller.call("watch", name, func() error { return w.events.Add(name) })
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission): // reading it will tell
	case dir == ".", atLimit(err):
		w.unwatched = err
	default:
		w.troubles.warn(w.o.Log, "subfolder cannot be watched, its files are found by rescans", "subfolder", dir, "err", err)
	}
}

// file looks at a file; not ok: it is not wanted, or can't be looked at.
func (w *walk) file(ctx context.Context, d *os.File, rel string, e fs.DirEntry) (file File, ok bool) {
	if ctx.Err() != nil || !w.wantsFile(rel) {
		return File{}, false
	}
	file.Path = rel
	err := w.caller.call("stat", rel, func() (err error) { file.Size, file.ModTime, ok, err = statIn(d, e); return err })
	if err != nil && ctx.Err() == nil && !vanished(err) { // Run may have ended while the call hung
		w.troubles.warn(w.o.Log, "file cannot be looked at, the rest goes on", "file", rel, "err", err)
	}
	if err == nil && w.inCloud(e) {
		w.cloudFiles++
		ok = false
	}
	return file, ok && err == nil
}

// send sends the files that are not known.
func (w *walk) send(ctx context.Context, files []File) {
	if len(files) == 0 || ctx.Err() != nil {
		return
	}
	for _, f := range w.o.Unknown(files) {
		select {
		case w.found <- sighting{path: f.Path, size: f.Size, modTime: f.ModTime, at: time.Now()}:
		case <-ctx.Done():
			return
		}
	}
}

func (f *Folder) wantsFolder(rel string, e fs.DirEntry) bool {
	return f.o.Recursive && f.wants(rel) && !hiddenFolder(e)
}

func (f *Folder) wantsFile(rel string) bool {
	n := nameOf(rel)
	return f.mayWant(n) && (len(f.include) == 0 || f.include.match(n))
}

// wants says whether a path may be looked at, whatever it is. The folders it lies in were asked about before.
func (f *Folder) wants(rel string) bool { return f.mayWant(nameOf(rel)) }

func (f *Folder) mayWant(n name) bool { return !ignored(n.base) && !f.exclude.match(n) }

// below is the path, relative to the root, of what has that name in the folder dir.
func below(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}

// osPath is the OS's path of one that is relative to the root.
func (f *Folder) osPath(rel string) string {
	if rel == "." {
		return f.root
	}
	return f.prefix() + filepath.FromSlash(rel)
}

// rel is the inverse of osPath; not ok: the path is not in the root.
func (f *Folder) rel(osPath string) (rel string, ok bool) {
	if osPath == f.root {
		return ".", true
	}
	rel, ok = strings.CutPrefix(osPath, f.prefix())
	return filepath.ToSlash(rel), ok
}

// prefix is the root with the separator that may be its end already ("/", `C:\`).
func (f *Folder) prefix() string {
	if os.IsPathSeparator(f.root[len(f.root)-1]) {
		return f.root
	}
	return f.root + string(os.PathSeparator)
}

// rootInfo says what the root is now; an error: it is no readable folder, or nothing is mounted there.
func (f *Folder) rootInfo(c *caller) (info fs.FileInfo, err error) {
	err = c.call("root", f.root, func() error {
		if err := f.identity.Check(); err != nil {
			return err
		}
		d, err := os.Open(f.root)
		if err != nil {
			return err
		}
		defer d.Close()
		if _, err := d.ReadDir(1); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		info, err = d.Stat()
		return err
	})
	return info, err
}
