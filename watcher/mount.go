package watcher

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// A Root is a folder that may lie on a share or a disk that comes and goes. It tells the folder from the bare mount point that
// is left when the share is away. It may be used by several goroutines at once.
type Root struct {
	path string

	mu      sync.Mutex
	mount   string
	network string
	found   fs.FileInfo // the folder as it was when mount and network were found out
}

// ErrUnmounted is why a folder that is there is not the one that it was.
var ErrUnmounted = errors.New("nothing is mounted")

// NewRoot is the folder at path. mount is what Mount said of it before, perhaps in another process; "": nothing is known.
func NewRoot(path, mount string) *Root {
	return &Root{path: filepath.Clean(path), mount: mount}
}

// Check returns nil if the folder is there and not on a bare mount point: where it once lay below a mount point, something
// is mounted there, be it another device than before. It mostly costs one stat, and on a share that hangs it hangs.
func (r *Root) Check() error {
	info, err := os.Stat(r.path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &fs.PathError{Op: "open", Path: r.path, Err: syscall.ENOTDIR}
	}
	r.mu.Lock()
	known, found := r.mount, r.found
	r.mu.Unlock()
	if found != nil && os.SameFile(found, info) {
		return nil
	}
	folder, mounts, err := mountPoints(r.path)
	if err != nil {
		return err
	}
	if known != "" && !slices.Contains(mounts, known) && within(folder, known) {
		return fmt.Errorf("%w at %s", ErrUnmounted, known)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.found, r.mount, r.network = info, "", Network(r.path)
	if len(mounts) > 0 {
		r.mount = mounts[0]
	}
	return nil
}

// Mount is the mount point that the folder lay below when it was last found: the deepest folder of its path, links resolved,
// that is on another device than its parent. It is "" on the root's own file system, and on Windows, where the path of a
// drive or share that is away is missing.
func (r *Root) Mount() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mount
}

// Network is what Network said of the folder when it was last found.
func (r *Root) Network() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.network
}

// within reports whether path is dir or lies in it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, string(os.PathSeparator))+string(os.PathSeparator))
}
