//go:build unix

package watcher

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// statIn looks at a file in an open folder; ours: it is a regular file. A stat by name alone spares the kernel the path.
func statIn(dir *os.File, e fs.DirEntry) (size int64, modTime time.Time, ours bool, err error) {
	var st unix.Stat_t
	for {
		err = unix.Fstatat(int(dir.Fd()), e.Name(), &st, unix.AT_SYMLINK_NOFOLLOW)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return 0, time.Time{}, false, os.NewSyscallError("fstatat", err)
	}
	return st.Size, time.Unix(st.Mtim.Unix()), st.Mode&unix.S_IFMT == unix.S_IFREG, nil
}

// hiddenFolder tells nothing here.
// isInCloud is for Windows, whose files may be there without their content.
func isInCloud(fs.DirEntry) bool { return false }

func hiddenFolder(fs.DirEntry) bool { return false }

// vanished reports that there is nothing at a path.
func vanished(err error) bool { return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) }
