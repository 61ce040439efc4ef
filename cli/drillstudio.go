package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"gopkg.in/yaml.v3"

	"hotfolder/config"
	"hotfolder/sandbox"
	"hotfolder/testdata/photos"
	"hotfolder/watcher"
)

// studio is what every scenario begins with: the studio's configuration, and copies of some of its pictures.
type studio struct {
	dir     string // of the drill
	keep    bool   // leave what the scenarios made
	config  *config.Config
	folders []studioFolder // those that take pictures
}

type studioFolder struct {
	config.Folder
	pictures []picture
	samples  bool // not the studio's own
}

// picture is a copy of a picture. No two of a drill have the same content.
type picture struct {
	file string // the copy
	path string // below its hot folder's input, with slashes
	sha  string // hex SHA-256
	size int64
}

// Bounds of the copies, so that a drill on a studio of large pictures or many folders stays short.
const (
	largestCopy = 24 << 20  // bytes of a picture
	allCopies   = 160 << 20 // bytes of all pictures, shared by the folders
	pickTime    = 10 * time.Second
)

// copyStudio copies n pictures of each folder, or samples where it has none.
func copyStudio(ctx context.Context, c *config.Config, dir string, n int) (*studio, error) {
	s := &studio{dir: dir, config: c}
	samples := filepath.Join(dir, "samples")
	if err := os.CopyFS(samples, photos.FS); err != nil {
		return nil, err
	}
	taken := map[string]bool{}
	for i, f := range c.Folders {
		p := &picker{to: filepath.Join(dir, "pictures", strconv.Itoa(i+1)), n: n, room: allCopies / int64(len(c.Folders)), taken: taken}
		own := studioFolder{Folder: f}
		var err error
		if f.Input != "" {
			err = p.pick(ctx, f.Input, f)
		}
		if len(p.pictures) == 0 && err == nil {
			own.samples = true
			p.stamp = fmt.Sprintf("sample of hot folder %d", i+1)
			err = p.pick(ctx, samples, f)
		}
		if err != nil {
			return nil, err
		}
		if own.pictures = p.pictures; len(p.pictures) > 0 {
			s.folders = append(s.folders, own)
		}
	}
	if len(s.folders) == 0 {
		return nil, usage(fmt.Errorf("no hot folder takes any picture: neither its own, nor the samples; see 'include' in %s", c.File))
	}
	return s, s.needRoom()
}

// needRoom sees to the disk, of which a drill needs some times the size of the copies.
func (s *studio) needRoom() error {
	var need int64 = 64 << 20
	for _, f := range s.folders {
		for _, p := range f.pictures {
			need += p.size * 4 * scenariosAtOnce
		}
	}
	if free, err := freeSpace(s.dir); err == nil && free < uint64(need) {
		return fmt.Errorf("the drill needs %s in %s, where %s are free; name a folder on another disk with --dir, or fewer --pictures",
			size(need), s.dir, size(int64(free)))
	}
	return nil
}

// picker copies whole pictures that a hot folder would take.
type picker struct {
	to    string
	n     int             // pictures at most
	room  int64           // bytes at most
	stamp string          // added to each copy, which makes it another picture
	taken map[string]bool // the contents copied so far, by SHA-256

	pictures []picture
}

// pick looks at the files below root as the agent would, once and without claiming the folder. That root can't be read is as if
// it were empty.
func (p *picker) pick(ctx context.Context, root string, f config.Folder) error {
	looking, enough := context.WithTimeout(ctx, pickTime)
	defer enough()
	var failed error
	w, err := watcher.New(watcher.Options{
		Root: root, Recursive: f.Recursive, Include: f.Include, Exclude: f.Exclude, Once: true, Takers: 1,
		Unknown: func(files []watcher.File) []watcher.File {
			return slices.DeleteFunc(files, func(f watcher.File) bool { return f.Size > largestCopy })
		},
		Take: func(_ context.Context, file watcher.File) error {
			if failed == nil && len(p.pictures) < p.n && file.Whole && file.Size <= p.room {
				failed = p.take(root, file.Path)
			}
			if failed != nil || len(p.pictures) == p.n {
				enough()
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	_ = w.Run(looking)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return failed
}

// take copies a picture, unless it can't be read, is none after all or was copied already.
func (p *picker) take(root, path string) error {
	from, err := watcher.Open(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		return nil
	}
	defer from.Close()
	to := picture{file: filepath.Join(p.to, filepath.FromSlash(path)), path: path}
	if err := os.MkdirAll(filepath.Dir(to.file), 0o755); err != nil {
		return err
	}
	if to.sha, to.size, err = writePicture(to.file, io.MultiReader(from, bytes.NewReader([]byte(p.stamp)))); err != nil {
		return err
	}
	if p.taken[to.sha] || !isPicture(to.file, to.size) {
		return os.Remove(to.file)
	}
	p.taken[to.sha] = true
	p.room -= to.size
	p.pictures = append(p.pictures, to)
	return nil
}

// writePicture writes a new file and returns its hash and size.
func writePicture(file string, from io.Reader) (sha string, size int64, err error) {
	f, err := os.Create(file)
	if err != nil {
		return "", 0, err
	}
	hash := sha256.New()
	size, err = io.Copy(io.MultiWriter(f, hash), from)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return hex.EncodeToString(hash.Sum(nil)), size, err
}

func isPicture(file string, size int64) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	found, err := watcher.Inspect(f, size)
	return err == nil && found.Whole && found.Type != ""
}

// drillWorkflows stand in for the studio's.
var drillWorkflows = []string{sandbox.PackshotWhite, sandbox.CatalogueJPEG, sandbox.TransparentCut, sandbox.FastCheck}

// configure writes the configuration of a scenario in dir, whose sandbox is at url, and makes the folders in it.
func (s *studio) configure(dir, url string) (*config.Config, error) {
	c := *s.config
	c.File = filepath.Join(dir, "hotfolder.yaml")
	c.DataDir = filepath.Join(dir, "data")
	c.Account = config.Account{Organization: sandbox.Organization}
	c.API = config.API{URL: url, AuthURL: url, ClientID: sandbox.ClientID, Timeout: 10 * time.Second, CreateLookup: 2 * time.Second}
	c.Limits.Uploads, c.Limits.Downloads = min(c.Limits.Uploads, 3), min(c.Limits.Downloads, 3)
	c.Limits.UploadRate, c.Limits.CreditsPerDay = 0, 0
	c.Polling = config.Polling{Min: 50 * time.Millisecond, Max: 300 * time.Millisecond}
	c.Webhook, c.Dashboard = config.Webhook{}, config.Dashboard{}
	c.Log = config.Default().Log
	c.Folders = nil
	standIns := map[[2]string]string{}
	for i, f := range s.folders {
		at := func(what string) string { return filepath.Join(dir, strconv.Itoa(i+1), what) }
		flow := [2]string{f.Workflow, f.WorkflowVersion}
		if standIns[flow] == "" {
			standIns[flow] = drillWorkflows[len(standIns)%len(drillWorkflows)]
		}
		own := f.Folder
		own.Input, own.Output = at("in"), at("out")
		own.Workflow, own.WorkflowVersion = standIns[flow], ""
		own.Settle, own.Rescan = 200*time.Millisecond, 500*time.Millisecond
		if own.Processed != "" {
			own.Processed = at("processed")
		}
		if own.Failed != "" {
			own.Failed = at("failed")
		}
		for _, made := range []string{own.Input, own.Output, own.Processed, own.Failed} {
			if made == "" {
				continue
			}
			if err := os.MkdirAll(made, 0o755); err != nil {
				return nil, err
			}
		}
		c.Folders = append(c.Folders, own)
	}
	return writeConfig(&c)
}

// writeConfig writes c to its file and reads it again, as the agent will.
func writeConfig(c *config.Config) (*config.Config, error) {
	text, err := yaml.Marshal(c)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(c.File, text, 0o600); err != nil {
		return nil, err
	}
	return config.Parse(c.File, text, func(string) string { return "" })
}

// taken returns those of the paths under which a hot folder takes pictures.
func taken(ctx context.Context, scratch string, f config.Folder, paths []string) (map[string]bool, error) {
	defer os.RemoveAll(scratch)
	content, err := fs.ReadFile(photos.FS, "coffee.jpg")
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		file := filepath.Join(scratch, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return nil, err
		}
		_ = os.WriteFile(file, content, 0o644) // a name that the system does not allow is not taken
	}
	var mu sync.Mutex
	yes := map[string]bool{}
	w, err := watcher.New(watcher.Options{
		Root: scratch, Recursive: f.Recursive, Include: f.Include, Exclude: f.Exclude, Once: true,
		Take: func(_ context.Context, file watcher.File) error {
			mu.Lock()
			defer mu.Unlock()
			yes[file.Path] = true
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	return yes, w.Run(ctx)
}
