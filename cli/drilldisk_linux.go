package cli

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func cannotMount() string {
	if os.Geteuid() != 0 {
		return "needs root, to mount a small disk"
	}
	return ""
}

// mountSmallDisk mounts an empty disk of about so many bytes on a folder.
func mountSmallDisk(dir string, size int64) error {
	return unix.Mount("hotfolder-drill", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, diskSize(size))
}

func resizeSmallDisk(dir string, size int64) error {
	return unix.Mount("hotfolder-drill", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NODEV, diskSize(size))
}

func unmount(dir string) error { return unix.Unmount(dir, unix.MNT_DETACH) }

func diskSize(bytes int64) string { return fmt.Sprintf("size=%d", max(bytes, int64(os.Getpagesize()))) }
