//go:build unix

package private

import (
	"fmt"
	"os"
)

// MkdirAll makes a folder, and those above it, that only their owner can enter. One that is there stays as it is.
func MkdirAll(dir string) error { return os.MkdirAll(dir, 0o700) }

func createTemp(dir string) (*os.File, error) { return os.CreateTemp(dir, ".private-*") } // 0600

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
