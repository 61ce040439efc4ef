package watcher_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"

	"hotfolder/watcher"
)

const settle = 2 * time.Second

// A studio is a watched folder in fake time, and what became of the files in it.
type studio struct {
	t     *testing.T
	root  string
	o     watcher.Options
	start time.Time
	fault func(op, path string) error // of each call to the file system; nil: none

	inCloud  func(fs.DirEntry) bool // nil: as the system says
	network  string                 // the kind of share the root is on
	clockOff atomic.Int64           // how far the time of day went another way than time
	log      strings.Builder

	folder *watcher.Folder
	stop   context.CancelFunc
	ended  chan error

	sources atomic.Pointer[source] // the last one

	mu     sync.Mutex
	taken  []watcher.File
	at     map[string]time.Duration // since the start, of the last taking
	known  map[string]watcher.File
	inHand map[string]bool
	refuse func(watcher.File) error
	states []watcher.State
}

// inStudio runs test in fake time. Options are changed by change before the folder is watched.
func inStudio(t *testing.T, change func(*studio), test func(*studio)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t)
		change(s)
		s.open()
		defer s.close()
		test(s)
	})
}

func newStudio(t *testing.T) *studio {
	s := &studio{t: t, root: t.TempDir(), start: time.Now(), ended: make(chan error, 1),
		at: map[string]time.Duration{}, known: map[string]watcher.File{}, inHand: map[string]bool{},
		refuse: func(watcher.File) error { return nil }}
	s.o = watcher.Options{
		Root: s.root, Recursive: true, Settle: settle, Rescan: time.Minute,
		Include: []string{"*.jpg", "*.png"},
		Unknown: func(files []watcher.File) []watcher.File {
			s.mu.Lock()
			defer s.mu.Unlock()
			return slices.DeleteFunc(files, func(is watcher.File) bool {
				f, ok := s.known[is.Path]
				return ok && f.Size == is.Size && f.ModTime.Equal(is.ModTime)
			})
		},
		Take: s.take,
		State: func(st watcher.State) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.states = append(s.states, st)
		},
		Log: slog.New(slog.NewTextHandler(&s.log, nil)),
	}
	return s
}

func (s *studio) take(_ context.Context, f watcher.File) error {
	s.mu.Lock()
	if s.inHand[f.Path] {
		s.t.Errorf("%q taken while in hand", f.Path)
	}
	s.inHand[f.Path] = true
	refuse := s.refuse
	s.mu.Unlock()
	err := refuse(f)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.inHand, f.Path)
	if err != nil {
		return err
	}
	s.taken = append(s.taken, f)
	s.at[f.Path] = time.Since(s.start)
	s.known[f.Path] = f
	return nil
}

// refuseOnce refuses the next file for another reason than those before and after it.
func (s *studio) refuseOnce(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.refuse
	s.refuse = func(f watcher.File) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.refuse = before
		return err
	}
}

func (s *studio) open() {
	var err error
	s.folder, err = watcher.New(s.o)
	must(s.t, err)
	s.folder.Fault(s.fault)
	if s.inCloud != nil {
		s.folder.InCloud(s.inCloud)
	}
	s.folder.Network(s.network)
	s.folder.Wall(func() time.Time { return time.Now().Add(time.Duration(s.clockOff.Load())) })
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() { s.ended <- s.folder.Run(ctx) }()
}

func (s *studio) close() {
	s.t.Helper()
	s.stop()
	if err := <-s.ended; err != nil {
		s.t.Errorf("Run: %v", err)
	}
}

// pass lets time pass, and what is due in it happen.
func (s *studio) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (s *studio) path(name string) string { return filepath.Join(s.root, filepath.FromSlash(name)) }

func (s *studio) write(name string, content []byte) {
	s.t.Helper()
	must(s.t, os.MkdirAll(filepath.Dir(s.path(name)), 0o755))
	must(s.t, os.WriteFile(s.path(name), content, 0o644))
	s.stamp(name)
}

// stamp gives a file the fake time, the file system's own being another.
func (s *studio) stamp(name string) {
	s.t.Helper()
	must(s.t, os.Chtimes(s.path(name), time.Now(), time.Now()))
}

// names are those of the files taken so far, sorted.
func (s *studio) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, f := range s.taken {
		names = append(names, f.Path)
	}
	slices.Sort(names)
	return names
}

func (s *studio) want(names ...string) {
	s.t.Helper()
	if got := s.names(); !slices.Equal(got, names) {
		s.t.Errorf("after %v: taken %q, want %q", time.Since(s.start), got, names)
	}
}

// wantState wants the folder's last state, and how often it changed.
func (s *studio) wantState(n int, h watcher.Health) watcher.State {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.states) != n || s.states[n-1].Health != h {
		s.t.Fatalf("after %v: states %v, want the %d. to be %v", time.Since(s.start), s.states, n, h)
	}
	return s.states[n-1]
}

// source is events made by a test.
type source struct {
	events chan watcher.Event
	errs   chan error
	limit  int // of watched dirs

	mu     sync.Mutex
	dirs   map[string]bool
	closed bool
}

func newSource() *source {
	return &source{events: make(chan watcher.Event), errs: make(chan error), limit: 1000, dirs: map[string]bool{}}
}

func (e *source) Events() <-chan watcher.Event { return e.events }
func (e *source) Errors() <-chan error         { return e.errs }

func (e *source) Add(dir string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.dirs) == e.limit {
		return fmt.Errorf("watch %s: %w", dir, syscall.ENOSPC)
	}
	e.dirs[dir] = true
	return nil
}

func (e *source) Remove(dir string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.dirs, dir)
}

func (e *source) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	return nil
}

func (e *source) watches(dir string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.dirs[dir]
}

// withEvents gives a studio events instead of rescans.
func withEvents(s *studio) {
	s.o.Rescan = 0
	s.o.Events = func() (watcher.Events, error) {
		e := newSource()
		s.sources.Store(e)
		return e, nil
	}
}

// source is the one of the events now.
func (s *studio) source() *source { return s.sources.Load() }

func (s *studio) event(name string, op watcher.Op) {
	s.source().events <- watcher.Event{Path: s.path(name), Op: op}
	synctest.Wait()
}

func TestTaken(t *testing.T) {
	inStudio(t, func(s *studio) {
		s.write("a.jpg", jpegOf(t, 8, 8))
		s.write("sub/deep/Ünï côde 📷.JPG", jpegOf(t, 8, 8))
		s.write("sub/b.png", pngOf(t, 8, 8))
		s.write("sub/notes.txt", []byte("not included"))
	}, func(s *studio) {
		s.pass(settle - 1)
		s.want()
		s.pass(1)
		s.want("a.jpg", "sub/b.png", "sub/deep/Ünï côde 📷.JPG")
		for _, f := range s.taken {
			if !f.Whole || f.Size == 0 || f.ModTime.IsZero() {
				t.Errorf("%+v", f)
			}
		}
		s.wantState(1, watcher.OK)

		s.pass(5 * time.Minute)
		s.want("a.jpg", "sub/b.png", "sub/deep/Ünï côde 📷.JPG")
		s.write("a.jpg", jpegOf(t, 9, 9)) // a re-shoot
		s.write("new.jpg", jpegOf(t, 8, 8))
		s.pass(time.Minute + settle)
		s.want("a.jpg", "a.jpg", "new.jpg", "sub/b.png", "sub/deep/Ünï côde 📷.JPG")
	})
}

func TestNotRecursive(t *testing.T) {
	inStudio(t, func(s *studio) {
		withEvents(s)
		s.o.Recursive = false
		s.write("a.jpg", jpegOf(t, 8, 8))
		s.write("sub/b.jpg", jpegOf(t, 8, 8))
	}, func(s *studio) {
		s.pass(time.Second)
		s.event("sub", watcher.Created)
		s.pass(time.Minute)
		s.want("a.jpg")
	})
}

// Names that only some systems can have are passed as they are.
func TestStrangeNames(t *testing.T) {
	names := []string{"a\nb.jpg", "bad\xff\xfeutf8.jpg", strings.Repeat("x", 251) + ".jpg"}
	if runtime.GOOS == "windows" {
		names = names[2:] // has no line breaks in names, and makes UTF-16 of them
	}
	inStudio(t, func(s *studio) {
		for _, n := range names {
			if err := os.WriteFile(s.path(n), jpegOf(t, 8, 8), 0o644); err != nil {
				t.Skip("this system does not have such names:", err)
			}
		}
	}, func(s *studio) {
		s.pass(settle)
		s.want(names...)
	})
}

func TestPatterns(t *testing.T) {
	inStudio(t, func(s *studio) {
		s.o.Include = []string{"*.JPG", "raw/**/*.tif", "{x,y}?.png"}
		s.o.Exclude = []string{"Backup", "web/**", "*_small.*"}
		for _, n := range []string{"a.jpg", "a.tif", "raw/1/2/B.TIF", "raw/c.tif", "x1.png", "z1.png", "backup/d.jpg", "q/BACKUP/d.jpg",
			"web/e.jpg", "q/web/f.jpg", "g_small.jpg"} {
			s.write(n, jpegOf(t, 8, 8))
		}
	}, func(s *studio) {
		s.pass(settle)
		s.want("a.jpg", "q/web/f.jpg", "raw/1/2/B.TIF", "raw/c.tif", "x1.png")
	})
}

func TestMalformedPattern(t *testing.T) {
	for _, o := range []watcher.Options{{Include: []string{"[a"}}, {Exclude: []string{"{a"}}} {
		if _, err := watcher.New(o); err == nil || !strings.Contains(err.Error(), "malformed") {
			t.Errorf("%+v: error %v", o, err)
		}
	}
}

// What is being copied is left alone, with and without events, and taken soon after.
func TestSlowCopy(t *testing.T) {
	photo := jpegOf(t, 200, 200)
	t.Run("rescans", func(t *testing.T) {
		inStudio(t, func(s *studio) { s.o.Rescan = 10 * time.Second }, func(s *studio) {
			for n := 0; n < len(photo); n += len(photo) / 40 {
				s.write("a.jpg", photo[:n])
				s.pass(3 * time.Second) // longer than settle
				s.want()
			}
			s.write("a.jpg", photo)
			s.pass(15 * time.Second)
			s.want("a.jpg")
		})
	})
	t.Run("events", func(t *testing.T) {
		inStudio(t, withEvents, func(s *studio) {
			s.pass(0)
			for n := 0; n < len(photo); n += len(photo) / 200 {
				s.write("a.jpg", photo[:n])
				s.event("a.jpg", watcher.Changed)
				s.pass(100 * time.Millisecond)
			}
			s.write("a.jpg", photo)
			s.event("a.jpg", watcher.Changed)
			s.want()
			s.pass(settle + settle/4)
			s.want("a.jpg")
		})
	})
}

// Explorer gives a file its full size first: only the picture tells that the rest is missing.
func TestPreallocated(t *testing.T) {
	photo := jpegOf(t, 100, 100)
	inStudio(t, func(s *studio) {
		s.write("a.jpg", make([]byte, len(photo)))
		s.write("b.jpg", slices.Concat(photo[:1000], make([]byte, len(photo)-1000)))
	}, func(s *studio) {
		s.pass(40 * time.Second)
		s.want()
		s.write("a.jpg", photo)
		s.write("b.jpg", photo)
		s.pass(15 * time.Second)
		s.want("a.jpg", "b.jpg")
		if f := s.taken[0]; !f.Whole {
			t.Errorf("%+v", f)
		}
	})
}

// A picture that is whole all the time, and of the same size, is not taken while it is written over.
func TestWrittenOver(t *testing.T) {
	inStudio(t, withEvents, func(s *studio) {
		s.pass(0)
		s.write("a.jpg", jpegOf(t, 8, 8))
		s.event("a.jpg", watcher.Created)
		for range 20 {
			s.pass(settle - time.Millisecond)
			s.want()
			s.write("a.jpg", jpegOf(t, 8, 8))
		}
		s.pass(2 * settle)
		s.want("a.jpg")
	})
}

// An event does not shorten the settling.
func TestIdleEvents(t *testing.T) {
	inStudio(t, withEvents, func(s *studio) {
		s.pass(0)
		s.write("a.jpg", jpegOf(t, 8, 8))
		for range 19 {
			s.event("a.jpg", watcher.Changed)
			s.pass(settle / 20)
			s.want()
		}
		s.pass(settle / 20)
		s.want("a.jpg")
	})
}

// What stays cut short or empty is taken in the end, to be failed; what is no picture at once.
func TestCutShort(t *testing.T) {
	photo := jpegOf(t, 100, 100)
	inStudio(t, func(s *studio) {
		s.write("cut.jpg", photo[:len(photo)-1])
		s.write("empty.jpg", nil)
		s.write("text.jpg", []byte("hello"))
		s.write("good.jpg", photo)
	}, func(s *studio) {
		s.pass(settle)
		s.want("good.jpg", "text.jpg")
		s.pass(57 * time.Second)
		s.want("good.jpg", "text.jpg")
		s.pass(12 * time.Second)
		s.want("cut.jpg", "empty.jpg", "good.jpg", "text.jpg")
		for _, f := range s.taken {
			if whole := f.Path == "good.jpg" || f.Path == "text.jpg"; f.Whole != whole {
				t.Errorf("%+v", f)
			}
		}
	})
}

// What Take cannot read for long is late in the end. Once it changes, or is refused for another reason, it no longer is.
func TestLate(t *testing.T) {
	for _, once := range []bool{false, true} {
		inStudio(t, func(s *studio) {
			s.write("a.jpg", jpegOf(t, 8, 8))
			s.o.Once = once
			s.refuse = func(f watcher.File) error {
				if f.Late {
					return nil
				}
				return fs.ErrPermission
			}
		}, func(s *studio) {
			after := 10 * time.Minute
			if once {
				after = 30 * time.Second
			}
			s.pass(after)
			s.want()
			if !once {
				s.write("a.jpg", jpegOf(t, 9, 9))
				s.pass(after)
				s.want()
				s.refuseOnce(errors.New("the ledger is full"))
				s.pass(after)
				s.want()
			}
			s.pass(2 * time.Minute)
			s.want("a.jpg")
		})
	}
}

// The hours of the files do not matter, only whether they change.
func TestStrangeTimes(t *testing.T) {
	inStudio(t, func(s *studio) {
		for name, at := range map[string]time.Time{"future.jpg": time.Now().Add(1000 * time.Hour), "1970.jpg": time.Unix(0, 0)} {
			s.write(name, jpegOf(t, 8, 8))
			must(t, os.Chtimes(s.path(name), at, at))
		}
	}, func(s *studio) {
		s.pass(settle)
		s.want("1970.jpg", "future.jpg")
		at := time.Unix(2, 0)
		must(t, os.Chtimes(s.path("future.jpg"), at, at)) // the same size, but older
		s.pass(time.Minute + settle)
		s.want("1970.jpg", "future.jpg", "future.jpg")
	})
}

func TestRenamedAndDeleted(t *testing.T) {
	inStudio(t, withEvents, func(s *studio) {
		s.pass(0)
		s.write("a.jpg.part", jpegOf(t, 8, 8))
		s.event("a.jpg.part", watcher.Created)
		s.write("deleted.jpg", jpegOf(t, 8, 8))
		s.event("deleted.jpg", watcher.Created)
		s.pass(time.Second)
		must(t, os.Rename(s.path("a.jpg.part"), s.path("a.jpg")))
		s.event("a.jpg.part", watcher.Gone)
		s.event("a.jpg", watcher.Created)
		must(t, os.Remove(s.path("deleted.jpg")))
		s.event("deleted.jpg", watcher.Gone)
		s.pass(settle)
		s.want("a.jpg")
		s.wantState(1, watcher.OK)
	})
}

// A new subfolder is watched before it is looked at, whatever its name; one that was renamed no longer is.
func TestSubfolders(t *testing.T) {
	inStudio(t, withEvents, func(s *studio) {
		s.pass(0)
		s.write("new/deep/a.jpg", jpegOf(t, 8, 8))
		s.event("new", watcher.Created)
		s.pass(0)
		for _, dir := range []string{"new", "new/deep"} {
			if !s.source().watches(s.path(dir)) {
				t.Errorf("%s is not watched", dir)
			}
		}
		s.pass(settle)
		s.want("new/deep/a.jpg")

		must(t, os.Rename(s.path("new"), s.path("other")))
		s.event("new", watcher.GoneFolder)
		s.event("other", watcher.Created)
		s.pass(settle)
		if s.source().watches(s.path("new")) || !s.source().watches(s.path("other/deep")) {
			t.Errorf("watched: %v", s.source().dirs)
		}
		s.want("new/deep/a.jpg", "other/deep/a.jpg")
	})
}

func TestEventsLost(t *testing.T) {
	inStudio(t, withEvents, func(s *studio) {
		s.pass(time.Minute)
		for n, err := range []error{fsnotify.ErrEventOverflow, errors.New("something else")} {
			s.write(fmt.Sprint(n, ".jpg"), jpegOf(t, 8, 8))
			s.source().errs <- err
			s.pass(settle + time.Second)
		}
		s.want("0.jpg", "1.jpg")
		if log := s.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "something else") {
			t.Errorf("log: %s", log)
		}
	})
}

// Events that are lost during a walk are made up for by another one.
func TestEventsLostInWalk(t *testing.T) {
	inStudio(t, func(s *studio) {
		withEvents(s)
		s.write("a.jpg", jpegOf(t, 8, 8))
		unknown := s.o.Unknown
		s.o.Unknown = func(files []watcher.File) []watcher.File {
			time.Sleep(time.Minute) // a slow share
			return unknown(files)
		}
	}, func(s *studio) {
		s.pass(time.Second)
		s.write("b.jpg", jpegOf(t, 8, 8))
		s.source().errs <- fsnotify.ErrEventOverflow
		s.pass(10 * time.Minute)
		s.want("a.jpg", "b.jpg")
	})
}

// A folder that takes the place of a file is walked.
func TestFolderForFile(t *testing.T) {
	inStudio(t, withEvents, func(s *studio) {
		s.pass(0)
		s.write("x.jpg", jpegOf(t, 8, 8))
		s.event("x.jpg", watcher.Changed)
		must(t, os.Remove(s.path("x.jpg")))
		s.write("x.jpg/a.jpg", jpegOf(t, 8, 8))
		s.event("x.jpg", watcher.Gone)
		s.event("x.jpg", watcher.Created)
		s.pass(2 * settle)
		s.want("x.jpg/a.jpg")
	})
}

// At the limit of watches the folder is rescanned, and events are tried again later.
func TestWatchLimit(t *testing.T) {
	var limit atomic.Int64
	limit.Store(1)
	inStudio(t, func(s *studio) {
		s.o.Events = func() (watcher.Events, error) {
			e := newSource()
			e.limit = int(limit.Load())
			s.sources.Store(e)
			return e, nil
		}
		s.write("sub/a.jpg", jpegOf(t, 8, 8))
	}, func(s *studio) {
		s.pass(settle)
		s.want("sub/a.jpg")
		st := s.wantState(2, watcher.RescanOnly)
		if !errors.Is(st.Err, syscall.ENOSPC) || !s.source().closed {
			t.Errorf("state %+v, source closed: %v", st, s.source().closed)
		}
		s.write("sub/b.jpg", jpegOf(t, 8, 8))
		s.pass(10*time.Second + settle)
		s.want("sub/a.jpg", "sub/b.jpg")
		limit.Store(10)
		s.pass(11 * time.Minute)
		s.wantState(3, watcher.OK)
		if !s.source().watches(s.path("sub")) {
			t.Error("the subfolder is not watched")
		}
	})
}

func TestNoEventsAtAll(t *testing.T) {
	inStudio(t, func(s *studio) {
		s.o.Rescan = 0
		s.o.Events = func() (watcher.Events, error) { return nil, fmt.Errorf("inotify: %w", syscall.EMFILE) }
	}, func(s *studio) {
		s.pass(time.Second)
		if st := s.wantState(1, watcher.RescanOnly); runtime.GOOS == "linux" && !strings.Contains(st.Advice, "max_user_instances") {
			t.Errorf("%+v", st)
		}
		s.write("a.jpg", jpegOf(t, 8, 8))
		s.pass(10*time.Second + settle)
		s.want("a.jpg")
	})
}

// A root that is missing, vanishes, or is another folder than before is looked for, and nothing in it is lost.
func TestRootLost(t *testing.T) {
	inStudio(t, func(s *studio) {
		withEvents(s)
		must(t, os.Remove(s.root))
	}, func(s *studio) {
		s.pass(time.Second)
		if st := s.wantState(1, watcher.Offline); !errors.Is(st.Err, os.ErrNotExist) {
			t.Errorf("%+v", st)
		}
		s.write("a.jpg", jpegOf(t, 8, 8))
		s.pass(5*time.Second + settle)
		s.wantState(2, watcher.OK)
		s.want("a.jpg")

		s.write("b.jpg", jpegOf(t, 8, 8))
		s.event("b.jpg", watcher.Created)
		away := s.root + ".away"
		must(t, os.Rename(s.root, away))
		s.pass(5 * time.Second) // it settles meanwhile
		s.wantState(3, watcher.Offline)
		s.pass(time.Hour)
		old := s.source()
		must(t, os.Rename(away, s.root))
		s.pass(5*time.Second + settle)
		s.wantState(4, watcher.OK)
		s.want("a.jpg", "b.jpg")
		if old == s.source() || !old.closed {
			t.Error("the folder is not watched anew")
		}

		old = s.source()
		must(t, os.Rename(s.root, away))
		s.write("c.jpg", jpegOf(t, 8, 8))
		s.pass(5*time.Second + settle)
		s.wantState(4, watcher.OK)
		s.want("a.jpg", "b.jpg", "c.jpg")
		if old == s.source() || !old.closed {
			t.Error("the folder in its place is not watched")
		}
	})
}

func TestLook(t *testing.T) {
	inStudio(t, withEvents, func(s *studio) {
		s.pass(time.Hour)
		s.write("a.jpg", jpegOf(t, 8, 8))
		s.pass(time.Hour)
		s.want()
		s.folder.Look()
		s.folder.Look()
		s.pass(settle)
		s.want("a.jpg")
	})
}

// What Take refuses is tried again, each time later; what was changed meanwhile settles first.
func TestRefused(t *testing.T) {
	inStudio(t, func(s *studio) {
		s.write("a.jpg", jpegOf(t, 8, 8))
		s.write("b.jpg", jpegOf(t, 8, 8))
		tries := 0
		s.refuse = func(f watcher.File) error {
			switch {
			case f.Path != "a.jpg":
				return nil
			case tries < 3:
				tries++
				return errors.New("disk full")
			case tries < 4:
				tries++
				s.write("a.jpg", jpegOf(t, 9, 9))
				return watcher.ErrChanged
			}
			return nil
		}
	}, func(s *studio) {
		s.pass(settle + 2*time.Second + 4*time.Second + 8*time.Second - 1)
		s.want("b.jpg")
		s.pass(1 + 16*time.Second + settle) // refused as changed; then looked at again, then settled
		s.want("a.jpg", "b.jpg")
		if n := strings.Count(s.log.String(), "\n"); n != 1 {
			t.Errorf("log of %d lines: %s", n, s.log.String())
		}
	})
}

// A file that changes while it is in hand is looked at again after it.
func TestChangedInHand(t *testing.T) {
	inStudio(t, func(s *studio) {
		withEvents(s)
		s.write("a.jpg", jpegOf(t, 8, 8))
		s.refuse = func(watcher.File) error { time.Sleep(time.Minute); return nil }
	}, func(s *studio) {
		s.pass(settle + time.Second)
		s.write("a.jpg", jpegOf(t, 9, 9))
		s.event("a.jpg", watcher.Changed)
		s.pass(time.Minute)
		s.want("a.jpg")
		s.pass(time.Minute + settle)
		s.want("a.jpg", "a.jpg")
	})
}

func TestOnce(t *testing.T) {
	photo := jpegOf(t, 100, 100)
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t)
		s.o.Once = true
		s.o.Events = func() (watcher.Events, error) { t.Error("events are of no use"); return nil, nil }
		s.write("a.jpg", photo)
		s.write("sub/cut.jpg", photo[:500])
		s.open()
		must(t, <-s.ended)
		s.want("a.jpg", "sub/cut.jpg")
		if took := time.Since(s.start); took > 15*time.Second {
			t.Errorf("took %v", took)
		}
		s.open()
		must(t, <-s.ended)
		s.want("a.jpg", "sub/cut.jpg")

		s.write("b.jpg", photo)
		s.open()
		s.pass(time.Second)
		must(t, os.RemoveAll(s.root))
		if err := <-s.ended; !errors.Is(err, os.ErrNotExist) {
			t.Errorf("of a folder that vanished: %v", err)
		}
		s.open()
		if err := <-s.ended; !errors.Is(err, os.ErrNotExist) {
			t.Errorf("of a missing folder: %v", err)
		}
	})
}

// With many more files than may settle at once all are found, the first as soon as ever.
func TestManyFiles(t *testing.T) {
	const files = 12_000
	inStudio(t, func(s *studio) {
		var first string
		for n := range files { // links, since they are far quicker made than files, but NTFS has no more than 1,023 to a file
			name := s.path(fmt.Sprintf("%d/%d.jpg", n/1000, n))
			if n%1000 == 0 {
				first = name
				must(t, os.Mkdir(filepath.Dir(name), 0o755))
				must(t, os.WriteFile(name, []byte("text"), 0o644))
				continue
			}
			must(t, os.Link(first, name))
		}
	}, func(s *studio) {
		s.pass(settle)
		if n := len(s.names()); n < 5_000 || n == files {
			t.Errorf("%d files after the first settling", n)
		}
		s.pass(4 * settle)
		names := s.names()
		if len(slices.Compact(slices.Clone(names))) != files || len(names) != files {
			t.Errorf("%d files taken, %d of them different", len(names), len(slices.Compact(names)))
		}
	})
}

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t)
		for n := range 10 {
			s.write(fmt.Sprint(n, ".jpg"), jpegOf(t, 8, 8))
		}
		s.o.Take = func(ctx context.Context, f watcher.File) error { <-ctx.Done(); return ctx.Err() }
		s.open()
		s.pass(time.Minute)
		s.close()
		if s.log.Len() > 0 {
			t.Errorf("log: %s", s.log.String())
		}
	})
}
