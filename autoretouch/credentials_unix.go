//go:build unix

package autoretouch

import (
	"fmt"
	"io/fs"
	"os"
)

// checkPrivate refuses a file that others than its owner can read or change.
func checkPrivate(path string, info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s is open to others (mode %04o); make it private with: chmod 600 %s", path, mode, path)
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
