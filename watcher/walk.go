package watcher

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A sighting is what a file looked like at a time.
type sighting struct {
	path    string // as in File
	size    int64
	modTime time.Time
	at      time.Time // when it was seen so first
}

// A walk looks at folders and sends the files that are not known. It runs in a goroutine of its own and waits while its
// receiver has no room, so that a folder may hold any number of files.
type walk struct {
	*Folder
	caller *caller
	events Events // that the folders found are to be watched by; nil: none
	found  chan<- sighting

	unwatched error // why a folder could not be watched; the rest is not tried then
}

// walked is the end of a walk.
type walked struct {
	err       error // the root could not be read, or the walk was stopped
	events    Events
	unwatched error // as in walk
	full      bool  // it was a walk of the root
}

// chunkOfEntries is how much of a folder is read at once.
const chunkOfEntries = 256

// run ends the watches of gone, then walks the folders dirs, relative to the root, and all in them if the Folder is
// recursive. What it can't read is logged and passed over, unless it is the root.
func (w *walk) run(ctx context.Context, gone, dirs []string) walked {
	end := walked{events: w.events, err: w.checkRoot()}
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
		case !vanished(err):
			w.troubles.warn(w.o.Log, "subfolder cannot be read, the rest goes on", "subfolder", dir, "err", err)
		}
	}
	if end.err == nil && end.full {
		end.err = w.checkRoot() // a share that went away left nothing to be found
	}
	end.unwatched = w.unwatched
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
	for ctx.Err() == nil {
		var entries []fs.DirEntry
		err := w.caller.call("read", name, func() (err error) { entries, err = d.ReadDir(chunkOfEntries); return err })
		for _, e := range entries {
			rel := e.Name()
			if dir != "." {
				rel = dir + "/" + rel
			}
			switch {
			case e.IsDir():
				if w.wantsFolder(rel, e) {
					sub = append(sub, rel)
				}
			case e.Type().IsRegular():
				if !w.file(ctx, d, rel, e) {
					return nil, ctx.Err()
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return sub, nil
		}
		if err != nil {
			return sub, err
		}
	}
	return nil, ctx.Err()
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

// file sends a file if it is wanted and not known; false: ctx ended.
func (w *walk) file(ctx context.Context, d *os.File, rel string, e fs.DirEntry) bool {
	if !w.wantsFile(rel) {
		return true
	}
	is, ours := sighting{path: rel}, false
	err := w.caller.call("stat", rel, func() (err error) { is.size, is.modTime, ours, err = statIn(d, e); return err })
	if ctx.Err() != nil { // Run may have ended while the call hung
		return false
	}
	if err != nil && !vanished(err) {
		w.troubles.warn(w.o.Log, "file cannot be looked at, the rest goes on", "file", rel, "err", err)
	}
	if err != nil || !ours || w.o.Known(rel, is.size, is.modTime) {
		return true
	}
	is.at = time.Now()
	select {
	case w.found <- is:
		return true
	case <-ctx.Done():
		return false
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
