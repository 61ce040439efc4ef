// Package watcher says which files of a folder are ready: complete, no longer changing and not seen before. Events are
// hints, the scan is the truth.
//
// Read watcher.go (the door), folder.go (the goroutine that owns a folder's state) with root.go, rescan.go, unread.go and watch.go, then
// look.go (is this file ready?), walk.go (which files are there?), names.go (what is ignored), picture.go (is it whole?). What
// shares do is in mount.go (is it away?), calls.go (does it hang?), share.go (does it tell of changes?) and claim.go (is another
// agent on it?).
package watcher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"
)

// A File is ready to be taken.
type File struct {
	Path    string // relative to Root, with slashes, otherwise exactly the bytes of the OS: perhaps no valid UTF-8
	Size    int64
	ModTime time.Time

	// Whole is false for a file that for long (a minute, or 30 × Settle if that is more) stayed empty, cut short
	// or unreadable. It is to be taken to be failed with the reason.
	Whole bool

	// Late is true for a file that Take has found to be Unreadable for long (ten minutes; with Once half a minute). If it still is, it is to be
	// taken to be failed with the reason.
	Late bool

	Picture Picture // what its bytes say; zero if it could not be read
}

// Options say what a Folder watches and whom it tells. Only Root and Take are needed.
type Options struct {
	Root      string
	Recursive bool

	// Include and Exclude are doublestar patterns, case-insensitive, with slashes. One without a slash is matched with
	// the base name at any depth. No Include means all. An Exclude that matches a folder excludes all in it.
	Include, Exclude []string

	// Mount is the last State.Mount, perhaps of an earlier process: with it a folder whose share is not mounted at the start is
	// offline, not empty. "": nothing is known.
	Mount string

	// Owner names the agent, by its data folder, in the lock file that keeps other agents from the folder: see Claim. "": none.
	Owner string

	Settle time.Duration // a file must stay unchanged for this long
	Rescan time.Duration // between full looks at the folder; 0: only at the start and when events call for one
	Once   bool          // look once, see to it that all that is there settles and is taken, then end
	Takers int           // goroutines that look at files and call Take; 0: 4

	// Unknown tells for which of these files, of which only Path, Size and ModTime are set, there is something to do; nil: for all. It is
	// asked about every file of every rescan, so it must be cheap, and from several goroutines.
	Unknown func(files []File) []File

	// Take takes a file over. After nil the Folder forgets it, and Unknown leaves it out; after an error (ErrChanged or
	// any other) the file settles again, each time for longer. It is never called for one path twice at once. It may
	// block, and is to end soon after ctx.
	Take func(ctx context.Context, f File) error

	// State is called when the folder's state changed, first when it was first looked at. It must not block; calls never overlap.
	State func(State)

	Log *slog.Logger

	// Events gives a new source of events: OSEvents, or a test's own. With nil, or where it gives none (nil, nil), the
	// folder is rescanned every ten seconds, or more often if Rescan says so. So is one on a network share.
	Events func() (Events, error)
}

// ErrChanged is what Take returns for a file that changed while it was read.
var ErrChanged = errors.New("the file changed while it was read")

// A State is the health of a folder.
type State struct {
	Health Health
	Err    error  // why; nil for OK
	Advice string // for a person, perhaps "", and perhaps with OK: then it says how files are found on a network share, or that some are in the cloud
	Mount  string // the mount point that the root lies below, as Root.Mount: to be kept for Options.Mount
	Unread Unread // subfolders that can't be read, whatever the Health: the rest goes on
}

// Health is OK, Offline, RescanOnly or Claimed.
type Health int

const (
	OK         Health = iota
	Offline           // missing, unmounted, unreadable or not answering: looked for every few seconds, nothing in it is taken for deleted
	RescanOnly        // works, but without events (watch limit reached), so files are found later
	Claimed           // another agent works on it (ErrClaimed): nothing is taken until that one ended
)

func (h Health) String() string { return [...]string{"ok", "offline", "rescan only", "claimed"}[h] }

// A Folder is one watched folder.
type Folder struct {
	o                Options
	root             string // as Root, cleaned
	identity         *Root
	claim            *Claim // nil: none is made
	include, exclude patterns
	look             chan struct{}             // rung by Look
	turned           atomic.Pointer[time.Time] // see Turned
	troubles         troubles

	// Of tests: what else is asked of the system.
	fault   func(op, path string) error // see caller
	network func(dir string) string
	wall    func() time.Time
	inCloud func(fs.DirEntry) bool
}

// New checks the patterns of o. It starts nothing.
func New(o Options) (*Folder, error) {
	include, err := compile(o.Include)
	if err != nil {
		return nil, fmt.Errorf("include: %w", err)
	}
	exclude, err := compile(o.Exclude)
	if err != nil {
		return nil, fmt.Errorf("exclude: %w", err)
	}
	o.Takers = cmp.Or(o.Takers, 4)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.Unknown == nil {
		o.Unknown = func(files []File) []File { return files }
	}
	if o.State == nil {
		o.State = func(State) {}
	}
	f := &Folder{o: o, root: filepath.Clean(o.Root), include: include, exclude: exclude, look: make(chan struct{}, 1),
		network: Network, wall: time.Now, inCloud: isInCloud}
	f.identity = NewRoot(f.root, o.Mount)
	if o.Owner != "" {
		f.claim = NewClaim(f.root, o.Owner)
	}
	return f, nil
}

// Turned is when the goroutine that holds the folder's state last took a turn, which is every few seconds, also while the share hangs; zero
// while none runs. It may be called at any time from anywhere.
func (f *Folder) Turned() time.Time {
	if t := f.turned.Load(); t != nil {
		return *t
	}
	return time.Time{}
}

// Look asks for a full look at the folder now. It never blocks, and may be called at any time from anywhere.
func (f *Folder) Look() {
	select {
	case f.look <- struct{}{}:
	default:
	}
}
