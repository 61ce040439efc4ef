//go:build !windows

package agent

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// renameNoReplace renames atomically and never replaces. File systems that can't (SMB, NFS, FUSE) link instead; those that can't do
// that either (FAT) look first, which leaves a moment in which another program's new file of that name would be replaced.
func renameNoReplace(from, to string) error {
	err := renameExclusive(from, to)
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.ENOTSUP) {
		return pathError(to, err)
	}
	if err := os.Link(from, to); err == nil {
		return os.Remove(from)
	} else if errors.Is(err, fs.ErrExist) {
		return pathError(to, unix.EEXIST)
	}
	if _, err := os.Lstat(to); err == nil {
		return pathError(to, unix.EEXIST)
	}
	return os.Rename(from, to)
}

func pathError(path string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: "rename", Path: path, Err: err}
}

// syncDir makes the names in a folder durable, where the file system has such a thing.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, unix.ENOTSUP) {
		return err
	}
	return nil
}
