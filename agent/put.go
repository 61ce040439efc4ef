package agent

import (
	"errors"
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
	if f.notice.Load() == nil || f.offline.Load() {
		return errNotReady
	}
	patience := probeTime
	if a.ended.Load() {
		patience = 2 * time.Second // somebody waits for the end
	}
	err := f.probe.within(patience, func() error { return a.putInput(f, file, content) })
	notice := ""
	if err != nil {
		notice = file + " cannot be written to the input folder: " + reason(err)
	}
	f.unwritten.Store(&notice)
	return err
}

func (a *Agent) putInput(f *folder, file string, content []byte) error {
	if a.ended.Load() { // and its claim with it: another agent may have the folder now
		claim := watcher.NewClaim(f.Input, a.Config.DataDir)
		if err := claim.Hold(); err != nil {
			return err
		}
		defer claim.Release()
	}
	return a.Put(f.Input, file, content, true)
}
