package watcher

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

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
