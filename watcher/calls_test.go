package watcher_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/watcher"
)

// A hang holds up calls of one kind while it is on.
type hang struct {
	on     atomic.Bool
	calls  atomic.Int64 // that were held up
	answer chan struct{}
}

// hangAt gives a studio a hang of the calls op of paths that end in suffix.
func hangAt(s *studio, op, suffix string) *hang {
	h := &hang{answer: make(chan struct{})}
	s.fault = func(o, path string) error {
		if h.on.Load() && o == op && strings.HasSuffix(path, suffix) {
			h.calls.Add(1)
			<-h.answer
		}
		return nil
	}
	return h
}

func (h *hang) end() {
	h.on.Store(false)
	close(h.answer)
}

// Whatever call hangs, the folder says that it is offline, starts no goroutine in place of one that waits, and goes on when
// it is answered.
func TestHangingShare(t *testing.T) {
	for _, test := range []struct{ op, suffix string }{
		{"root", ""}, {"open", ""}, {"read", ""}, {"stat", "a.jpg"}, {"watch", ""},
	} {
		t.Run(test.op, func(t *testing.T) {
			var h *hang
			inStudio(t, func(s *studio) {
				withEvents(s)
				s.o.Rescan = 20 * time.Second
				h = hangAt(s, test.op, test.suffix)
			}, func(s *studio) {
				s.pass(time.Minute)
				s.wantState(1, watcher.OK)
				h.on.Store(true)
				s.write("a.jpg", jpegOf(t, 8, 8))
				s.event("a.jpg", watcher.Created)
				s.pass(70 * time.Second) // the next rescan or check, half a minute of patience, and the steps of both
				if st := s.wantState(2, watcher.Offline); !strings.Contains(st.Err.Error(), "does not answer") {
					t.Errorf("%+v", st)
				}
				running := runtime.NumGoroutine()
				for range 100 {
					s.folder.Look()
					s.event("a.jpg", watcher.Changed)
					s.pass(time.Minute)
				}
				if n := runtime.NumGoroutine(); n > running+10 { // the test's own come and go
					t.Errorf("%d goroutines, %d before", n, running)
				}
				if since := time.Since(s.folder.Turned()); since > time.Minute {
					t.Errorf("no turn for %v", since)
				}
				if n := h.calls.Load(); n > 3 {
					t.Errorf("%d calls hang", n)
				}
				h.end()
				s.pass(25*time.Second + settle)
				s.wantState(3, watcher.OK)
				s.want("a.jpg")
			})
		})
	}
}

// A share that hangs from the start is said to be offline too.
func TestHangingAtStart(t *testing.T) {
	var h *hang
	inStudio(t, func(s *studio) {
		h = hangAt(s, "root", "")
		h.on.Store(true)
		s.write("a.jpg", jpegOf(t, 8, 8))
	}, func(s *studio) {
		s.pass(40 * time.Second)
		s.wantState(1, watcher.Offline)
		h.end()
		s.pass(settle)
		s.wantState(2, watcher.OK)
		s.want("a.jpg")
	})
}

// One file that is not answered for holds up nothing else.
func TestHangingFile(t *testing.T) {
	var h *hang
	inStudio(t, func(s *studio) {
		h = hangAt(s, "read", "bad.jpg")
		h.on.Store(true)
		s.write("bad.jpg", jpegOf(t, 8, 8))
		s.write("good.jpg", jpegOf(t, 8, 8))
	}, func(s *studio) {
		s.pass(10 * time.Minute)
		s.wantState(1, watcher.OK)
		s.want("good.jpg")
		h.end()
		s.pass(time.Second)
		s.want("bad.jpg", "good.jpg")
	})
}

// Run ends although calls hang, says so once, and nobody is called after it.
func TestStopHanging(t *testing.T) {
	for _, test := range []struct{ op, suffix string }{{"root", ""}, {"open", ""}, {"read", ""}, {"stat", ".jpg"}, {"watch", ""}} {
		t.Run(test.op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStudio(t)
				withEvents(s)
				h := hangAt(s, test.op, test.suffix)
				h.on.Store(true)
				s.o.Unknown = func([]watcher.File) []watcher.File { t.Error("Unknown is asked"); return nil }
				for n := range 10 {
					s.write(fmt.Sprint(n, ".jpg"), jpegOf(t, 8, 8))
				}
				s.open()
				s.pass(time.Second)
				stopped := time.Now()
				s.close()
				if took := time.Since(stopped); took > 5*time.Second {
					t.Errorf("ended after %v", took)
				}
				if log := s.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "left behind") {
					t.Errorf("log: %s", log)
				}
				h.end()
				synctest.Wait() // what was left behind ends, or the bubble would never
				s.want()
			})
		})
	}
}

// A look that was to be the only one ends with an error.
func TestHangingOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t)
		s.o.Once = true
		h := hangAt(s, "open", "")
		h.on.Store(true)
		s.open()
		if err := <-s.ended; err == nil || !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("error %v", err)
		}
		h.end()
	})
}

// A slow share is only slow.
func TestSlowShare(t *testing.T) {
	inStudio(t, func(s *studio) {
		s.fault = func(string, string) error { time.Sleep(3 * time.Second); return nil }
		for n := range 20 {
			s.write(fmt.Sprint(n%3, "/", n, ".jpg"), jpegOf(t, 8, 8))
		}
	}, func(s *studio) {
		s.pass(10 * time.Minute)
		s.wantState(1, watcher.OK)
		if n := len(s.names()); n != 20 {
			t.Errorf("%d files taken", n)
		}
	})
}

// Errors that come and go neither lose a file nor end a thing.
func TestFailingShare(t *testing.T) {
	for _, op := range []string{"root", "open", "read", "stat", "watch"} {
		t.Run(op, func(t *testing.T) {
			var failing atomic.Bool
			inStudio(t, func(s *studio) {
				withEvents(s)
				s.o.Rescan = 20 * time.Second
				s.fault = func(o, _ string) error {
					if o == op && failing.Load() {
						return syscall.EIO
					}
					return nil
				}
			}, func(s *studio) {
				s.pass(time.Minute)
				failing.Store(true)
				s.write("sub/a.jpg", jpegOf(t, 8, 8))
				s.pass(10 * time.Minute)
				s.mu.Lock()
				last := s.states[len(s.states)-1]
				s.mu.Unlock()
				if op == "root" && (last.Health != watcher.Offline || !errors.Is(last.Err, syscall.EIO)) {
					t.Errorf("%+v", last)
				}
				failing.Store(false)
				s.pass(2 * time.Minute)
				s.want("sub/a.jpg")
			})
		})
	}
}

// A look that hangs when Run ends is not finished when it is answered.
func TestStopHangingTaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t)
		h := hangAt(s, "stat", "a.jpg")
		var ended atomic.Bool
		s.o.Unknown = func(files []watcher.File) []watcher.File {
			if ended.Load() {
				t.Error("Unknown is asked")
			}
			return files
		}
		s.write("a.jpg", jpegOf(t, 8, 8))
		s.open()
		s.pass(settle / 2)
		h.on.Store(true)
		s.pass(settle)
		s.close()
		ended.Store(true)
		h.end()
		synctest.Wait()
		s.want()
	})
}

func TestWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := errors.New("failed")
		began := time.Now()
		if err := watcher.Within(time.Minute, func(alive func()) error {
			for range 3 {
				time.Sleep(50 * time.Second)
				alive()
			}
			return failed
		}); err != failed || time.Since(began) != 150*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		began = time.Now()
		if err := watcher.Within(time.Minute, func(alive func()) error {
			alive()
			time.Sleep(time.Hour)
			alive() // whom nobody hears any more
			return nil
		}); err != watcher.ErrNoAnswer || time.Since(began) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		time.Sleep(time.Hour) // until it ends
	})
}
