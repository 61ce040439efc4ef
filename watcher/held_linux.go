package watcher

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// openFlags keep a link or a pipe that took a file's place from being followed or waited for.
const openFlags = os.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK

func openFile(name string) (*os.File, error) { return os.OpenFile(name, openFlags, 0) }

// dirFlags are openFlags for a folder.
const dirFlags = os.O_RDONLY | unix.O_NOFOLLOW | unix.O_DIRECTORY

// localFileSystems are those whose leases tell the truth. NFS and SMB refuse a lease for reasons of their own, so a file there
// would seem to be written for ever.
var localFileSystems = map[uint32]bool{
	unix.EXT4_SUPER_MAGIC: true, unix.XFS_SUPER_MAGIC: true, unix.BTRFS_SUPER_MAGIC: true, unix.F2FS_SUPER_MAGIC: true,
	unix.TMPFS_MAGIC: true, unix.OVERLAYFS_SUPER_MAGIC: true, unix.MSDOS_SUPER_MAGIC: true, unix.EXFAT_SUPER_MAGIC: true, 0x2fc12fc1: true, // the last: ZFS
}

// held reports whether another program has the file open for writing; false where that can't be told. A read lease
// is refused with EAGAIN exactly then (fcntl(2), F_SETLEASE); it is given back at once, a writer waits that long.
func held(_ string, f *os.File) bool {
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	held := false
	raw.Control(func(fd uintptr) {
		var stat unix.Statfs_t
		if err := unix.Fstatfs(int(fd), &stat); err != nil || !localFileSystems[uint32(stat.Type)] {
			return
		}
		if _, err := unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_RDLCK); err != nil {
			held = errors.Is(err, unix.EAGAIN)
			return
		}
		unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_UNLCK)
	})
	return held
}

// WhileHeld does something to a file. That another program has it open hinders nobody here.
func WhileHeld(do func() error) error { return do() }

func hiddenByOS(fs.FileInfo) bool { return false }

func sharingViolation(error) bool { return false }
