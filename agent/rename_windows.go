package agent

import (
	"io/fs"

	"golang.org/x/sys/windows"

	"hotfolder/watcher"
)

// renameNoReplace renames atomically, never replaces, and returns when the new name is on the disk.
func renameNoReplace(from, to string) error {
	f, err := watcher.LongPath(from)
	if err != nil {
		return err
	}
	t, err := watcher.LongPath(to)
	if err != nil {
		return err
	}
	if err := windows.MoveFileEx(f, t, windows.MOVEFILE_WRITE_THROUGH); err != nil {
		return &fs.PathError{Op: "rename", Path: to, Err: err}
	}
	return nil
}

// syncDir does nothing: Windows has no such call, and the rename was written through.
func syncDir(string) error { return nil }
