package agent_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"hotfolder/store"
)

// TestCrashEverywhere lets the agent die before the n-th thing that it does to the ledger, the API or a disk, for every n, starts it
// again on what is left, and holds the promises against the folders and the books.
func TestCrashEverywhere(t *testing.T) {
	for name, c := range map[string]crash{
		"killed":                       {},
		"killed, originals move":       {scene: scene{folder: moveOriginals}},
		"killed, to another disk":      {scene: scene{folder: moveOriginals, disk: otherDisk}},
		"killed, on a share":           {scene: scene{folder: moveOriginals, disk: linkDisk}},
		"power cut, originals move":    {scene: scene{folder: moveOriginals}, power: true},
		"power cut, originals deleted": {scene: scene{folder: deleteOriginals}, power: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everyNth(t, func(n int) (more bool) {
				in(t, studio{folder: c.folder, idle: true}, func(w *world) { more = c.dieBefore(w, n) })
				return more
			})
		})
	}
}

// TestCrashesWhileAResultIsReplaced lets the agent die while the result of a re-shoot takes the place of the older one.
func TestCrashesWhileAResultIsReplaced(t *testing.T) {
	for name, c := range map[string]crash{
		"killed":         {},
		"power cut":      {power: true},
		"whole orders":   {scene: scene{folder: "deliver: order"}},
		"after an order": {scene: scene{folder: "deliver: order"}, power: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everyNth(t, func(n int) (more bool) {
				in(t, studio{folder: c.folder}, func(w *world) {
					w.drop("a.jpg", picture(1))
					w.settle(1, store.Delivered)
					time.Sleep(time.Minute)
					older := w.outputs()["a.png"]
					w.halt()
					w.drop("a.jpg", picture(2))
					var last string
					more, last = w.dieBefore(n, c.disk, c.power, func() bool { return w.counts()[store.Delivered] == 2 })
					w.wantPaid(2)
					got := w.outputs()
					for name := range got {
						if strings.HasPrefix(name, "_COMPLETE") {
							delete(got, name)
						}
					}
					if len(got) != 1 || got["a.png"] == "" || got["a.png"] == older {
						w.Errorf("the output has %v, and a.png is the older result: %v", keys(got), got["a.png"] == older)
					}
					if job := w.job("a.jpg"); job.Output != "a.png" {
						w.Errorf("the newer result is said to be %q", job.Output)
					}
					if w.Failed() {
						w.Logf("the agent died before thing %d: %s", n, last)
					}
				})
				return more
			})
		})
	}
}

// everyNth calls do with 1, 2, … until there is no more.
func everyNth(t *testing.T, do func(n int) (more bool)) {
	step := 1
	if testing.Short() {
		step = 7
	}
	for n := 1; do(n) && !t.Failed(); n += step {
	}
}

// crash is a way to die.
type crash struct {
	scene
	power bool // what was not made durable is lost, too
}

// dieBefore lets the agent die before the n-th thing that it does, and finish after that. It is false when there was no n-th.
func (c crash) dieBefore(w *world, n int) (more bool) {
	c.drop(w)
	more, last := w.dieBefore(n, c.disk, c.power, func() bool { return c.isDone(w) })
	c.wantPromises(w)
	if c.folder == moveOriginals {
		c.wantTakenBack(w)
		c.wantPromises(w)
	}
	if w.Failed() {
		w.Logf("the agent died before thing %d: %s", n, last)
	}
	return more
}

// dieBefore runs the agent until it dies before the n-th thing that it does, or is done, and then once more until it is done.
func (w *world) dieBefore(n int, kind diskKind, power bool, isDone func() bool) (more bool, last string) {
	ctx, kill := context.WithCancel(w.Context())
	defer kill()
	f := &fuse{left: n - 1, kill: kill}
	under := &volatileDisk{}
	w.watch(f.burn, kind, under)
	w.transport = mortalAPI{f, w.sandbox.InProcess()}
	a, closeAll := w.open(false)
	w.agent = a
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	for deadline := time.Now().Add(10 * time.Minute); !f.isOut() && !isDone() && time.Now().Before(deadline); {
		time.Sleep(time.Second)
	}
	more = f.isOut()
	kill()
	<-ended
	closeAll()
	if more && power {
		under.powerCut(w.T)
	}

	f.replace()
	w.start()
	w.until("all is done", time.Hour, isDone)
	time.Sleep(time.Minute) // nothing more happens
	return more, f.last
}

// fuse burns shorter with everything that the agent does and that outlasts it. Once it is out the agent is dead: nothing that it
// still does has any effect.
type fuse struct {
	kill func()

	mu   sync.Mutex
	left int
	at   *regexp.Regexp // it is out before this, too; nil: before nothing
	out  bool
	last string // what the agent did not come to
}

var (
	errDies = errors.New("the agent dies")
	errDead = errors.New("the agent is dead")
)

// burn is called before the agent does something; its error says that this does not happen.
func (f *fuse) burn(op, what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at != nil && f.at.MatchString(op+" "+what) {
		f.left = 0
	}
	if f.left--; f.left >= 0 {
		return nil
	}
	if f.out {
		return errDead
	}
	f.out, f.last = true, op+" "+what
	f.kill()
	return errDies
}

// replace puts in a fuse that never burns down.
func (f *fuse) replace() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left, f.out = math.MaxInt, false
}

func (f *fuse) isOut() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.out
}

// mortalAPI lets the agent die before a request is sent, and after it was handled, before the answer is seen.
type mortalAPI struct {
	fuse *fuse
	next http.RoundTripper
}

func (m mortalAPI) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := m.fuse.burn(req.Method, req.URL.Path); err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	resp, err := m.next.RoundTrip(req)
	if dead := m.fuse.burn("the answer to "+req.Method, req.URL.Path); dead != nil {
		if err == nil {
			resp.Body.Close()
		}
		return nil, dead
	}
	return resp, err
}
