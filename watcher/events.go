package watcher

// Events is a source of file events. All methods may be called at once from several goroutines.
type Events interface {
	Add(dir string) error // again for a watched dir: nothing
	Remove(dir string)    // with all watched dirs in it; no error for one that is not watched
	Events() <-chan Event
	Errors() <-chan error // fsnotify.ErrEventOverflow, or another one after which events may be missing
	Close() error
}

// An Event says that something may have happened to a path.
type Event struct {
	Path string // the OS's path, beginning with the dir given to Add
	Op   Op
}

// Op is what happened: Changed, Created or Gone.
type Op int

const (
	Changed Op = iota
	Created
	Gone // removed or renamed to another name
)

// OSEvents are the operating system's: inotify or ReadDirectoryChangesW; none (nil, nil) on macOS, where a watch would hold
// every file open.
func OSEvents() (Events, error) { return nil, nil }
