package watcher

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// A verdict is what a look at a path came to.
type verdict int

const (
	done      verdict = iota // taken, known, vanished or none of ours: to be forgotten
	subfolder                // a folder
	moving                   // new, or changed since it was seen last: it settles from now on
	settling                 // unchanged, but not for long enough
	unready                  // unchanged for long enough, but held open for writing, or cut short
	refused                  // it can't be reached, or Take returned an error
	rootLost                 // the root is gone, so nothing is known of the file
)

// An outcome is the verdict on a path, with what was seen of it.
type outcome struct {
	sighting
	verdict verdict
	err     error
}

// lookAt looks at a file that was seen before (or not: its at is zero), and has it taken if it is ready.
func (f *Folder) lookAt(ctx context.Context, seen sighting) outcome {
	now := time.Now()
	info, err := os.Lstat(f.osPath(seen.path))
	if err != nil {
		return f.unseen(seen, err)
	}
	switch {
	case info.IsDir():
		if !f.o.Recursive || hiddenByOS(info) {
			return outcome{seen, done, nil}
		}
		return outcome{seen, subfolder, nil}
	case !info.Mode().IsRegular(), hiddenByOS(info), !f.wantsFile(seen.path):
		return outcome{seen, done, nil}
	}
	is := sighting{seen.path, info.Size(), info.ModTime(), seen.at}
	switch {
	case f.o.Known(is.path, is.size, is.modTime):
		return outcome{is, done, nil}
	case seen.at.IsZero(), is.size != seen.size, !is.modTime.Equal(seen.modTime):
		is.at = time.Now()
		return outcome{is, moving, nil}
	case now.Sub(seen.at) < f.o.Settle:
		return outcome{is, settling, nil}
	}
	whole, held := f.check(is)
	if held || !whole && now.Sub(is.at) < f.cutShortAfter() {
		return outcome{is, unready, nil}
	}
	if err := f.identity.Check(); err != nil {
		return outcome{is, rootLost, err}
	}
	if err := f.o.Take(ctx, File{is.path, is.size, is.modTime, whole}); err != nil {
		return outcome{is, refused, err}
	}
	return outcome{is, done, nil}
}

// unseen tells a file that is gone from one that can't be reached, and from a root that is gone.
func (f *Folder) unseen(seen sighting, err error) outcome {
	if _, err := f.rootInfo(); err != nil {
		return outcome{seen, rootLost, err}
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return outcome{seen, done, nil}
	}
	return outcome{seen, refused, err}
}

// check reports whether a file's picture is whole, and whether another program holds the file for writing. A
// file without any picture is as whole as it will be. One that can't be read is not whole: it may be readable soon.
func (f *Folder) check(s sighting) (whole, isHeld bool) {
	name := f.osPath(s.path)
	file, err := os.OpenFile(name, openFlags, 0)
	if err != nil {
		return false, sharingViolation(err)
	}
	defer file.Close()
	if held(name, file) {
		return false, true
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return false, false
	}
	p, err := Inspect(file, s.size)
	return err == nil && p.Whole, false
}

// cutShortAfter is how long a file may stay empty, cut short or unreadable until it is taken nevertheless.
func (f *Folder) cutShortAfter() time.Duration {
	if f.o.Once {
		return max(5*f.o.Settle, 10*time.Second)
	}
	return max(30*f.o.Settle, time.Minute)
}
