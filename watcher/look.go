package watcher

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
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
func (f *Folder) lookAt(ctx context.Context, c *caller, seen sighting) outcome {
	var info fs.FileInfo
	now, name := time.Now(), f.osPath(seen.path)
	err := c.call("stat", name, func() (err error) { info, err = os.Lstat(name); return err })
	switch {
	case ctx.Err() != nil: // Run may have ended while the call hung
		return outcome{seen, refused, ctx.Err()}
	case err != nil:
		return f.unseen(c, seen, err)
	case info.IsDir():
		if !f.o.Recursive || hiddenByOS(info) {
			return outcome{seen, done, nil}
		}
		return outcome{seen, subfolder, nil}
	case !info.Mode().IsRegular(), hiddenByOS(info), !f.wantsFile(seen.path):
		return outcome{seen, done, nil}
	}
	is := sighting{seen.path, info.Size(), info.ModTime(), seen.at, seen.unread}
	switch {
	case f.known(is.path, is.size, is.modTime):
		return outcome{is, done, nil}
	case seen.at.IsZero(), is.size != seen.size, !is.modTime.Equal(seen.modTime):
		is.at, is.unread = time.Now(), time.Time{}
		return outcome{is, moving, nil}
	case now.Sub(seen.at) < f.o.Settle:
		return outcome{is, settling, nil}
	}
	picture, held := lookInto(c, name, is.size)
	if held || !picture.Whole && now.Sub(is.at) < f.cutShortAfter() {
		return outcome{is, unready, nil}
	}
	if err := c.call("root", f.root, f.identity.Check); err != nil {
		return outcome{is, rootLost, err}
	}
	if ctx.Err() != nil {
		return outcome{is, refused, ctx.Err()}
	}
	late := !is.unread.IsZero() && now.Sub(is.unread) >= f.lateAfter()
	if err := f.o.Take(ctx, File{is.path, is.size, is.modTime, picture.Whole, late, picture}); err != nil {
		switch {
		case !Unreadable(err):
			is.unread = time.Time{}
		case is.unread.IsZero():
			is.unread = now
		}
		return outcome{is, refused, err}
	}
	return outcome{is, done, nil}
}

func (f *Folder) known(path string, size int64, modTime time.Time) bool {
	return len(f.o.Unknown([]File{{Path: path, Size: size, ModTime: modTime}})) == 0
}

// unseen tells a file that is gone from one that can't be reached, and from a root that is gone.
func (f *Folder) unseen(c *caller, seen sighting, err error) outcome {
	if _, err := f.rootInfo(c); err != nil {
		return outcome{seen, rootLost, err}
	}
	if vanished(err) {
		return outcome{seen, done, nil}
	}
	return outcome{seen, refused, err}
}

// lookInto tells what a file's bytes say, and whether another program holds the file for writing. One that can't be read is not
// whole: it may be readable soon.
func lookInto(c *caller, name string, size int64) (p Picture, isHeld bool) {
	file := &patientFile{caller: c}
	err := c.call("open", name, func() (err error) {
		if file.File, err = Open(name); err == nil {
			isHeld = held(name, file.File)
		}
		return err
	})
	if err != nil {
		return p, sharingViolation(err)
	}
	defer file.Close()
	if isHeld {
		return p, true
	}
	p, _ = Inspect(file, size)
	return p, false
}

// A patientFile is read by a caller.
type patientFile struct {
	*os.File
	caller *caller
}

func (f *patientFile) ReadAt(b []byte, off int64) (n int, err error) {
	err = f.caller.call("read", f.Name(), func() (err error) { n, err = f.File.ReadAt(b, off); return err })
	return n, err
}

// Open opens a regular file for reading. It follows no link, never waits for a pipe or a device that took a file's place, and keeps nobody
// from renaming or deleting the file.
func Open(name string) (*os.File, error) {
	before, err := os.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errNotRegular}
	}
	file, err := openFile(name)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || !os.SameFile(before, info) {
		file.Close()
		return nil, &fs.PathError{Op: "open", Path: name, Err: cmp.Or(err, ErrChanged)}
	}
	return file, nil
}

// Unreadable tells whether a file could not be read because of its rights or its disk, or of a share that says so, and not because of who
// holds it. When that lasts, it hardly passes by itself.
func Unreadable(err error) bool { return errors.Is(err, fs.ErrPermission) || faulty(err) }

var errNotRegular = errors.New("not a regular file")

// cutShortAfter is how long a file may stay empty, cut short or unreadable until it is taken nevertheless.
func (f *Folder) cutShortAfter() time.Duration {
	if f.o.Once {
		return max(5*f.o.Settle, 10*time.Second)
	}
	return max(30*f.o.Settle, time.Minute)
}

// lateAfter is for how long a file may be unreadable until that is not expected to pass.
func (f *Folder) lateAfter() time.Duration {
	if f.o.Once {
		return 30 * time.Second
	}
	return 10 * time.Minute
}
