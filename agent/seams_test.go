package agent_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"hotfolder/agent"
	"hotfolder/store"
)

// watch has before called before the agent writes something to the ledger or a disk; with an error this does not happen. Between the
// agent and the real disk is also under, if that is not nil.
func (w *world) watch(before func(op, what string) error, kind diskKind, under *volatileDisk) {
	w.rows = func(r agent.Rows) agent.Rows { return watchedRows{r, before} }
	w.disk = func(d agent.Disk) agent.Disk {
		if under != nil {
			under.Disk = d
			d = under
		}
		return watchedDisk{d, before, kind}
	}
}

// watchedRows is the ledger.
type watchedRows struct {
	agent.Rows
	before func(op, what string) error
}

func (r watchedRows) Add(job store.Job, seen store.Seen) (store.Job, bool, error) {
	if err := r.before("ledger: add", job.Path); err != nil {
		return job, false, err
	}
	return r.Rows.Add(job, seen)
}

func (r watchedRows) Step(known store.Job, to store.State, detail string, change func(*store.Job)) (store.Job, error) {
	if err := r.before("ledger: step to", string(to)); err != nil {
		return store.Job{}, err
	}
	return r.Rows.Step(known, to, detail, change)
}

func (r watchedRows) Note(id string, change func(*store.Job)) (store.Job, error) {
	if err := r.before("ledger: note", id); err != nil {
		return store.Job{}, err
	}
	return r.Rows.Note(id, change)
}

func (r watchedRows) Unsee(folder, path string) error {
	if err := r.before("ledger: unsee", path); err != nil {
		return err
	}
	return r.Rows.Unsee(folder, path)
}

func (r watchedRows) Batch(folder, group string, idle time.Duration) (store.Batch, error) {
	if err := r.before("ledger: batch", group); err != nil {
		return store.Batch{}, err
	}
	return r.Rows.Batch(folder, group, idle)
}

func (r watchedRows) Hold(id, why string) error {
	if err := r.before("ledger: hold", id); err != nil {
		return err
	}
	return r.Rows.Hold(id, why)
}

func (r watchedRows) Unhold(id string) error {
	if err := r.before("ledger: unhold", id); err != nil {
		return err
	}
	return r.Rows.Unhold(id)
}

func (r watchedRows) SetRelease(folder, order string, release store.Release) error {
	if err := r.before("ledger: release", order); err != nil {
		return err
	}
	return r.Rows.SetRelease(folder, order, release)
}

func (r watchedRows) SetReconciled(yes bool) error {
	if err := r.before("ledger:", "reconciled"); err != nil {
		return err
	}
	return r.Rows.SetReconciled(yes)
}

// watchedDisk is the folders of results and originals.
type watchedDisk struct {
	agent.Disk
	before func(op, what string) error
	kind   diskKind
}

// diskKind is what is special about the disks.
type diskKind int

const (
	oneDisk   diskKind = iota
	otherDisk          // no file can be renamed into another folder
	linkDisk           // a rename that must not replace is a new link and the removal of the old one, as on network shares
)

func (d watchedDisk) MkdirAll(dir string) error {
	if err := d.before("mkdir", dir); err != nil {
		return err
	}
	return d.Disk.MkdirAll(dir)
}

func (d watchedDisk) Create(file string) (agent.DiskFile, error) {
	if err := d.before("create", file); err != nil {
		return nil, err
	}
	f, err := d.Disk.Create(file)
	return watchedFile{f, d, file}, err
}

func (d watchedDisk) Rename(from, to string, replace bool) error {
	if d.kind == otherDisk && filepath.Dir(from) != filepath.Dir(to) {
		return &fs.PathError{Op: "rename", Path: to, Err: syscall.EXDEV}
	}
	if err := d.before("rename to", to); err != nil {
		return err
	}
	if d.kind == linkDisk && !replace {
		if err := os.Link(from, to); err != nil {
			return err
		}
		return d.Remove(from)
	}
	return d.Disk.Rename(from, to, replace)
}

func (d watchedDisk) SyncDir(dir string) error {
	if err := d.before("sync dir", dir); err != nil {
		return err
	}
	return d.Disk.SyncDir(dir)
}

func (d watchedDisk) Remove(file string) error {
	if err := d.before("remove", file); err != nil {
		return err
	}
	return d.Disk.Remove(file)
}

type watchedFile struct {
	agent.DiskFile
	disk watchedDisk
	path string
}

// Write writes half of it when it fails, unless the agent is dead already.
func (f watchedFile) Write(b []byte) (int, error) {
	err := f.disk.before("write", f.path)
	switch {
	case errors.Is(err, errDead):
		return 0, err
	case err != nil:
		n, _ := f.DiskFile.Write(b[:len(b)/2])
		return n, err
	}
	return f.DiskFile.Write(b)
}

func (f watchedFile) Sync() error {
	if err := f.disk.before("sync", f.path); err != nil {
		return err
	}
	return f.DiskFile.Sync()
}

// Close closes it also when it fails.
func (f watchedFile) Close() error {
	err := f.disk.before("close", f.path)
	return errors.Join(err, f.DiskFile.Close())
}

// spoilingDisk writes something else than it is given into the files of a folder, until it is mended.
type spoilingDisk struct {
	agent.Disk
	dir    string
	mended atomic.Bool
}

func (d *spoilingDisk) mend() { d.mended.Store(true) }

func (d *spoilingDisk) Create(file string) (agent.DiskFile, error) {
	f, err := d.Disk.Create(file)
	if err == nil && !d.mended.Load() && strings.Contains(filepath.ToSlash(file), d.dir) {
		return spoilingFile{f}, nil
	}
	return f, err
}

type spoilingFile struct{ agent.DiskFile }

func (f spoilingFile) Write(b []byte) (int, error) {
	spoilt := bytes.Clone(b)
	spoilt[0] ^= 1
	return f.DiskFile.Write(spoilt)
}
