package watcher

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// statIn looks at a file in an open folder; ours: it is not hidden. The listing held all there is to know.
func statIn(_ *os.File, e fs.DirEntry) (size int64, modTime time.Time, ours bool, err error) {
	info, err := e.Info()
	if err != nil {
		return 0, time.Time{}, false, err
	}
	return info.Size(), info.ModTime(), info.Mode().IsRegular() && !hiddenByOS(info), nil
}

// isInCloud reports whether a file's content has yet to be fetched from elsewhere.
func isInCloud(e fs.DirEntry) bool {
	info, err := e.Info()
	return err == nil && attributes(info)&cloud != 0 && attributes(info)&hidden == 0
}

func hiddenFolder(e fs.DirEntry) bool {
	info, err := e.Info()
	return err == nil && hiddenByOS(info) // an error: reading it will tell
}

// vanished reports that there is nothing at a path. fs.ErrNotExist would include a network path that is not found for now.
func vanished(err error) bool {
	return errors.Is(err, windows.ERROR_FILE_NOT_FOUND) || errors.Is(err, windows.ERROR_PATH_NOT_FOUND)
}
