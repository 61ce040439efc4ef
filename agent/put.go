package agent

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"hotfolder/store"
	"hotfolder/watcher"
)

// Put writes a small file of the agent's own into a folder that is there, durably and whole at once, but never below a mount point
// at which nothing is mounted. Without replace it fails with fs.ErrExist when the name is taken. Safe for concurrent use.
func (a *Agent) Put(folder, name string, content []byte, replace bool) error {
	root := watcher.NewRoot(folder, a.mounts.of(folder))
	if err := root.Check(); err != nil {
		return err
	}
	a.mounts.learn(folder, root.Mount())
	part, err := createPart(a.disk, folder, store.NewID("", folder, name))
	if err != nil {
		return err
	}
	defer part.discard()
	if _, err := part.Write(content); err != nil {
		return err
	}
	if err := part.flush(); err != nil {
		return err
	}
	return part.commit(filepath.Join(folder, name), replace)
}

// errNotReady says that an input is not (yet) known to be there and nobody else's.
var errNotReady = errors.New("the input folder is not ready")

// PutInput puts a file into a hot folder's input, in place of an older one if the beginning of that says that it is the agent's own.
// It does not while the folder is away or another agent's, and waits for a share that hangs for some seconds only. That the file can't
// be written, or has somebody else's in its place, is a notice, not a trouble.
func (a *Agent) PutInput(name, file string, content []byte, ours func(beginning []byte) bool) error {
	f := a.folder(name)
	err := a.atInput(f, func() error {
		replace, err := isOurs(filepath.Join(f.Input, file), ours)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err == nil && !replace {
			return errNotOurs
		}
		return a.Put(f.Input, file, content, replace)
	})
	if !errors.Is(err, errNotReady) {
		f.noteUnwritten(file+" cannot be written to the input folder", err)
	}
	return err
}

// errNotOurs says that something the agent did not write has the name of what it is to write.
var errNotOurs = errors.New("something else has that name; rename it, or set status_file: false")

// RemoveInput removes a file from a hot folder's input, as carefully, if its beginning says that it is the agent's own. Anything else
// of that name stays, which is no error.
func (a *Agent) RemoveInput(name, file string, ours func(beginning []byte) bool) error {
	f := a.folder(name)
	return a.atInput(f, func() error {
		if err := watcher.NewRoot(f.Input, a.mounts.of(f.Input)).Check(); err != nil {
			return err
		}
		path := filepath.Join(f.Input, file)
		remove, err := isOurs(path, ours)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !remove {
			return err
		}
		err = a.disk.Remove(path)
		f.noteUnwritten(file+" cannot be removed from the input folder", err)
		return err
	})
}

// isOurs says whether the beginning of a file says that it is the agent's own. What is no regular file is not.
func isOurs(path string, ours func(beginning []byte) bool) (bool, error) {
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return false, err
	}
	there, err := watcher.Open(path)
	if err != nil {
		return false, err
	}
	defer there.Close()
	beginning, err := io.ReadAll(io.LimitReader(there, 1<<10))
	return err == nil && ours(beginning), err
}

// atInput does something to the input of a folder that is there and this agent's.
func (a *Agent) atInput(f *folder, do func() error) error {
	if f.notice.Load() == nil || f.offline.Load() {
		return errNotReady
	}
	patience := probeTime
	if a.ended.Load() {
		patience = 2 * time.Second // somebody waits for the end
	}
	return f.probe.within(patience, func() error {
		if a.ended.Load() { // and its claim with it: another agent may have the folder now
			claim := watcher.NewClaim(f.Input, a.Config.DataDir)
			if err := claim.Hold(); err != nil {
				return err
			}
			defer claim.Release()
		}
		return do()
	})
}

// noteUnwritten tells people what could not be done to the input and why; err nil: it could.
func (f *folder) noteUnwritten(what string, err error) {
	notice := ""
	if err != nil {
		notice = what + ": " + reason(err)
	}
	f.unwritten.Store(&notice)
}
