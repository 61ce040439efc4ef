package watcher

import (
	"errors"
	"io/fs"
	"runtime"
	"syscall"
)

// adviceFor says how to get events back after err.
func adviceFor(err error) string {
	if runtime.GOOS != "linux" {
		return ""
	}
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return "raise the number of folders that may be watched: sysctl fs.inotify.max_user_watches=524288, and the same in a file in /etc/sysctl.d"
	case errors.Is(err, syscall.EMFILE):
		return "raise the number of watchers: sysctl fs.inotify.max_user_instances=512, and the same in a file in /etc/sysctl.d"
	}
	return ""
}

// passing reports that a folder could not be watched for a reason of its own: it vanished, or is not ours to read.
func passing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
}
