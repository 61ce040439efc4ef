package watcher

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/fsnotify/fsnotify"
)

// startCheck has the root looked at when that is due.
func (w *owner) startCheck(now time.Time) {
	if w.checking || w.checkNext.After(now) {
		return
	}
	w.checking = true
	w.beside.Go(func() {
		info, err := w.rootInfo()
		deliver(w.ctx, w.checked, check{info, err})
	})
}

func (w *owner) rootChecked(c check) {
	w.checking = false
	w.checkNext = time.Now().Add(w.rootInterval())
	switch {
	case c.err != nil:
		w.offline(c.err)
	case w.root == nil || !os.SameFile(w.root, c.info):
		w.online(c)
	}
}

func (w *owner) rootInterval() time.Duration {
	if w.o.Rescan > 0 {
		return min(w.o.Rescan, rootEvery)
	}
	return rootEvery
}

// online begins with a root that is new, back, or another one than before.
func (w *owner) online(c check) {
	w.root, w.rootErr = c.info, nil
	w.stopWalk()
	w.closeEvents()
	w.openEvents()
	w.walkNext = time.Now()
	w.tell()
}

// offline lets go of all that is not in hand: the walk when the root is back finds it again.
func (w *owner) offline(err error) {
	w.root, w.rootErr = nil, err
	w.stopWalk()
	w.closeEvents()
	w.candidates.clear()
	clear(w.fresh)
	w.checkNext = time.Now().Add(w.rootInterval())
	w.tell()
}

// tell reports the folder's state if it is another one than before.
func (w *owner) tell() {
	s := State{Health: OK}
	switch {
	case w.rootErr != nil:
		s = State{Health: Offline, Err: w.rootErr}
	case w.eventsErr != nil:
		s = State{Health: RescanOnly, Err: w.eventsErr, Advice: adviceFor(w.eventsErr)}
	}
	if w.told == nil || w.told.Health != s.Health {
		w.told = &s
		w.o.State(s)
	}
}

func (w *owner) openEvents() {
	if w.o.Events == nil || w.o.Once {
		return
	}
	var err error
	if w.events, err = w.o.Events(); err != nil {
		w.events = nil
		w.blind(err)
	}
}

// closeEvents does not wait for the source: a hanging share may hold it up.
func (w *owner) closeEvents() {
	if events := w.events; events != nil {
		w.events = nil
		w.beside.Go(func() { events.Close() })
	}
	clear(w.gone)
}

// blind goes on without events for a while.
func (w *owner) blind(err error) {
	w.closeEvents()
	w.eventsErr = err
	w.eventsNext = time.Now().Add(eventsAgain)
	w.tell()
}

// lostEvents makes up for events that did not come.
func (w *owner) lostEvents(err error) {
	if err == nil {
		return
	}
	if !errors.Is(err, fsnotify.ErrEventOverflow) {
		w.troubles.warn(w.o.Log, "events of the folder were lost, it is looked at as a whole", "err", err)
	}
	w.walkSoon()
}

// startWalk has the root, or new subfolders, walked when that is due.
func (w *owner) startWalk(now time.Time) {
	whole := !w.walkNext.IsZero() && !w.walkNext.After(now)
	if w.root == nil || w.walking || !whole && len(w.fresh)+len(w.gone) == 0 {
		return
	}
	var dirs, gone []string
	for dir := range w.gone {
		gone = append(gone, dir)
	}
	for dir := range w.fresh {
		dirs = append(dirs, dir)
	}
	if whole {
		if w.eventsErr != nil && w.events == nil && !w.eventsNext.After(now) {
			w.openEvents()
		}
		dirs, w.walkNext = []string{"."}, time.Time{}
	}
	clear(w.gone)
	clear(w.fresh)
	w.walking, w.missed = true, false
	ctx, cancel := context.WithCancel(w.ctx)
	w.stopWalk = cancel
	walk := &walk{Folder: w.Folder, events: w.events, found: w.found}
	w.beside.Go(func() {
		defer cancel()
		deliver(w.ctx, w.walked, walk.run(ctx, gone, dirs))
	})
}

// walkEnded has the next walk follow in time. Of a walk that was stopped nothing counts.
func (w *owner) walkEnded(end walked) {
	w.walking = false
	if errors.Is(end.err, context.Canceled) {
		return
	}
	if end.err != nil {
		w.offline(end.err)
		return
	}
	w.walkEnd = time.Now()
	switch {
	case end.events != w.events || end.events == nil:
	case end.unwatched != nil:
		w.blind(end.unwatched)
	case end.full:
		w.eventsErr = nil
		w.tell()
	}
	w.complete = w.complete || end.full
	if every := w.period(); every > 0 && end.full && w.walkNext.IsZero() {
		w.walkNext = w.walkEnd.Add(every)
	}
	if w.missed {
		w.walkSoon()
	}
}

// period is the time between two walks of the root; 0: none but those that events call for.
func (w *owner) period() time.Duration {
	switch {
	case w.o.Once:
		return 0
	case w.events == nil && (w.o.Rescan == 0 || w.o.Rescan > blindRescan):
		return blindRescan
	}
	return w.o.Rescan
}

// walkSoon has the root walked, but not without a pause after the last walk.
func (w *owner) walkSoon() {
	if w.walking {
		w.missed = true
		return
	}
	at := time.Now()
	if w.walkEnd.Add(walkPause).After(at) {
		at = w.walkEnd.Add(walkPause)
	}
	if w.walkNext.IsZero() || at.Before(w.walkNext) {
		w.walkNext = at
	}
}

// walkNow has the root looked for or walked at once, or soon after the walk that is under way.
func (w *owner) walkNow() {
	switch {
	case w.root == nil:
		w.checkNext = time.Now()
	case w.walking:
		w.missed = true
	default:
		w.walkNext = time.Now()
	}
}

// walkFolder has a new subfolder walked.
func (w *owner) walkFolder(rel string) {
	w.fresh[rel] = true
	if len(w.fresh) > maxFolders {
		clear(w.fresh)
		w.walkSoon()
	}
}

// forgetFolder has a subfolder that was renamed or removed no longer watched under its old path.
func (w *owner) forgetFolder(dir string) {
	if w.gone[dir] = true; len(w.gone) > maxFolders {
		w.online(check{info: w.root}) // with events that begin anew
	}
}
