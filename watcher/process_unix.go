//go:build unix

package watcher

import (
	"errors"
	"syscall"
)

// alive reports whether a process of this computer runs, as far as can be seen.
func alive(pid int) bool {
	if pid <= 0 {
		return false
	}
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
