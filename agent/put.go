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

// PutInput puts a file into a hot folder's input, in place of an older one. It does not while the folder is away or another agent's,
// and waits for a share that hangs for some seconds only. That the folder can't be written to is a notice, not a trouble.
func (a *Agent) PutInput(name, file string, content []byte) error {
	f := a.folder(name)
	err := a.atInput(f, func() error { return a.Put(f.Input, file, content, true) })
	if !errors.Is(err, errNotReady) {
		f.noteUnwritten(file+" cannot be written to the input folder", err)
	}
	return err
}

// RemoveInput removes a file from a hot folder's input, as carefully, if its beginning says that it is the agent's own. Anything else
// of that name stays, which is no error.
func (a *Agent) RemoveInput(name, file string, ours func(beginning []byte) bool) error {
	f := a.folder(name)
	return a.atInput(f, func() error {
		if err := watcher.NewRoot(f.Input, a.mounts.of(f.Input)).Check(); err != nil {
			return err
		}
		path := filepath.Join(f.Input, file)
		if info, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			return nil
		}
		there, err := watcher.Open(path)
		if err != nil {
			return err
		}
		beginning, err := io.ReadAll(io.LimitReader(there, 1<<10))
		there.Close() // before the removal, for Windows
		if err != nil || !ours(beginning) {
			return err
		}
		err = a.disk.Remove(path)
		f.noteUnwritten(file+" cannot be removed from the input folder", err)
		return err
	})
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
