package watcher

import (
	"errors"
	"runtime"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// openEvents has the folder watched from the next walk on.
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
	if !errors.Is(err, fsnotify.ErrEventOverflow) {
		w.troubles.warn(w.o.Log, "events of the folder were lost, it is looked at as a whole", "err", err)
	}
	w.walkSoon()
}

// forgetFolder has a subfolder that was renamed or removed no longer watched under its old path.
func (w *owner) forgetFolder(dir string) {
	if w.gone[dir] = true; len(w.gone) > maxFolders {
		w.online(check{info: w.root, network: w.hearing.network}) // with events that begin anew
	}
}

// adviceFor says how to get events back after err.
func adviceFor(err error) string {
	if runtime.GOOS != "linux" {
		return ""
	}
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return "raise the number of folders that may be watched: sysctl fs.inotify.max_user_watches=524288, and the same in a file in /etc/sysctl.d"
	case errors.Is(err, syscall.EMFILE):
		return "raise the number of watchers: sysctl fs.inotify.max_user_instances=512, and the same in a file in /etc/sysctl.d"
	}
	return ""
}

// atLimit reports that no more folders can be watched.
func atLimit(err error) bool {
	for _, limit := range []error{syscall.ENOSPC, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM} {
		if errors.Is(err, limit) {
			return true
		}
	}
	return false
}
