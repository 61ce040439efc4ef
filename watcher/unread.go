package watcher

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"time"
)

// Unread are the subfolders that could not be read at the last look at them, so that nothing is known of the files in them. The zero
// Unread: there are none.
type Unread struct {
	N      int    // up to maxFolders are counted
	Folder string // one of them, as File.Path
	Err    error  // why that one
}

// String names one of them, and says how many more there are.
func (u Unread) String() string {
	why := u.Err
	if p, ok := errors.AsType[*fs.PathError](why); ok {
		why = p.Err // its path is the subfolder's
	}
	text := fmt.Sprintf("%s (%v)", u.Folder, why)
	if u.N > 1 {
		text += fmt.Sprintf(" and %d more", u.N-1)
	}
	return text
}

// unreadAgain is when subfolders that could not be read are tried again, unless a rescan comes before that.
const unreadAgain = time.Minute

// walkedUnread takes down which subfolders a walk could not read.
func (w *owner) walkedUnread(end walked) {
	if end.full {
		clear(w.unread)
	}
	for _, dir := range end.dirs {
		delete(w.unread, dir)
	}
	maps.Copy(w.unread, end.unread)
	switch {
	case len(w.unread) == 0:
		w.unreadNext = time.Time{}
	case w.unreadNext.IsZero():
		w.unreadNext = w.walkEnd.Add(unreadAgain)
	}
	w.tell()
}

// tryUnread has the next walk try what could not be read, when that is due.
func (w *owner) tryUnread(now time.Time) {
	if w.unreadNext.IsZero() || w.unreadNext.After(now) {
		return
	}
	for dir := range w.unread {
		w.fresh[dir] = true
	}
	w.unreadNext = time.Time{}
}

func unreadOf(dirs map[string]error) Unread {
	if len(dirs) == 0 {
		return Unread{}
	}
	first := slices.Min(slices.Collect(maps.Keys(dirs)))
	return Unread{len(dirs), first, dirs[first]}
}

func (u Unread) same(v Unread) bool {
	return u.N == v.N && u.Folder == v.Folder && cause(u.Err) == cause(v.Err)
}

// Unread looks for subfolders that may not be read among the folder's first entries, most of them in all: a large folder is not looked
// through. It calls alive at each subfolder, and may be called whether Run runs or not.
func (f *Folder) Unread(most int, alive func()) Unread {
	w := walk{Folder: f, caller: &caller{fault: f.fault}}
	unread := map[string]error{}
	for dirs := []string{"."}; len(dirs) > 0 && most > 0; dirs = dirs[1:] {
		alive()
		dir := dirs[0]
		entries, err := w.entries(dir, most)
		if err != nil && dir != "." && errors.Is(err, fs.ErrPermission) {
			unread[dir] = err
		}
		for _, e := range entries {
			if rel := below(dir, e.Name()); e.IsDir() && f.wantsFolder(rel, e) {
				dirs = append(dirs, rel)
			}
		}
		most -= len(entries)
	}
	return unreadOf(unread)
}

// entries reads a folder's first entries.
func (w *walk) entries(dir string, most int) ([]fs.DirEntry, error) {
	d, err := w.open(dir, w.osPath(dir))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := d.ReadDir(most)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return entries, err
}
