package agent

import (
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// renameNoReplace renames atomically, never replaces, and returns when the new name is on the disk.
func renameNoReplace(from, to string) error {
	f, err := longPath(from)
	if err != nil {
		return err
	}
	t, err := longPath(to)
	if err != nil {
		return err
	}
	if err := windows.MoveFileEx(f, t, windows.MOVEFILE_WRITE_THROUGH); err != nil {
		return &fs.PathError{Op: "rename", Path: to, Err: err}
	}
	return nil
}

// longPath is a path as Windows takes it at any length.
func longPath(path string) (*uint16, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	switch {
	case len(abs) < 248 || abs[:4] == `\\?\`:
	case abs[:2] == `\\`:
		abs = `\\?\UNC` + abs[1:]
	default:
		abs = `\\?\` + abs
	}
	return windows.UTF16PtrFromString(abs)
}

// syncDir does nothing: Windows has no such call, and the rename was written through.
func syncDir(string) error { return nil }
