package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"hotfolder/config"
	"hotfolder/store"
	"hotfolder/watcher"
)

// putAway does with the original of a finished job what the folder says, if it is still the content that was processed. That it
// can't is no reason to hold the result back.
func (a *Agent) putAway(ctx context.Context, f *folder, job store.Job) {
	if f.AfterSuccess == config.Keep {
		return
	}
	original := f.inputPath(job.Path)
	sum, err := sumOf(ctx, original)
	if errors.Is(err, fs.ErrNotExist) || err == nil && sum != job.SHA256 {
		return
	}
	if err == nil {
		switch f.AfterSuccess {
		case config.Delete:
			err = os.Remove(original)
		case config.Move:
			_, err = a.move(original, f.Processed, job.Path)
		}
	}
	if err != nil {
		f.log.Warn("the original stays where it is", "file", job.Path, "job", job.ID, "why", reason(err))
	}
}

// putAside moves the input of a failed job to the folder's failed, if it has one, with a note beside it.
func (a *Agent) putAside(f *folder, job store.Job) {
	if f.Failed == "" {
		return
	}
	moved, err := a.move(f.inputPath(job.Path), f.Failed, job.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = a.Ledger.Unsee(job.Folder, job.Path) // so that it is taken anew when it is moved back
	}
	if err == nil {
		note := fmt.Sprintf("%s was not retouched.\r\n\r\nWhy: %s\r\n\r\nTo try it again, move it back to %s.\r\nJob %s\r\n",
			filepath.Base(job.Path), job.Error, filepath.Dir(f.inputPath(job.Path)), job.ID)
		err = os.WriteFile(moved+".error.txt", []byte(note), 0o644)
	}
	if err != nil {
		f.log.Warn("the failed picture stays where it is", "file", job.Path, "job", job.ID, "why", reason(err))
	}
}

// clearFailed puts aside what a crash kept from being put aside.
func (a *Agent) clearFailed(f *folder) {
	if f.Failed == "" {
		return
	}
	for job, err := range a.Ledger.Jobs(store.Filter{Folder: f.Name, State: store.Failed}) {
		if err != nil {
			a.ledgerTrouble(err)
			return
		}
		if current, err := a.Ledger.ByPath(f.Name, job.Path); err == nil && current.ID == job.ID {
			a.putAside(f, job)
		}
	}
}

// move moves a file to a path in a folder, also on another file system, and never replaces: what has the name already keeps it,
// and the file gets a numbered one. It returns the new path.
func (a *Agent) move(from, folder, path string) (string, error) {
	if _, err := os.Lstat(from); err != nil {
		return "", err
	}
	root := watcher.NewRoot(folder, a.mounts.of(folder))
	if err := root.Check(); err != nil && !(errors.Is(err, fs.ErrNotExist) && a.mounts.of(folder) == "") {
		return "", err // a share that is not mounted; a folder that never was there is made
	}
	a.mounts.learn(folder, root.Mount())
	to := filepath.Join(folder, filepath.FromSlash(path))
	if err := a.disk.MkdirAll(filepath.Dir(to)); err != nil {
		return "", err
	}
	stem, ext := splitExt(filepath.Base(to))
	for n := 1; ; n++ {
		if n > 1 {
			to = filepath.Join(filepath.Dir(to), safeName(stem, fmt.Sprintf("_%d%s", n, ext)))
		}
		err := a.disk.Rename(from, to, false)
		if isOtherDevice(err) {
			err = a.copyOver(from, to)
		}
		if !errors.Is(err, fs.ErrExist) || n >= mostNames {
			return to, err
		}
	}
}

func isOtherDevice(err error) bool {
	const errorNotSameDevice = syscall.Errno(17) // Windows; elsewhere EEXIST, which is asked for first
	return errors.Is(err, syscall.EXDEV) || !errors.Is(err, fs.ErrExist) && errors.Is(err, errorNotSameDevice)
}

// copyOver is a move to another file system: the copy is whole and durable before the original goes.
func (a *Agent) copyOver(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	part, err := createPart(a.disk, filepath.Dir(to), store.NewID("", to, ""))
	if err != nil {
		return err
	}
	defer part.discard()
	if _, err := io.Copy(part, in); err != nil {
		return err
	}
	if err := part.flush(); err != nil {
		return err
	}
	if err := part.commit(to, false); err != nil {
		return err
	}
	return a.disk.Remove(from)
}
