//go:build !linux && !windows

package watcher

import (
	"io/fs"
	"os"
	"syscall"
)

// openFlags keep a link or a pipe that took a file's place from being followed or waited for.
const openFlags = os.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_NONBLOCK

func openFile(name string) (*os.File, error) { return os.OpenFile(name, openFlags, 0) }

// dirFlags are openFlags for a folder.
const dirFlags = os.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_DIRECTORY

// held can't be told here.
func held(string, *os.File) bool { return false }

// WhileHeld does something to a file. That another program has it open hinders nobody here.
func WhileHeld(do func() error) error { return do() }

func hiddenByOS(fs.FileInfo) bool { return false }

func sharingViolation(error) bool { return false }
