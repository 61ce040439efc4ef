package watcher

import "golang.org/x/sys/unix"

// Network is the kind of network file system that a folder is on; "": none, as far as can be told.
func Network(dir string) string {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil || stat.Flags&unix.MNT_LOCAL != 0 {
		return ""
	}
	return unix.ByteSliceToString(stat.Fstypename[:])
}
