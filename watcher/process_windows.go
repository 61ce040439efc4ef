package watcher

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// alive reports whether a process of this computer runs, as far as can be seen.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return !errors.Is(err, windows.ERROR_INVALID_PARAMETER)
	}
	p.Release()
	return true
}
