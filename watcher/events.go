package watcher

import (
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// Events is a source of file events. All methods may be called at once from several goroutines.
type Events interface {
	Add(dir string) error // for a dir that is watched already: nothing
	Remove(dir string)    // with all watched dirs in it; for one that is not watched: nothing
	Events() <-chan Event
	Errors() <-chan error // fsnotify.ErrEventOverflow, or another one after which events may be missing
	Close() error         // ends the goroutines of the source and closes the channels
}

// An Event says that something may have happened to a path.
type Event struct {
	Path string // the OS's path, beginning with the dir given to Add
	Op   Op
}

// Op is what happened: Changed, Created, Gone or GoneFolder.
type Op int

const (
	Changed Op = iota
	Created
	Gone       // removed, or renamed to another name
	GoneFolder // the same, of a watched folder
)

// OSEvents are the operating system's: inotify or ReadDirectoryChangesW. On other systems there are none (nil, nil): kqueue would
// hold every file open.
func OSEvents() (Events, error) {
	if runtime.GOOS != "linux" && runtime.GOOS != "windows" {
		return nil, nil
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	e := &osEvents{w: w, dirs: make(map[string]bool), events: make(chan Event), closed: make(chan struct{})}
	e.translating.Go(e.translate)
	return e, nil
}

// osEvents keeps the watched dirs itself because fsnotify goes on reporting the dirs in a renamed dir under their old paths.
type osEvents struct {
	w           *fsnotify.Watcher
	events      chan Event
	closed      chan struct{}
	translating sync.WaitGroup

	mu   sync.Mutex
	dirs map[string]bool
}

func (e *osEvents) Events() <-chan Event { return e.events }
func (e *osEvents) Errors() <-chan error { return e.w.Errors }

func (e *osEvents) Close() error {
	close(e.closed)
	err := e.w.Close()
	e.translating.Wait()
	return err
}

func (e *osEvents) Add(dir string) error {
	if err := e.w.Add(dir); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dirs[dir] = true
	return nil
}

func (e *osEvents) Remove(dir string) {
	for _, d := range e.forget(dir) {
		e.w.Remove(d) // its error: fsnotify removed it before, as it does for dir itself
	}
}

// forget forgets dir and all watched dirs in it, and returns them.
func (e *osEvents) forget(dir string) (dirs []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for d := range e.dirs {
		if d == dir || strings.HasPrefix(d, dir+string(os.PathSeparator)) {
			dirs = append(dirs, d)
			delete(e.dirs, d)
		}
	}
	return dirs
}

func (e *osEvents) watches(dir string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.dirs[dir]
}

// translate makes fsnotify's events ours until its channel is closed.
func (e *osEvents) translate() {
	defer close(e.events)
	for ev := range e.w.Events {
		op := Changed
		switch {
		case ev.Name == "": // of a watch just removed
			continue
		case ev.Has(fsnotify.Create):
			op = Created
		case !ev.Has(fsnotify.Remove) && !ev.Has(fsnotify.Rename):
		case e.watches(ev.Name):
			op = GoneFolder
		default:
			op = Gone
		}
		select {
		case e.events <- Event{Path: ev.Name, Op: op}:
		case <-e.closed:
		}
	}
}
