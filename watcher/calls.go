package watcher

import (
	"errors"
	"sync/atomic"
	"time"
)

const (
	patience   = 30 * time.Second // how long a call may take until the folder is said to be offline
	leaveAfter = 5 * time.Second  // how long Run waits for its goroutines when it is to end
)

var errSilent = errors.New("the folder does not answer: a call to its file system has been waiting for half a minute")

// A caller makes the calls to the file system for one goroutine. On a share that hangs a call may take for ever, and nothing
// can end it; but its owner can see that it does.
type caller struct {
	fault func(op, path string) error // of a test: may hold up a call, or fail it
	calls atomic.Uint64               // begun and ended: odd while one is under way

	seen  uint64    // calls, when the owner looked last
	since time.Time // when the owner first saw that
}

func (c *caller) call(op, path string, do func() error) error {
	c.calls.Add(1)
	defer c.calls.Add(1)
	if c.fault != nil {
		if err := c.fault(op, path); err != nil {
			return err
		}
	}
	return do()
}

// stuck is for how long the owner has seen the same call under way.
func (c *caller) stuck(now time.Time) time.Duration {
	if n := c.calls.Load(); n != c.seen || n%2 == 0 {
		c.seen, c.since = n, now
	}
	return now.Sub(c.since)
}

// ErrNoAnswer is why Within did not come to an end.
var ErrNoAnswer = errors.New("its file system does not answer")

// Within does something to a file system that may hang for ever. When it has given no sign of life for d, it is left behind, to end when
// it is answered, and may touch nothing that the caller still looks at: that gets ErrNoAnswer.
func Within(d time.Duration, do func(alive func()) error) error {
	silence := time.NewTimer(d)
	defer silence.Stop()
	answer := make(chan error, 1)
	go func() { answer <- do(func() { silence.Reset(d) }) }()
	select {
	case err := <-answer:
		return err
	case <-silence.C:
		return ErrNoAnswer
	}
}

// listen finds out whether the file system answers the check of the root, the walk and one taker at least. While it does not,
// the folder is said to be offline, but everything stays as it is: no goroutine is started in place of one that waits.
func (w *owner) listen(now time.Time) {
	takers := patience
	for _, c := range w.takers {
		takers = min(takers, c.stuck(now))
	}
	stuck := max(takers, w.checker.stuck(now), w.walker.stuck(now))
	switch silent := stuck >= patience; {
	case silent && w.silent == nil:
		w.silent = errSilent
		w.tell()
	case !silent && w.silent != nil:
		w.silent = nil
		w.walkSoon()
		w.tell()
	}
}

// end waits for all goroutines, but not for ever: those that a file system does not answer, one each for the check and the walk and
// the takers at most, are left behind. They call nobody any more, and end when they are answered.
func (w *owner) end() {
	ended := make(chan struct{})
	go func() {
		w.beside.Wait()
		if w.claim != nil {
			w.claim.Release()
		}
		close(ended)
	}()
	timeout := time.NewTimer(leaveAfter)
	defer timeout.Stop()
	select {
	case <-ended:
	case <-timeout.C:
		w.o.Log.Warn("the folder does not answer, calls to its file system are left behind", "path", w.Folder.root)
	}
}
