package agent

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"hotfolder/watcher"
)

// disk is what the agent does to the folders of results and originals, and nothing more; tests make it fail.
type disk interface {
	MkdirAll(dir string) error
	Create(file string) (diskFile, error)       // a new empty file, or an old one emptied
	Rename(from, to string, replace bool) error // without replace it fails with fs.ErrExist when to is there
	SyncDir(dir string) error
	Remove(file string) error
}

type diskFile interface {
	io.Writer
	Sync() error
	Close() error
}

type osDisk struct{ folders *syncs }

func newDisk() osDisk { return osDisk{newSyncs(syncDir)} }

func (osDisk) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o755) }

func (osDisk) Create(file string) (f diskFile, err error) {
	err = watcher.WhileHeld(func() error { f, err = os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644); return err })
	return f, err
}

func (osDisk) Rename(from, to string, replace bool) error {
	rename := renameNoReplace
	if replace {
		rename = os.Rename
	}
	return watcher.WhileHeld(func() error { return rename(from, to) })
}

func (d osDisk) SyncDir(dir string) error { return d.folders.sync(dir) }

func (osDisk) Remove(file string) error {
	return watcher.WhileHeld(func() error { return os.Remove(file) })
}

// syncs are those of folders. Who asks for one while another of the same folder is under way shares the next one: results come several
// at a time, and each would wait for the disk as often as there are others before it.
type syncs struct {
	folder func(dir string) error // makes one durable

	mu sync.Mutex
	of map[string][]*oneSync // the one under way, and the next
}

type oneSync struct {
	done chan struct{}
	err  error
}

func newSyncs(folder func(dir string) error) *syncs {
	return &syncs{folder: folder, of: map[string][]*oneSync{}}
}

func (s *syncs) sync(dir string) error {
	s.mu.Lock()
	before := s.of[dir]
	if len(before) == 2 {
		s.mu.Unlock()
		<-before[1].done
		return before[1].err
	}
	mine := &oneSync{done: make(chan struct{})}
	s.of[dir] = append(before, mine)
	s.mu.Unlock()
	if len(before) == 1 {
		<-before[0].done
	}

	mine.err = s.folder(dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[dir] = s.of[dir][1:]; len(s.of[dir]) == 0 {
		delete(s.of, dir)
	}
	close(mine.done)
	return mine.err
}

// partPrefix begins the names of unfinished files; the watcher ignores them.
const partPrefix = ".hotfolder-"

// part is a file on its way to its final name. It lies in the final name's folder, so that the last step is a rename.
type part struct {
	disk disk
	path string
	file diskFile
	hash hash.Hash
	err  error // of the disk, so that it isn't taken for one of the network
}

func partPath(dir, job string) string { return filepath.Join(dir, partPrefix+job+".part") }

// createPart begins a part for a job. A crash leaves at most this one file, and the next try of the same job begins it anew.
func createPart(d disk, dir, job string) (*part, error) {
	path := partPath(dir, job)
	file, err := d.Create(path)
	if err != nil {
		return nil, fmt.Errorf("write the result: %w", err)
	}
	return &part{disk: d, path: path, file: file, hash: sha256.New()}, nil
}

func (p *part) Write(b []byte) (int, error) {
	n, err := p.file.Write(b)
	p.hash.Write(b[:n])
	if err != nil {
		p.err = fmt.Errorf("write the result: %w", err)
	}
	return n, err
}

// flush makes the content durable under the part's own name.
func (p *part) flush() error {
	err := p.file.Sync()
	if closeErr := p.file.Close(); err == nil {
		err = closeErr
	}
	p.file = nil
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// heldPart is a flushed part of an earlier time.
func heldPart(d disk, dir, job string) *part {
	return &part{disk: d, path: partPath(dir, job)}
}

// rename gives a flushed part its final name, durably when the folder is synced. Without replace it fails with fs.ErrExist when the
// name is taken, and may be tried again with another one in the same folder.
func (p *part) rename(final string, replace bool) error {
	if err := p.disk.Rename(p.path, final, replace); err != nil {
		return fmt.Errorf("name the result: %w", err)
	}
	p.path = ""
	return nil
}

// commit is a rename that is durable.
func (p *part) commit(final string, replace bool) error {
	if err := p.rename(final, replace); err != nil {
		return err
	}
	if err := p.disk.SyncDir(filepath.Dir(final)); err != nil {
		return fmt.Errorf("name the result: %w", err)
	}
	return nil
}

// discard removes what was not committed.
func (p *part) discard() {
	if p.file != nil {
		p.file.Close()
	}
	if p.path != "" {
		_ = p.disk.Remove(p.path) // the next try of the job overwrites it
	}
}

// makeDir makes a folder, and those above it that are missing, durably.
func makeDir(d disk, dir string) error {
	var in []string // where names are new
	for at := dir; filepath.Dir(at) != at && isMissing(at); at = filepath.Dir(at) {
		in = append(in, filepath.Dir(at))
	}
	if err := d.MkdirAll(dir); err != nil {
		return err
	}
	for _, dir := range in {
		if err := d.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

func isMissing(file string) bool {
	_, err := os.Lstat(file)
	return errors.Is(err, fs.ErrNotExist)
}

// removePart removes what a crash left of a job's part.
func removePart(d disk, dir, job string) error {
	err := d.Remove(partPath(dir, job))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
