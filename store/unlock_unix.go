//go:build unix

package store

import (
	"os"
	"syscall"
)

// release closes a file that bbolt locked and mapped and did not close itself: the mapping would keep the lock.
func release(f *os.File) error {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	return f.Close()
}
