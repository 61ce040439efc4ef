//go:build !linux && !windows

package watcher

import (
	"io/fs"
	"os"
	"syscall"
)

// openFlags keep a link or a pipe that took a file's place from being followed or waited for.
const openFlags = os.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// dirFlags are openFlags for a folder.
const dirFlags = os.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_DIRECTORY

// held can't be told here.
func held(string, *os.File) bool { return false }

func hiddenByOS(fs.FileInfo) bool { return false }

func sharingViolation(error) bool { return false }
