package watcher_test

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hotfolder/watcher"
)

// locks are folders of a studio that may not be read. The tests may be root, whom no mode keeps out.
type locks struct {
	mu   sync.Mutex
	dirs map[string]bool
}

func lockIn(s *studio, dirs ...string) *locks {
	l := &locks{dirs: map[string]bool{}}
	for _, dir := range dirs {
		l.dirs[s.path(dir)] = true
	}
	s.fault = func(op, path string) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if op == "open" && l.dirs[path] {
			return &fs.PathError{Op: op, Path: path, Err: syscall.EACCES}
		}
		return nil
	}
	return l
}

func (l *locks) open(dir string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.dirs, dir)
}

// wantUnread wants the folder to be healthy, and to say this of its subfolders.
func (s *studio) wantUnread(n int, folder string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.states[len(s.states)-1]
	if u := last.Unread; last.Health != watcher.OK || u.N != n || u.Folder != folder || (u.Err != nil) != (n > 0) {
		s.t.Errorf("after %v: %+v, want %d unread, one of them %q", time.Since(s.start), s.states, n, folder)
	}
}

// A file whose content is in the cloud is told of, and taken when it is there.
func TestInTheCloud(t *testing.T) {
	var fetched atomic.Bool
	inStudio(t, func(s *studio) {
		s.inCloud = func(e fs.DirEntry) bool { return e.Name() == "a.jpg" && !fetched.Load() }
		s.o.Rescan = time.Minute
		s.write("a.jpg", jpegOf(t, 8, 8))
		s.write("b.jpg", jpegOf(t, 8, 8))
	}, func(s *studio) {
		s.pass(time.Minute)
		s.want("b.jpg")
		if st := s.wantState(2, watcher.OK); !strings.Contains(st.Advice, `not taken (1): choose "Always keep on this device"`) {
			t.Errorf("%+v", st)
		}
		fetched.Store(true)
		s.pass(time.Minute + settle)
		s.want("a.jpg", "b.jpg")
		if st := s.wantState(3, watcher.OK); st.Advice != "" {
			t.Errorf("%+v", st)
		}
	})
}

// Subfolders that may not be read are told of, hold up nothing, and are taken up within a minute of when they can be, however rare rescans are.
func TestUnread(t *testing.T) {
	for rescan, events := range map[time.Duration]bool{time.Minute: false, 0: true, 24 * time.Hour: true} {
		t.Run(fmt.Sprint(rescan), func(t *testing.T) {
			var l *locks
			inStudio(t, func(s *studio) {
				if events {
					withEvents(s)
				}
				s.o.Rescan = rescan
				s.o.Exclude = []string{"private"}
				for _, name := range []string{"a.jpg", "shoes/red/b.jpg", "shoes/c.jpg", "hats/d.jpg", "private/e.jpg"} {
					s.write(name, jpegOf(t, 8, 8))
				}
				l = lockIn(s, "shoes/red", "hats", "private")
			}, func(s *studio) {
				s.pass(settle)
				s.want("a.jpg", "shoes/c.jpg")
				s.wantUnread(2, "hats")
				s.pass(10 * time.Minute)
				s.wantUnread(2, "hats")
				s.mu.Lock()
				if len(s.states) > 2 {
					t.Errorf("told again and again: %+v", s.states)
				}
				s.mu.Unlock()

				l.open(s.path("hats"))
				s.pass(time.Minute + settle)
				s.want("a.jpg", "hats/d.jpg", "shoes/c.jpg")
				s.wantUnread(1, "shoes/red")
				l.open(s.path("shoes/red"))
				must(t, os.RemoveAll(s.path("shoes")))
				s.pass(time.Minute)
				s.wantUnread(0, "")
			})
		})
	}
}

// One that appears later is told of when it does.
func TestUnreadNewFolder(t *testing.T) {
	inStudio(t, func(s *studio) {
		withEvents(s)
		lockIn(s, "new")
	}, func(s *studio) {
		s.pass(time.Minute)
		s.wantUnread(0, "")
		s.write("new/a.jpg", jpegOf(t, 8, 8))
		s.event("new", watcher.Created)
		s.pass(time.Second)
		s.wantUnread(1, "new")
	})
}

// A look at some of a folder finds what a look at all of it would, as far as it goes.
func TestUnreadAmongTheFirst(t *testing.T) {
	s := newStudio(t)
	s.o.Exclude = []string{"private"}
	for _, name := range []string{"hats/d.jpg", "private/e.jpg", "shoes/red/b.jpg"} {
		s.write(name, jpegOf(t, 8, 8))
	}
	lockIn(s, "shoes/red", "private")
	f, err := watcher.New(s.o)
	must(t, err)
	f.Fault(s.fault)
	for most, want := range map[int]int{1000: 1, 3: 0} {
		looks := 0
		if got := f.Unread(most, func() { looks++ }); got.N != want || want > 0 && got.Folder != "shoes/red" || looks == 0 {
			t.Errorf("of %d entries: %+v after %d looks, want %d", most, got, looks, want)
		}
	}
}
