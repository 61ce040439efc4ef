package watcher

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"
)

const (
	maxCandidates = 10_000           // that settle at once: then walks wait for room, and a walk makes up for events
	maxFolders    = 1_000            // new subfolders that wait for their walk: then the root is walked
	rootEvery     = 5 * time.Second  // how often the root is looked for, unless Rescan is less
	blindRescan   = 10 * time.Second // the longest time between rescans without events
	eventsAgain   = 10 * time.Minute // when events are tried again after they failed
	walkPause     = time.Second      // before a walk because events went missing
	shortest      = 100 * time.Millisecond
	maxBackoff    = time.Minute
)

// An owner is the one goroutine that holds a folder's state. It waits for nothing but its channels: walks, checks of the root
// and looks at files run beside it, so that a slow share does not hold up the rest.
type owner struct {
	*Folder
	ctx    context.Context // until Run is to end
	beside sync.WaitGroup  // all other goroutines

	candidates candidates
	takers     []*caller
	toLook     chan sighting
	looked     chan outcome

	root      fs.FileInfo // nil: it is not there
	last      fs.FileInfo // what it was when it was there last
	rootErr   error       // why
	checker   *caller
	checking  bool
	checkNext time.Time
	checked   chan check

	walker   *caller
	walking  bool
	stopWalk context.CancelFunc
	walkNext time.Time // of the root; zero: none
	walkEnd  time.Time
	missed   bool            // something was missed since the walk began
	fresh    map[string]bool // subfolders to be walked
	gone     map[string]bool // subfolders no longer to be watched, by the OS's path
	complete bool            // the root was walked to its end
	found    chan sighting
	walked   chan walked

	unread     map[string]error // subfolders that could not be read, and why
	unreadNext time.Time        // when they are tried again; zero: with the walk under way, or there are none
	cloudFiles int              // that the last walk of the root passed over, since their content is in the cloud

	events     Events // nil: none
	eventsErr  error  // why the folder is not wholly watched
	eventsNext time.Time
	hearing    hearing
	byClock    bool // the walk under way, or the next one, is a rescan

	clock clock

	silent error // why the folder seems offline, though it may be there; nil: it answers
	told   *State
}

// check is what a look at the root showed.
type check struct {
	info      fs.FileInfo
	network   string
	unclaimed bool // it can't be written to
	err       error
}

// Run watches until ctx ends, then returns nil after its last goroutine, and its last Take, ended. Those that hang for five
// seconds more are left behind: a call to the file system of a share that is gone can't be ended. With Once it returns nil
// when all is taken, or why the folder can't be looked at. Run may be called once at a time.
func (f *Folder) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	w := &owner{
		Folder:     f,
		ctx:        ctx,
		candidates: candidates{byPath: make(map[string]*candidate)},
		clock:      clock{wall: f.wall},
		checker:    &caller{fault: f.fault},
		walker:     &caller{fault: f.fault},
		toLook:     make(chan sighting),
		looked:     make(chan outcome),
		checked:    make(chan check),
		stopWalk:   func() {},
		fresh:      make(map[string]bool),
		gone:       make(map[string]bool),
		unread:     make(map[string]error),
		found:      make(chan sighting),
		walked:     make(chan walked),
	}
	defer w.end()
	defer w.closeEvents()
	defer cancel()
	for range f.o.Takers {
		c := &caller{fault: f.fault}
		w.takers = append(w.takers, c)
		w.beside.Go(func() { w.taker(c) })
	}
	return w.loop()
}

// taker looks at files, and has those that are ready taken.
func (w *owner) taker(c *caller) {
	for {
		select {
		case s := <-w.toLook:
			deliver(w.ctx, w.looked, w.lookAt(w.ctx, c, s))
		case <-w.ctx.Done():
			return
		}
	}
}

// deliver sends v unless ctx ends before it is received.
func deliver[T any](ctx context.Context, c chan<- T, v T) {
	select {
	case c <- v:
	case <-ctx.Done():
	}
}

func (w *owner) loop() error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer w.turned.Store(nil)
	for {
		now := time.Now()
		w.turned.Store(&now)
		if w.clock.jumped(now) { // who knows what happened meanwhile
			w.checkNext = now
			w.walkNow()
		}
		w.startCheck(now)
		w.startWalk(now)
		if end, err := w.ended(); end {
			return err
		}
		timer.Reset(w.next(now).Sub(now))
		toLook, first := w.due(now)
		events, errs := w.sources()
		select {
		case <-w.ctx.Done():
			return nil
		case toLook <- first:
			w.candidates.hand()
		case o := <-w.looked:
			w.judge(o)
		case s := <-w.room():
			w.sighted(s)
		case ev := <-events:
			w.happened(ev)
		case err := <-errs:
			w.lostEvents(err)
		case c := <-w.checked:
			w.rootChecked(c)
		case end := <-w.walked:
			w.walkEnded(end)
		case <-w.look:
			w.walkNow()
		case <-timer.C:
		}
		w.listen(time.Now())
	}
}

// ended reports whether a Folder that looks once has done so, or can't.
func (w *owner) ended() (end bool, err error) {
	if !w.o.Once {
		return false, nil
	}
	err = cmp.Or(w.rootErr, w.silent)
	idle := w.complete && !w.walking && w.walkNext.IsZero() && len(w.fresh) == 0 && len(w.candidates.byPath) == 0
	return err != nil || idle, err
}

// next is when something is due by the clock: at the latest when the root is, even if the last check of it hangs.
func (w *owner) next(now time.Time) time.Time {
	next := now.Add(w.rootInterval())
	earlier := func(t time.Time) {
		if t.After(now) && t.Before(next) {
			next = t
		}
	}
	earlier(w.checkNext)
	earlier(w.walkNext)
	earlier(w.unreadNext)
	if c := w.candidates.first(); c != nil {
		earlier(c.due)
	}
	return next
}

// due is the file to be looked at now; the channel is nil if there is none.
func (w *owner) due(now time.Time) (chan<- sighting, sighting) {
	c := w.candidates.first()
	if c == nil || c.due.After(now) {
		return nil, sighting{}
	}
	return w.toLook, c.sighting
}

// room is where the walk sends what it found; nil while there is no room for more.
func (w *owner) room() <-chan sighting {
	if len(w.candidates.byPath) >= maxCandidates {
		return nil
	}
	return w.found
}

func (w *owner) sources() (<-chan Event, <-chan error) {
	if w.events == nil {
		return nil, nil
	}
	return w.events.Events(), w.events.Errors()
}

// sighted makes a candidate of a file that a walk found.
func (w *owner) sighted(s sighting) {
	switch c := w.candidates.byPath[s.path]; {
	case w.root == nil: // found before the root was lost
	case c == nil:
		w.hearing.finds++
		w.candidates.schedule(w.candidates.add(s), s.at.Add(w.o.Settle))
	case c.place == inHand:
		c.again = true
	}
}

// happened has the path of an event looked at.
func (w *owner) happened(ev Event) {
	rel, ok := w.rel(ev.Path)
	switch {
	case !ok:
	case rel == ".":
		if ev.Op >= Gone {
			w.checkNext = time.Now()
		}
	case ev.Op == GoneFolder:
		w.forgetFolder(ev.Path)
	case ev.Op == Created && w.wants(rel), w.wantsFile(rel):
		w.hearing.heard = true
		w.hint(rel, ev.Op)
	}
}

// hint brings the next look at a path forward.
func (w *owner) hint(rel string, op Op) {
	c := w.candidates.byPath[rel]
	switch {
	case c == nil && op == Gone:
		return
	case c == nil && len(w.candidates.byPath) >= maxCandidates:
		w.walkSoon()
		return
	case c == nil:
		c = w.candidates.add(sighting{path: rel})
		c.created = op == Created
		w.candidates.schedule(c, time.Now())
		return
	}
	c.created = c.created || op == Created
	if c.place == inHand {
		c.again = true
		return
	}
	w.hurry(c)
}

// hurry has a candidate looked at soon, though a file that is written without end is not looked at all the time.
func (w *owner) hurry(c *candidate) {
	soon := c.looked.Add(max(w.o.Settle/4, shortest))
	if now := time.Now(); soon.Before(now) {
		soon = now
	}
	if soon.Before(c.due) {
		w.candidates.schedule(c, soon)
	}
}

// judge draws the consequences of a look.
func (w *owner) judge(o outcome) {
	c := w.candidates.byPath[o.path]
	again := c.again
	c.sighting, c.looked, c.again = o.sighting, time.Now(), false
	switch {
	case o.verdict == rootLost:
		w.offline(o.err)
		w.candidates.forget(c)
	case w.root == nil: // the walk when it is back finds what there is
		w.candidates.forget(c)
	case o.verdict == subfolder:
		w.candidates.forget(c)
		if c.created {
			w.walkFolder(c.path)
		}
	case o.verdict == done && !again:
		w.candidates.forget(c)
	default:
		w.candidates.schedule(c, w.nextLook(c, o))
		if again {
			w.hurry(c)
		}
	}
}

// nextLook is when a file that is not done is looked at again.
func (w *owner) nextLook(c *candidate, o outcome) time.Time {
	longest := maxBackoff
	switch o.verdict {
	case moving, settling:
		c.backoff = 0
		return c.at.Add(w.o.Settle)
	case done: // but something happened to it meanwhile
		return c.looked
	case unready:
		longest = w.cutShortAfter() / 6
	case refused:
		if !errors.Is(o.err, ErrChanged) && w.ctx.Err() == nil {
			w.troubles.warn(w.o.Log, "file could not be taken, will be tried again", "file", o.path, "err", o.err)
		}
	}
	c.backoff = max(min(2*c.backoff, longest), w.o.Settle, shortest)
	return c.looked.Add(c.backoff)
}
