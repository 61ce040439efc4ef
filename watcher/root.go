package watcher

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// startCheck has the root looked at when that is due.
func (w *owner) startCheck(now time.Time) {
	if w.checking || w.checkNext.After(now) {
		return
	}
	w.checking = true
	w.beside.Go(func() {
		deliver(w.ctx, w.checked, w.checkRoot())
	})
}

func (w *owner) checkRoot() (c check) {
	c.info, c.err = w.rootInfo(w.checker)
	if c.err == nil && w.claim != nil {
		c.err = w.checker.call("claim", w.Folder.root, w.claim.Hold)
		c.unclaimed = !w.claim.held
		if _, err := w.rootInfo(w.checker); err != nil { // it went away in between, and the lock may lie on the bare mount point
			c.err = err
			_ = w.checker.call("release", w.Folder.root, func() error { w.claim.Release(); return nil })
		}
	}
	if c.err == nil {
		c.err = w.checker.call("root", w.Folder.root, func() error { c.network = w.network(w.Folder.root); return nil })
	}
	return c
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
	if w.last != nil && !os.SameFile(w.last, c.info) {
		w.o.Log.Info("the folder is another one than before, watched anew", "path", w.Folder.root, "mount", w.identity.Mount())
	}
	w.root, w.last, w.rootErr = c.info, c.info, nil
	if c.unclaimed {
		w.o.Log.Debug("the folder can't be written to, so no lock keeps other agents from it", "path", w.Folder.root)
	}
	w.hearing, w.byClock = hearing{network: c.network}, false
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
	if w.root == nil && w.rootErr == nil && w.silent == nil {
		return // nothing is known yet
	}
	s := State{Health: OK, Mount: w.identity.Mount(), Unread: unreadOf(w.unread)}
	switch {
	case w.silent != nil:
		s.Health, s.Err = Offline, w.silent
	case errors.Is(w.rootErr, ErrClaimed):
		s.Health, s.Err = Claimed, w.rootErr
	case w.rootErr != nil:
		s.Health, s.Err = Offline, w.rootErr
	case w.eventsErr != nil:
		s.Health, s.Err, s.Advice = RescanOnly, w.eventsErr, adviceFor(w.eventsErr)
	case w.events != nil:
		s.Advice = w.hearing.advice(w.period())
	}
	if w.cloudFiles > 0 && s.Health == OK {
		s.Advice = strings.TrimPrefix(fmt.Sprintf("%s; files whose content is only in the cloud are not taken (%d): choose \"Always keep on this device\" for the folder",
			s.Advice, w.cloudFiles), "; ")
	}
	if w.told == nil || !s.same(*w.told) {
		w.told = &s
		w.o.State(s)
	}
}

// same reports whether s says nothing that t did not.
func (s State) same(t State) bool {
	return s.Health == t.Health && s.Advice == t.Advice && s.Mount == t.Mount && cause(s.Err) == cause(t.Err) && s.Unread.same(t.Unread)
}

// cause is the text of an error, without which call met it.
func cause(err error) string {
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return fmt.Sprint(err)
}
