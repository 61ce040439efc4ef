package watcher

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// startWalk has the root, or new subfolders and those that could not be read, walked when that is due.
func (w *owner) startWalk(now time.Time) {
	if w.root == nil || w.walking {
		return
	}
	w.tryUnread(now)
	whole := !w.walkNext.IsZero() && !w.walkNext.After(now)
	if !whole && len(w.fresh)+len(w.gone) == 0 {
		return
	}
	dirs, gone := slices.Collect(maps.Keys(w.fresh)), slices.Collect(maps.Keys(w.gone))
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
	walk := &walk{Folder: w.Folder, caller: w.walker, events: w.events, found: w.found}
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
	if end.full {
		w.cloudFiles = end.cloudFiles
	}
	w.walkedUnread(end)
	if end.full {
		w.rescanned()
	}
	if w.missed {
		w.walkSoon()
	}
}

// rescanned has the next rescan follow, and says so if files must be looked for more often.
func (w *owner) rescanned() {
	if w.byClock {
		w.hearing.rescanned()
		w.tell()
	}
	w.byClock, w.hearing.finds = false, 0
	if every := w.period(); every > 0 && w.walkNext.IsZero() {
		w.walkNext, w.byClock = w.walkEnd.Add(every), true
	}
}

// period is the time between two walks of the root; 0: none but those that events call for.
func (w *owner) period() time.Duration {
	switch {
	case w.o.Once:
		return 0
	case w.events == nil || w.hearing.missing() != "":
		return blindly(w.o.Rescan)
	}
	return w.o.Rescan
}

// blindly is how often a folder is looked through without events.
func blindly(rescan time.Duration) time.Duration {
	if rescan == 0 || rescan > blindRescan {
		return blindRescan
	}
	return rescan
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
		w.walkNext, w.byClock = at, false
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
		w.walkNext, w.byClock = time.Now(), false
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
