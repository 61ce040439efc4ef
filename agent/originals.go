package agent

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"hotfolder/config"
	"hotfolder/store"
	"hotfolder/watcher"
)

// putAway does with the original of a finished job what the folder says.
func (a *Agent) putAway(ctx context.Context, f *folder, job store.Job) error {
	if f.AfterSuccess == config.Keep {
		return nil
	}
	original, err := a.original(ctx, f, job)
	switch {
	case errors.Is(err, errNotIt):
		return nil
	case err != nil:
		return err
	case f.AfterSuccess == config.Delete:
		return a.remove(original)
	}
	if _, err = a.move(ctx, original, job.SHA256, f.Processed, job.Path, note{}); errors.Is(err, errNotIt) {
		return nil
	}
	return err
}

// putAside moves the input of a failed job to the folder's failed, if it has one, with a note beside it. That of a job which was
// delivered once has found its place.
func (a *Agent) putAside(ctx context.Context, f *folder, job store.Job) error {
	if f.Failed == "" || !job.DeliveredAt.IsZero() {
		return nil
	}
	original, err := a.original(ctx, f, job)
	if err == nil {
		_, err = a.move(ctx, original, job.SHA256, f.Failed, job.Path, note{".error.txt", notRetouched(f, job)})
	}
	if err == nil || errors.Is(err, errNotIt) { // a crash may have come after the move
		err = a.rows.Unsee(job.Folder, job.Path) // so that it is taken anew when it is moved back
	}
	return err
}

func notRetouched(f *folder, job store.Job) string {
	return fmt.Sprintf("%s was not retouched.\r\n\r\nWhy: %s\r\n\r\nTo try it again, move it back to %s.\r\nJob %s\r\n",
		filepath.Base(job.Path), job.Error, filepath.Dir(f.inputPath(job.Path)), job.ID)
}

// errNotIt says that a job's original is not there any more, or has other content, which is a job of its own.
var errNotIt = errors.New("the original is not there")

// original is the path of the job's original, if that still is the content that was processed, or still cannot be read.
func (a *Agent) original(ctx context.Context, f *folder, job store.Job) (string, error) {
	file := f.inputPath(job.Path)
	before, err := os.Lstat(file)
	sum := ""
	if err == nil {
		sum, err = sumOf(ctx, file)
	}
	switch {
	case job.SHA256 != "" || !isThere(file):
	case errors.Is(err, fs.ErrPermission): // as it was then
		return file, nil
	case watcher.Unreadable(err): // as it was then; it stays, to be taken by itself
		return "", errNotIt
	}
	var after fs.FileInfo
	if err == nil {
		after, err = os.Lstat(file)
	}
	if errors.Is(err, fs.ErrNotExist) || err == nil && (sum == "" || sum != job.SHA256 || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime())) {
		return "", errNotIt
	}
	return file, err
}

// note is a text for people that lies beside a file, under the file's name and an ending. The zero note is none.
type note struct{ ending, text string }

// move moves a file with that hash to a path in a folder, also on another file system, and never replaces: what has the name
// already keeps it, and the file gets a numbered one. A note is beside it before it is there. It returns where the file is now.
func (a *Agent) move(ctx context.Context, from, sum, folder, path string, beside note) (to string, err error) {
	if err := a.mayFill(folder); err != nil {
		return "", err
	}
	to = filepath.Join(folder, filepath.FromSlash(path))
	if err := makeDir(a.disk, filepath.Dir(to)); err != nil {
		return "", err
	}
	stem, ext := splitExt(filepath.Base(to))
	for n := 1; n < mostNames; n++ {
		if n > 1 {
			to = filepath.Join(filepath.Dir(to), safeName(stem, fmt.Sprintf("_%d%s", n, ext)))
		}
		if err := a.moveTo(ctx, from, sum, to, beside); !errors.Is(err, fs.ErrExist) {
			return to, err
		}
	}
	return "", fmt.Errorf("no free name like %s", to)
}

// mayFill tells whether a folder may be written to now. One that is missing may be made, but not in place of a share that is not
// mounted.
func (a *Agent) mayFill(folder string) error {
	mount, err := a.mounts.find(folder)
	if err == nil {
		a.mounts.learn(folder, mount)
	}
	return err
}

// moveTo is move to one name; fs.ErrExist says that something else has it. A file of the same content there, be it a link, is what a move
// leaves that came to its middle, or as good as that.
func (a *Agent) moveTo(ctx context.Context, from, sum, to string, beside note) error {
	copied, err := isCopied(ctx, from, sum, to)
	if err == nil && !copied || watcher.Unreadable(err) && isThere(to) {
		return fs.ErrExist
	}
	if beside == (note{}) {
		return a.moveAlone(ctx, from, sum, to, copied)
	}
	if err := a.writeNote(ctx, to+beside.ending, beside.text); err != nil {
		return err
	}
	err = a.moveAlone(ctx, from, sum, to, copied)
	if err == nil {
		return nil
	}
	if _, missing := os.Lstat(to); errors.Is(err, fs.ErrExist) || errors.Is(missing, fs.ErrNotExist) { // the note speaks of what is not there
		err = errors.Join(err, a.remove(to+beside.ending))
	}
	return err
}

// moveAlone is moveTo without a note; copied: its copy is there already.
func (a *Agent) moveAlone(ctx context.Context, from, sum, to string, copied bool) error {
	if copied {
		return a.finishMove(ctx, from, sum, to)
	}
	err := a.disk.Rename(from, to, false)
	if err == nil {
		return a.disk.SyncDir(filepath.Dir(to))
	}
	if isOtherDevice(err) {
		err = a.copyOver(ctx, from, sum, to)
	}
	if errors.Is(err, fs.ErrExist) { // perhaps since a share did half of it and reported a failure
		if copied, wrong := isCopied(ctx, from, sum, to); wrong == nil && copied {
			return a.finishMove(ctx, from, sum, to)
		}
	}
	return err
}

// isCopied tells whether what is at to is a copy of a file with that hash, or one more name of it. An error: nothing is there, or it can't
// be read.
func isCopied(ctx context.Context, from, sum, to string) (bool, error) {
	there, err := sumOf(ctx, to)
	return there != "" && there == sum && !isOneName(from, to), err
}

// finishMove removes the original of which there is a copy, or one more name, unless it has other content by now.
func (a *Agent) finishMove(ctx context.Context, from, sum, to string) error {
	if err := a.disk.SyncDir(filepath.Dir(to)); err != nil {
		return err
	}
	now, err := sumOf(ctx, from)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case now != sum:
		return errNotIt
	}
	return a.remove(from)
}

func isThere(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

// isOneName tells whether two paths lead to one file by what may be one name of it, in a folder that is to be seen in two places: whoever
// removed one would remove both. Two names in two folders are none.
func isOneName(a, b string) bool {
	return isSame(os.Lstat, a, b) && isSame(os.Stat, filepath.Dir(a), filepath.Dir(b))
}

// isSame tells whether two paths lead to one file or folder.
func isSame(stat func(string) (fs.FileInfo, error), a, b string) bool {
	infoA, errA := stat(a)
	infoB, errB := stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// writeNote writes a note, unless it is there already.
func (a *Agent) writeNote(ctx context.Context, file, text string) error {
	there, err := sumOf(ctx, file)
	switch {
	case err == nil && there == shaOf(text): // what wrote it may have ended right then
		if err := removePart(a.disk, filepath.Dir(file), partID(file)); err != nil {
			return err
		}
		return a.disk.SyncDir(filepath.Dir(file))
	case err == nil:
		return fs.ErrExist
	}
	return a.writeFile(file, strings.NewReader(text), nil)
}

func isOtherDevice(err error) bool {
	const errorNotSameDevice = syscall.Errno(17) // Windows; elsewhere EEXIST, which is asked for first
	return errors.Is(err, syscall.EXDEV) || !errors.Is(err, fs.ErrExist) && errors.Is(err, errorNotSameDevice)
}

// copyOver is a move to another file system: the copy is durable, and was read back and found to be right, before the original goes.
func (a *Agent) copyOver(ctx context.Context, from, sum, to string) error {
	in, err := watcher.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := a.writeFile(to, in, func(copied *part) error {
		if sum != "" && hex.EncodeToString(copied.hash.Sum(nil)) != sum {
			return errNotIt
		}
		back, err := sumOf(ctx, copied.path)
		if err == nil && sum != "" && back != sum {
			err = &fs.PathError{Op: "copy", Path: to, Err: errors.New("the copy does not hold what was written")}
		}
		return err
	}); err != nil {
		return err
	}
	return a.remove(from)
}

// partID names the part of a file that is no job's.
func partID(file string) string { return store.NewID("", file, "") }

// writeFile writes a new file, durably, that is never seen half written, nor before check (nil: none) found it right.
func (a *Agent) writeFile(file string, content io.Reader, check func(*part) error) error {
	part, err := createPart(a.disk, filepath.Dir(file), partID(file))
	if err != nil {
		return err
	}
	defer part.discard()
	if _, err := io.Copy(part, content); err != nil {
		return err
	}
	if err := part.flush(); err != nil {
		return err
	}
	if check != nil {
		if err := check(part); err != nil {
			return err
		}
	}
	return part.commit(file, false)
}

// remove removes a file, durably.
func (a *Agent) remove(file string) error {
	if err := a.disk.Remove(file); err != nil {
		return err
	}
	return a.disk.SyncDir(filepath.Dir(file))
}
