//go:build unix

package private

import (
	"fmt"
	"os"
	"syscall"
)

// MkdirAll makes a folder, and those above it, that only their owner can enter. One that is there stays as it is.
func MkdirAll(dir string) error { return os.MkdirAll(dir, 0o700) }

func createTemp(dir string) (*os.File, error) { return os.CreateTemp(dir, ".private-*") } // 0600

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
