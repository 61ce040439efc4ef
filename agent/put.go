package agent

import (
	"path/filepath"

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
