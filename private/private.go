// Package private keeps files that hold secrets from everyone but their owner and the system.
package private

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ErrOpen is in the chain of ReadFile's error when others than its owner can get at the file.
var ErrOpen = errors.New("open to others")

const maxFile = 1 << 20 // bytes

// ReadFile reads a file of at most 1 MiB, unless others can get at it: then its error says who, and the mend.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := check(f); err != nil {
		return nil, fmt.Errorf("%s is %w", path, err)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s is longer than %d bytes", path, maxFile)
	}
	return b, err
}

// WriteFile replaces a file, making its folder if need be: after a crash there is the old one or the new one, whole, and when
// WriteFile has returned nil, the new one. Nobody else can open it at any moment. What root writes into another's folder is the
// other's: a service reads what its administrator wrote for it.
func WriteFile(path string, b []byte) error {
	dir := filepath.Dir(path)
	if err := MkdirAll(dir); err != nil {
		return err
	}
	tmp, err := createTemp(dir)
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // does nothing after the rename
	err = GiveTo(tmp, dir)
	if err == nil {
		_, err = tmp.Write(b)
	}
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := replace(tmp.Name(), path); err != nil {
		return err
	}
	return syncFolder(dir)
}
