package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"hotfolder/agent"
	"hotfolder/config"
	"hotfolder/watcher"
)

const (
	leastFree = 1 << 30 // bytes on a disk that the agent writes to
	trialName = ".hotfolder-check-*"

	toConnect = "create it, or connect the share or disk"
)

// at has look look at a folder, and tells what it finds and whether that is good. On a share that hangs a look may take for ever: then it is
// left behind, and nothing of it is told.
func (k *checker) at(what, dir string, look func(*checker) bool) bool {
	if !slices.Contains(k.silent, dir) {
		var found []finding
		var good bool
		of := &checker{print: func(f finding) error { found = append(found, f); return nil }, command: k.command}
		if watcher.Within(answersWithin, func(alive func()) error {
			of.alive = alive
			good = look(of)
			return nil
		}) == nil {
			for _, f := range found {
				k.tell(f)
			}
			k.codes, k.warnings = append(k.codes, of.codes...), k.warnings+of.warnings
			return good
		}
		k.silent = append(k.silent, dir)
	}
	k.fail(exitFailed, toMendSilence, "%s %s does not answer", what, dir)
	return false
}

func (k *checker) dataDir(c *config.Config) bool {
	if !k.writable("data_dir", c.DataDir) {
		return false
	}
	if kind := watcher.Network(nearest(c.DataDir)); kind != "" {
		k.warn("set data_dir to a folder on a disk of this machine", "data_dir %s is on a network share (%s), where the ledger is slow and not safe", c.DataDir, kind)
	}
	if user := otherOwner(c.DataDir); user != "" {
		k.warn("check as that user, too: sudo -u "+user+" "+k.command("check"),
			"you are root, but data_dir belongs to %s, as whom the service runs: what it may do was tried as root", user)
	}
	return true
}

func (k *checker) folder(f config.Folder, dataDir string) {
	for _, m := range mapped(f) {
		k.warn("write "+m.unc+" instead", "%s", m.what)
	}
	at := func(what, dir string, look func(*checker) bool) bool {
		return k.at(what, dir, func(k *checker) bool {
			if err := agent.Unmounted(dataDir, dir); err != nil {
				k.fail(exitFailed, "connect the share or disk", "%s %s: %v", what, dir, err)
				return false
			}
			return look(k)
		})
	}
	there := at(f.Name+": input", f.Input, func(k *checker) bool { k.input(f, dataDir); return true })
	review := ""
	if at(f.Name+": output", f.Output, func(k *checker) bool { return k.thereAndWritable(f.Name+": output", f.Output) }) {
		review = f.ReviewFolder()
	}
	writable := func(what, dir string) {
		at(what, dir, func(k *checker) bool { return k.writable(what, dir) })
	}
	if there && (f.AfterSuccess != config.Keep || f.Failed != "") {
		writable(f.Name+": input, from which originals are taken,", f.Input)
	}
	for _, dir := range []struct{ name, path string }{{"processed", f.Processed}, {"failed", f.Failed}, {"review", review}} {
		if dir.path != "" {
			writable(f.Name+": "+dir.name, dir.path)
		}
	}
}

// onMappedDrive is a folder on a drive that is mapped to a share.
type onMappedDrive struct{ what, unc string }

// mapped are those folders of a hot folder that a service of Windows would look for in vain.
func mapped(f config.Folder) (list []onMappedDrive) {
	for _, dir := range []struct{ name, path string }{
		{"input", f.Input}, {"output", f.Output}, {"processed", f.Processed}, {"failed", f.Failed},
	} {
		if unc := uncOf(dir.path); unc != "" {
			list = append(list, onMappedDrive{fmt.Sprintf("%s: %s %s is on a mapped drive, which a service does not see", f.Name, dir.name, dir.path), unc})
		}
	}
	return list
}

// input looks at a folder that is read.
func (k *checker) input(f config.Folder, dataDir string) {
	what := f.Name + ": input " + f.Input
	entries, err := firstEntries(f.Input)
	switch {
	case isFile(f.Input): // which Windows says is not there
		k.fail(exitFailed, "name the folder that it is in", "%s is a file, not a folder", what)
		return
	case errors.Is(err, fs.ErrNotExist):
		k.fail(exitFailed, toConnect, "%s is not there", what)
		return
	case errors.Is(err, fs.ErrPermission):
		k.fail(exitFailed, "give the user whom the agent runs as the right to read it, and check as that user", "%s may not be read", what)
		return
	case err != nil:
		k.fail(exitFailed, toConnect, "%s: %s", f.Name, plain(err))
		return
	}
	if err := watcher.ClaimedBy(f.Input, dataDir); err != nil {
		k.fail(exitFailed, "stop one of the two, or give each its own folder", "%s: %v", what, err)
	} else {
		k.ok("%s", what)
	}
	for _, e := range entries {
		k.alive()
		if file := filepath.Join(f.Input, e.Name()); e.Type().IsRegular() && isForbidden(file) {
			k.warn("give the user whom the agent runs as the right to read the files, too", "%s: %s may not be read", f.Name, file)
			break
		}
	}
	if unread := k.unread(f); unread.N > 0 {
		k.fail(exitFailed, "give the user whom the agent runs as the right to read them, or exclude them, and check as that user",
			"%s: subfolders may not be read, and no picture in them is processed: %v", f.Name, unread)
	}
	if advice := watcher.Advice(f.Input, f.Rescan); advice != "" {
		k.ok("%s: %s", f.Name, advice)
	}
}

// entriesLooked is how much of an input is looked through for subfolders that may not be read; the running agent knows of all.
const entriesLooked = 1000

// unread are those subfolders of an input.
func (k *checker) unread(f config.Folder) watcher.Unread {
	w, err := watcher.New(watcher.Options{Root: f.Input, Recursive: f.Recursive, Include: f.Include, Exclude: f.Exclude})
	if err != nil { // of a pattern, which the configuration tells
		return watcher.Unread{}
	}
	return w.Unread(entriesLooked, k.alive)
}

// firstEntries reads the beginning of a folder.
func firstEntries(dir string) ([]fs.DirEntry, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := d.ReadDir(100)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return entries, err
}

func isForbidden(file string) bool {
	f, err := os.Open(file)
	if err == nil {
		f.Close()
	}
	return errors.Is(err, fs.ErrPermission)
}

// thereAndWritable is writable for a folder that the agent does not make: its share may be gone.
func (k *checker) thereAndWritable(what, dir string) bool {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && !isFile(nearest(dir)) { // below a file Windows says so, too
		k.fail(exitFailed, toConnect, "%s %s is not there", what, dir)
		return false
	}
	return k.writable(what, dir)
}

// writable tries what the agent will do in dir or, while it is not there, in the folder that it would be made in.
func (k *checker) writable(what, dir string) bool {
	there := nearest(dir)
	if isFile(there) {
		k.fail(exitFailed, "name another folder, or move the file away", "%s %s: %s is a file, not a folder", what, dir, there)
		return false
	}
	off, err := tryWriting(there)
	free, unknown := freeSpace(there)
	switch {
	case errors.Is(err, fs.ErrPermission):
		k.fail(exitFailed, "give the user whom the agent runs as the right to write there, and check as that user", "%s %s: %s", what, dir, sayOfTrial(err))
		return false
	case err != nil:
		k.fail(exitFailed, "connect it, or make room on it", "%s %s: %s", what, dir, sayOfTrial(err))
		return false
	case unknown != nil:
		k.warn("see to it that there is enough room", "%s %s: the free space is not known: %v", what, dir, unknown)
	case free < leastFree:
		k.warn("make room on it", "%s %s has only %s free", what, dir, size(int64(free)))
	case there != dir:
		k.ok("%s %s will be created when it is needed, %s free", what, dir, size(int64(free)))
	default:
		k.ok("%s %s: wrote, renamed and deleted a file, %s free", what, dir, size(int64(free)))
	}
	if off.Abs() > mostSkew {
		k.warn("set the clock of the machine that it is on", "%s %s: the clock of its file system is %s off this machine's", what, dir, roughly(off.Abs()))
	}
	return true
}

// sayOfTrial says what failed rather than with which file.
func sayOfTrial(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return "a file cannot be renamed: " + l.Err.Error()
	}
	return plain(err)
}

// nearest is dir, or the nearest folder above it that exists.
func nearest(dir string) string {
	for {
		_, err := os.Stat(dir)
		up := filepath.Dir(dir)
		if err == nil || up == dir || errors.Is(err, fs.ErrPermission) {
			return dir
		}
		dir = up
	}
}

// tryWriting writes, renames and deletes a file that the watcher ignores, and tells how far its time is off this machine's.
func tryWriting(dir string) (off time.Duration, err error) {
	f, err := os.CreateTemp(dir, trialName)
	if err != nil {
		return 0, err
	}
	_, err = f.WriteString("hotfolder was here\n")
	err = errors.Join(err, f.Sync(), f.Close())
	name := f.Name()
	if info, statErr := os.Stat(name); statErr == nil {
		off = time.Until(info.ModTime())
	}
	if err == nil {
		if err = watcher.WhileHeld(func() error { return os.Rename(name, name+"-renamed") }); err == nil {
			name += "-renamed"
		}
	}
	return off, errors.Join(err, watcher.WhileHeld(func() error { return os.Remove(name) }))
}

// watches holds the folders to be watched against Linux' limits. Other systems have none, or do without watches.
func (k *checker) watches(ctx context.Context, folders []config.Folder) {
	if runtime.GOOS != "linux" {
		return
	}
	need := 0
	for _, f := range folders {
		if slices.Contains(k.silent, f.Input) {
			continue
		}
		n := 0
		if k.at(f.Name+": input", f.Input, func(k *checker) bool { n = subfolders(ctx, f, k.alive); return true }) {
			need += n
		}
	}
	for _, limit := range []struct {
		name string
		need int
		what string
	}{
		{"max_user_watches", need, "folder"},
		{"max_user_instances", len(folders), "hot folder"},
	} {
		most, err := readNumber("/proc/sys/fs/inotify/" + limit.name)
		switch {
		case err != nil:
			k.skip("how many folders the system lets watch", "the limit fs.inotify."+limit.name+" cannot be read here")
		case limit.need > most*9/10:
			k.warn("sudo sysctl fs.inotify."+limit.name+"="+strconv.Itoa(2*limit.need+most)+"; without it new files are found by looking, a little later",
				"%s to watch, and the system lets all programs together watch %d (fs.inotify.%s)", plural(limit.need, limit.what), most, limit.name)
		case limit.name == "max_user_watches":
			k.ok("%s to watch, of at most %d", plural(limit.need, limit.what), most)
		}
	}
}

func readNumber(file string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// subfolders counts the folders of an input, itself included.
func subfolders(ctx context.Context, f config.Folder, alive func()) (n int) {
	if !f.Recursive {
		return 1
	}
	_ = filepath.WalkDir(f.Input, func(_ string, d fs.DirEntry, err error) error { // unreadable ones are told elsewhere
		alive()
		if err == nil && d.IsDir() {
			n++
		}
		return ctx.Err()
	})
	return n
}
