package agent_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"hotfolder/agent"
)

// mortalDisk lets the agent die before it does something to a disk, and can take back what was not made durable: the content of a
// file until it is synced, a name or a folder until the folder that it is in is.
type mortalDisk struct {
	agent.Disk
	fuse      *fuse
	otherDisk bool // no file can be renamed into another folder

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
func (d *mortalDisk) powerCut(t *testing.T) {
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
}

func (d *mortalDisk) changedLocked(name string, undo func() error) {
	d.names = append(d.names, change{filepath.Dir(name), undo})
}

func (d *mortalDisk) MkdirAll(dir string) error {
	if err := d.fuse.burn("making " + dir); err != nil {
		return err
	}
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

func (d *mortalDisk) Create(file string) (agent.DiskFile, error) {
	if err := d.fuse.burn("creating " + file); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !exists(file) {
		d.changedLocked(file, func() error { return os.Remove(file) })
	}
	f, err := d.Disk.Create(file)
	return &mortalFile{f, d, file}, err
}

func (d *mortalDisk) Rename(from, to string, replace bool) error {
	if err := d.fuse.burn("naming " + to); err != nil {
		return err
	}
	if d.otherDisk && filepath.Dir(from) != filepath.Dir(to) {
		return &fs.PathError{Op: "rename", Path: to, Err: syscall.EXDEV}
	}
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

func (d *mortalDisk) SyncDir(dir string) error {
	if err := d.fuse.burn("syncing the names in " + dir); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names = slices.DeleteFunc(d.names, func(c change) bool { return c.dir == dir })
	return d.Disk.SyncDir(dir)
}

func (d *mortalDisk) Remove(file string) error {
	if err := d.fuse.burn("removing " + file); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	d.changedLocked(file, func() error { return os.WriteFile(file, content, 0o644) })
	return d.Disk.Remove(file)
}

type mortalFile struct {
	agent.DiskFile
	disk *mortalDisk
	path string
}

// Write writes half of it when the agent dies in it.
func (f *mortalFile) Write(b []byte) (int, error) {
	wasOut := f.disk.fuse.isOut()
	if err := f.disk.fuse.burn("writing " + f.path); err != nil {
		if wasOut {
			return 0, err
		}
		b = b[:len(b)/2]
	}
	f.disk.mu.Lock()
	if f.disk.unsynced == nil {
		f.disk.unsynced = map[string]bool{}
	}
	f.disk.unsynced[f.path] = true
	f.disk.mu.Unlock()
	return f.DiskFile.Write(b)
}

func (f *mortalFile) Sync() error {
	if err := f.disk.fuse.burn("syncing " + f.path); err != nil {
		return err
	}
	f.disk.mu.Lock()
	delete(f.disk.unsynced, f.path)
	f.disk.mu.Unlock()
	return f.DiskFile.Sync()
}
