package cli

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"hotfolder/config"
)

const (
	leastFree = 1 << 30 // bytes on a disk that the agent writes to
	trialName = ".hotfolder-check-*"
)

func (k *checker) dataDir(c *config.Config) {
	if k.writable("data_dir", c.DataDir) {
		k.space("data_dir", c.DataDir)
	}
}

func (k *checker) folder(f config.Folder) {
	k.readable(f.Name+": input", f.Input)
	if _, err := os.Stat(f.Output); errors.Is(err, fs.ErrNotExist) { // the agent does not make it: its share may be gone
		k.fail(exitFailed, "create it, or connect the share or disk", "%s: output %s is not there", f.Name, f.Output)
	} else if k.writable(f.Name+": output", f.Output) {
		k.space(f.Name+": output", f.Output)
	}
	if f.AfterSuccess != config.Keep || f.Failed != "" {
		k.writable(f.Name+": input, from which originals are taken", f.Input)
	}
	for name, dir := range map[string]string{"processed": f.Processed, "failed": f.Failed} {
		if dir != "" {
			k.writable(f.Name+": "+name, dir)
		}
	}
}

func (k *checker) readable(what, dir string) {
	entries, err := os.Open(dir)
	if err == nil {
		_, err = entries.ReadDir(1)
		entries.Close()
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		k.fail(exitFailed, "create it, or connect the share or disk", "%s %s is not there", what, dir)
	case errors.Is(err, fs.ErrPermission):
		k.fail(exitFailed, "give the agent the right to read it", "%s %s may not be read", what, dir)
	case err != nil && !errors.Is(err, io.EOF):
		k.fail(exitFailed, "", "%s: %v", what, err)
	default:
		k.ok("%s %s", what, dir)
	}
}

// writable tries what the agent will do in dir or, while it is not there, in the folder that it would be made in.
func (k *checker) writable(what, dir string) bool {
	there := nearest(dir)
	err := tryWriting(there)
	switch {
	case errors.Is(err, fs.ErrPermission):
		k.fail(exitFailed, "give the agent the right to write there", "%s %s: %v", what, dir, err)
	case err != nil:
		k.fail(exitFailed, "connect it or make room on it", "%s %s: %v", what, dir, err)
	case there != dir:
		k.ok("%s %s will be created", what, dir)
	default:
		k.ok("%s %s", what, dir)
	}
	return err == nil
}

// nearest is dir, or the nearest folder above it that exists.
func nearest(dir string) string {
	for {
		_, err := os.Stat(dir)
		up := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || up == dir {
			return dir
		}
		dir = up
	}
}

// tryWriting writes, renames and deletes a file that the watcher ignores.
func tryWriting(dir string) error {
	f, err := os.CreateTemp(dir, trialName)
	if err != nil {
		return err
	}
	_, err = f.WriteString("hotfolder was here\n")
	err = errors.Join(err, f.Sync(), f.Close())
	name := f.Name()
	if err == nil {
		if err = os.Rename(name, name+"-renamed"); err == nil {
			name += "-renamed"
		}
	}
	return errors.Join(err, os.Remove(name))
}

func (k *checker) space(what, dir string) {
	free, err := freeSpace(nearest(dir))
	if err != nil {
		k.warn("", "%s: the free space is unknown: %v", what, err)
	} else if free < leastFree {
		k.warn("make room on it", "%s has only %s free", what, size(int64(free)))
	}
}

// watches holds the folders to be watched against Linux' limit. Other systems have none, or do without watches.
func (k *checker) watches(ctx context.Context, folders []config.Folder) {
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_user_watches")
	if runtime.GOOS != "linux" || err != nil {
		return
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return
	}
	need := 0
	for _, f := range folders {
		need += subfolders(ctx, f)
	}
	if need > limit*9/10 {
		k.warn("raise fs.inotify.max_user_watches with sysctl; without it new files are found by looking, a little later",
			"the input folders hold %d folders to watch, the system's limit is %d", need, limit)
		return
	}
	k.ok("%s to watch of at most %d", plural(need, "folder"), limit)
}

// subfolders counts the folders of an input, itself included.
func subfolders(ctx context.Context, f config.Folder) (n int) {
	if !f.Recursive {
		return 1
	}
	_ = filepath.WalkDir(f.Input, func(_ string, d fs.DirEntry, err error) error { // unreadable ones are told elsewhere
		if err == nil && d.IsDir() {
			n++
		}
		return ctx.Err()
	})
	return n
}
