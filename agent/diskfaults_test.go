package agent_test

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hotfolder/agent"
	"hotfolder/sandbox"
	"hotfolder/store"
)

// errnos is what a disk says that is full, broken, forbidden or write-protected.
var errnos = []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EACCES, syscall.EROFS}

// TestEveryWriteFailsOnce fails the n-th write to the ledger or a disk, for every n: what the agent makes of it is as if nothing had been.
func TestEveryWriteFailsOnce(t *testing.T) {
	for name, s := range map[string]scene{
		"originals stay":                 {},
		"originals move":                 {folder: moveOriginals},
		"originals move to another disk": {folder: moveOriginals, disk: otherDisk},
		"originals move on a share":      {folder: moveOriginals, disk: linkDisk},
		"originals go":                   {folder: deleteOriginals},
		"whole orders":                   {folder: moveOriginals + wholeOrders},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everyNth(t, func(n int) (more bool) {
				in(t, studio{folder: s.folder, idle: true}, func(w *world) {
					b := &breakage{errno: errnos[n%len(errnos)], dir: w.dir, first: n, last: n}
					w.watch(b.before, s.disk, nil)
					s.drop(w)
					w.start()
					s.wantAllDone(w)
					if more = b.met != ""; w.Failed() {
						w.Logf("the %d-th write failed (%v): %s", n, b.errno, b.met)
					}
				})
				return more
			})
		})
	}
}

// wantAllDone waits until all is as if nothing had been.
func (s scene) wantAllDone(w *world) {
	w.Helper()
	w.until("all is done", time.Hour, func() bool { return s.isDone(w) && len(w.troubles()) == 0 })
	time.Sleep(3 * time.Minute)
	s.wantPromises(w)
	if got := w.troubles(); len(got) != 0 {
		w.Errorf("still %v", got)
	}
}

// TestDisksThatFailForLong fails one kind of write for an hour: it is said, nothing is lost, nothing loops, and all goes on when the
// fault ends.
func TestDisksThatFailForLong(t *testing.T) {
	for code, ops := range map[agent.Code][]string{
		agent.OutputUnwritable: {"mkdir /out", "create /out", "write /out", "sync /out", "close /out", "rename to /out", "sync dir /out"},
		agent.OriginalStuck:    {"mkdir /done", "rename to /done", "mkdir /failed", "create /failed", "write /failed", "rename to /failed"},
	} {
		for i, op := range ops {
			b := breakage{errno: errnos[i%len(errnos)], only: op, first: 1}
			t.Run(fmt.Sprint(op, " ", b.errno), func(t *testing.T) { failForLong(t, code, &b) })
		}
	}
	for n := 1; n < 24; n += 3 { // from the n-th write on
		b := breakage{errno: errnos[n%len(errnos)], only: "ledger", first: n}
		t.Run(fmt.Sprint("ledger ", n, " ", b.errno), func(t *testing.T) { failForLong(t, agent.LedgerUnwritable, &b) })
	}
	b := breakage{errno: syscall.EXDEV, only: "rename to /out", first: 1}
	t.Run("rename to another device", func(t *testing.T) { failForLong(t, agent.OutputUnwritable, &b) })
	for i, op := range []string{"create /out", "write /out", "sync dir /out", "rename to /out", "rename to /out/_COMPLETE"} {
		b := breakage{errno: errnos[i%len(errnos)], only: op, first: 1}
		t.Run(fmt.Sprint("whole orders, ", op, " ", b.errno), func(t *testing.T) { failForLong(t, agent.OutputUnwritable, &b, wholeOrders) })
	}
}

func failForLong(t *testing.T, code agent.Code, b *breakage, folder ...string) {
	t.Parallel()
	s := scene{folder: moveOriginals + strings.Join(folder, "")}
	in(t, studio{folder: s.folder, idle: true}, func(w *world) {
		b.dir, b.last = w.dir, math.MaxInt
		w.watch(b.before, oneDisk, nil)
		s.drop(w)
		w.start()
		w.until("the trouble shows", 5*time.Minute, func() bool { return slices.Contains(w.troubles(), code) })
		w.wantMend(code)
		tries, downloads := b.count(), w.sandbox.Books().Calls[sandbox.Download]
		time.Sleep(time.Hour)
		w.wantMend(code)
		if got := b.count() - tries; got == 0 || got > 2000 {
			w.Errorf("tried %d times in an hour", got)
		}
		if got := w.sandbox.Books().Calls[sandbox.Download] - downloads; got > 500 {
			w.Errorf("%d downloads in an hour", got)
		}
		b.mend()
		s.wantAllDone(w)
	})
}

// On a share a move is a link and the removal of the old name. An original that the share does not let go of, since a program has it open for
// instance, gets one new name in all that time, not one more with each try.
func TestAnOriginalThatAShareDoesNotLetGoOf(t *testing.T) {
	s := scene{folder: moveOriginals, disk: linkDisk}
	in(t, studio{folder: s.folder, idle: true}, func(w *world) {
		b := &breakage{errno: syscall.EACCES, only: "remove /in/", dir: w.dir, first: 1, last: math.MaxInt}
		w.watch(b.before, s.disk, nil)
		s.drop(w)
		w.start()
		w.until("the trouble shows", 5*time.Minute, func() bool { return slices.Contains(w.troubles(), agent.OriginalStuck) })
		time.Sleep(time.Hour)
		b.mend()
		s.wantAllDone(w)
	})
}

// A share can do what it was asked for and report a failure, for instance that the name is taken: nothing gets a second name.
func TestANameThatAShareGaveThoughItFailed(t *testing.T) {
	for name, test := range map[string]struct{ folder, named, from string }{
		"a result":               {"", "out/a.png", "out/.hotfolder-*.part"},
		"a result of an order":   {wholeOrders, "out/a.png", "out/.hotfolder-*.part"},
		"an original":            {moveOriginals, "done/a.jpg", "in/a.jpg"},
		"an original that fails": {"failed: failed", "failed/bad.jpg", "in/bad.jpg"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, studio{folder: test.folder, idle: true}, func(w *world) {
				var once sync.Once
				w.watch(func(op, what string) error {
					if op == "rename to" && what == filepath.Join(w.dir, test.named) {
						once.Do(func() {
							from, err := filepath.Glob(filepath.Join(w.dir, test.from))
							if err != nil || len(from) != 1 {
								t.Errorf("%q, %v", from, err)
							} else if err := os.Link(from[0], what); err != nil {
								t.Error(err)
							}
						})
					}
					return nil
				}, oneDisk, nil)
				w.drop("a.jpg", picture(0))
				w.drop("bad.jpg", []byte("no picture"))
				w.start()
				w.settle(1, store.Delivered)
				w.settle(1, store.Failed)
				time.Sleep(2 * time.Minute) // for what is left over
				dir, file := filepath.Split(test.named)
				var got []string
				for name := range w.files(filepath.Clean(dir)) {
					if strings.HasPrefix(name, file[:1]) && filepath.Ext(name) == filepath.Ext(file) {
						got = append(got, name)
					}
				}
				if !slices.Equal(got, []string{file}) {
					t.Errorf("there is %q", got)
				}
				w.wantPaid(1)
			})
		})
	}
}

// A result that cannot be written, since a program has its older version open for instance, waits alone: the others come through meanwhile.
// People are told once.
func TestOneResultThatCannotBeWrittenHoldsNoOtherUp(t *testing.T) {
	for name, folder := range map[string]string{"each": "", "whole orders": wholeOrders} {
		t.Run(name, func(t *testing.T) {
			in(t, studio{folder: folder, idle: true}, func(w *world) {
				b := &breakage{errno: syscall.EACCES, only: "rename to /out/held/", dir: w.dir, first: 1, last: math.MaxInt}
				w.watch(b.before, oneDisk, nil)
				w.drop("held/a.jpg", picture(0))
				w.start()
				w.until("the trouble shows", time.Minute, func() bool { return slices.Contains(w.troubles(), agent.OutputUnwritable) })
				for n := 1; n <= 30; n++ {
					w.drop(fmt.Sprintf("%d/a.jpg", n), picture(n))
					w.until("another is delivered", time.Minute, func() bool { return w.counts()[store.Delivered] == n })
					if got := w.troubles(); !slices.Contains(got, agent.OutputUnwritable) {
						w.Fatalf("after %d others people are told of %v alone", n, got)
					}
				}
				b.mend()
				w.settle(31, store.Delivered)
				w.until("the trouble is over", time.Minute, func() bool { return len(w.troubles()) == 0 })
				if n := strings.Count(w.logged.String(), "level=ERROR"); n != 1 {
					w.Errorf("told %d times", n)
				}
			})
		})
	}
}

// wantMend wants people to be told what is wrong and what to do.
func (w *world) wantMend(code agent.Code) {
	w.Helper()
	s, err := w.agent.Status(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	i := slices.IndexFunc(s.Troubles, func(t agent.Trouble) bool { return t.Code == code })
	if i < 0 || s.Troubles[i].Text == "" || s.Troubles[i].Mend == "" {
		w.Errorf("troubles %+v", s.Troubles)
	}
	if f := s.Folders[0]; code != agent.LedgerUnwritable && (f.State == "ok" || !strings.Contains(f.Problem, s.Troubles[i].Mend)) {
		w.Errorf("the folder is %s: %s", f.State, f.Problem)
	}
}

// breakage fails writes: those from the first to the last, of one kind if only is set.
type breakage struct {
	errno syscall.Errno
	only  string // what the operation and the path in the world begin with
	dir   string // of the world

	mu          sync.Mutex
	n           int
	first, last int
	met         string // what it failed first
}

func (b *breakage) before(op, file string) error {
	what := op + " " + filepath.ToSlash(strings.TrimPrefix(file, b.dir))
	if !strings.HasPrefix(what, b.only) {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.n++; b.n < b.first || b.n > b.last {
		return nil
	}
	if b.met == "" {
		b.met = what
	}
	return &fs.PathError{Op: op, Path: file, Err: b.errno}
}

func (b *breakage) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.n
}

func (b *breakage) mend() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = 0
}

// A disk that holds other than was written, though it said that all is well, is written to again: it is neither the picture's fault nor the
// result's, and nobody sees it.
func TestADiskThatForgets(t *testing.T) {
	in(t, studio{idle: true}, func(w *world) {
		forgets := 3
		w.watch(func(op, what string) error {
			if op == "close" && forgets > 0 {
				forgets--
				return os.WriteFile(what, make([]byte, 3000), 0o644)
			}
			return nil
		}, oneDisk, nil)
		w.drop("a.jpg", picture(1))
		w.start()
		w.settle(1, store.Delivered)
		if forgets > 0 {
			t.Error("the disk forgot nothing")
		}
		w.wantOutputs("a.png")
		w.wantPaid(1)
	})
}
