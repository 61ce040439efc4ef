//go:build unix

package private

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// MkdirAll makes a folder, and those above it, that only their owner can enter. One that is there stays as it is.
func MkdirAll(dir string) error { return os.MkdirAll(dir, 0o700) }

func createTemp(dir string) (*os.File, error) { return os.CreateTemp(dir, ".private-*") } // 0600

func replace(from, to string) error { return os.Rename(from, to) }

// GiveTo makes a file that root has made that of the owner of like, a folder or a file. Others than root give nothing away.
func GiveTo(f *os.File, like string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(like)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return nil
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}

// Give makes a file, or a folder and all that is in it, a user's, of whom uid is the id. Only root may.
func Give(path, uid string) error {
	who, err := user.LookupId(uid)
	if err != nil {
		return err
	}
	id, err := strconv.Atoi(who.Uid)
	if err != nil {
		return err
	}
	group, err := strconv.Atoi(who.Gid)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(filepath.Dir(path)) // which no link that is put there meanwhile leads out of
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), filepath.Base(path), func(name string, _ fs.DirEntry, err error) error {
		if err == nil {
			err = root.Lchown(name, id, group)
		}
		if errors.Is(err, fs.ErrNotExist) && name != filepath.Base(path) { // gone meanwhile
			return nil
		}
		return err
	})
}

// check refuses a file that others than its owner can read or change.
func check(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%w (mode %04o); make it private with: chmod 600 %s", ErrOpen, mode, f.Name())
	}
	return nil
}

// syncFolder makes a rename in the folder durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
