//go:build unix

package watcher

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// openFlags keep a link or a pipe that took a file's place from being followed or waited for.
const openFlags = os.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK

// dirFlags are openFlags for a folder.
const dirFlags = os.O_RDONLY | unix.O_NOFOLLOW | unix.O_DIRECTORY

func openFile(name string) (*os.File, error) { return os.OpenFile(name, openFlags, 0) }

// WhileHeld does something to a file. That another program has it open hinders nobody here.
func WhileHeld(do func() error) error { return do() }

func hiddenByOS(fs.FileInfo) bool { return false }

func sharingViolation(error) bool { return false }

func faulty(err error) bool { return errors.Is(err, unix.EIO) || errors.Is(err, unix.EBADMSG) }
