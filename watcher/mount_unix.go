//go:build unix

package watcher

import (
	"os"
	"path/filepath"
	"syscall"
)

// mountPoints resolves the links of path, and lists the mount points among that folder and its ancestors, the deepest first.
func mountPoints(path string) (folder string, mounts []string, err error) {
	if folder, err = filepath.EvalSymlinks(path); err != nil {
		return "", nil, err
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return "", nil, err
	}
	device, err := deviceOf(folder)
	for dir := folder; err == nil && dir != "/"; {
		parent := filepath.Dir(dir)
		var above uint64
		if above, err = deviceOf(parent); above != device {
			mounts = append(mounts, dir)
		}
		dir, device = parent, above
	}
	return folder, mounts, err
}

func deviceOf(dir string) (uint64, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return 0, err
	}
	return uint64(info.Sys().(*syscall.Stat_t).Dev), nil
}
