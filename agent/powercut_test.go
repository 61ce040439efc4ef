package agent_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"hotfolder/agent"
)

// volatileDisk can take back what was not made durable: the content of a file until that is synced, a name or a folder until the
// folder that it is in is.
type volatileDisk struct {
	agent.Disk

	mu       sync.Mutex
	names    []change        // oldest first
	unsynced map[string]bool // files
}

// change is one of the names in a folder.
type change struct {
	dir  string
	undo func() error
}

// powerCut takes back what was not made durable. The agent must have ended.
func (d *volatileDisk) powerCut(t *testing.T) {
	t.Helper()
	for file := range d.unsynced {
		if err := os.Truncate(file, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	for _, c := range slices.Backward(d.names) {
		if err := c.undo(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	d.names, d.unsynced = nil, nil
}

func (d *volatileDisk) changedLocked(name string, undo func() error) {
	d.names = append(d.names, change{filepath.Dir(name), undo})
}

func (d *volatileDisk) MkdirAll(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var made []string
	for at := dir; !exists(at); at = filepath.Dir(at) {
		made = append(made, at)
	}
	for _, at := range slices.Backward(made) {
		d.changedLocked(at, func() error { return os.RemoveAll(at) })
	}
	return d.Disk.MkdirAll(dir)
}

func exists(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

func (d *volatileDisk) Create(file string) (agent.DiskFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !exists(file) {
		d.changedLocked(file, func() error { return os.Remove(file) })
	}
	f, err := d.Disk.Create(file)
	return volatileFile{f, d, file}, err
}

func (d *volatileDisk) Rename(from, to string, replace bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	replaced, noneThere := os.ReadFile(to)
	if err := d.Disk.Rename(from, to, replace); err != nil {
		return err
	}
	if d.unsynced[from] {
		delete(d.unsynced, from)
		d.unsynced[to] = true
	}
	d.changedLocked(to, func() error {
		err := os.Rename(to, from)
		if noneThere == nil {
			err = errors.Join(err, os.WriteFile(to, replaced, 0o644))
		}
		return err
	})
	return nil
}

func (d *volatileDisk) SyncDir(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names = slices.DeleteFunc(d.names, func(c change) bool { return c.dir == dir })
	return d.Disk.SyncDir(dir)
}

func (d *volatileDisk) Remove(file string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	d.changedLocked(file, func() error { return os.WriteFile(file, content, 0o644) })
	return d.Disk.Remove(file)
}

type volatileFile struct {
	agent.DiskFile
	disk *volatileDisk
	path string
}

func (f volatileFile) Write(b []byte) (int, error) {
	f.disk.setSynced(f.path, false)
	return f.DiskFile.Write(b)
}

func (f volatileFile) Sync() error {
	f.disk.setSynced(f.path, true)
	return f.DiskFile.Sync()
}

func (d *volatileDisk) setSynced(file string, synced bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if synced {
		delete(d.unsynced, file)
		return
	}
	if d.unsynced == nil {
		d.unsynced = map[string]bool{}
	}
	d.unsynced[file] = true
}
