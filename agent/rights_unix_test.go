//go:build unix

package agent_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hotfolder/agent"
	"hotfolder/sandbox"
	"hotfolder/store"
)

// asSomebody has the rest of a test run as a user whom modes keep out, which they do not root. It is for tests beside which no other runs.
func asSomebody(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	if err := syscall.Seteuid(54321); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Seteuid(0); err != nil {
			panic(err)
		}
	})
}

func (w *world) chmod(name string, mode os.FileMode) {
	w.Helper()
	if err := os.Chmod(filepath.Join(w.dir, filepath.FromSlash(name)), mode); err != nil {
		w.Fatal(err)
	}
}

// names are those of the files and folders in a folder of the world, but for hidden ones.
func (w *world) names(dir string) (names []string) {
	w.Helper()
	entries, err := os.ReadDir(filepath.Join(w.dir, dir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names
}

// A picture that may not be read fails once, wherever it then lies, and not again with each look at it, nor with each start.
func TestAPictureThatMayNotBeRead(t *testing.T) {
	asSomebody(t)
	for name, test := range map[string]struct {
		folder string
		kind   diskKind
		in     []string // where it is after it failed
		failed []string
	}{
		"kept":             {"", oneDisk, []string{"a.jpg"}, nil},
		"put aside":        {"failed: failed", oneDisk, nil, []string{"a.jpg", "a.jpg.error.txt"}},
		"cannot be copied": {"failed: failed", otherDisk, []string{"a.jpg"}, nil}, // to another disk
	} {
		t.Run(name, func(t *testing.T) {
			in(t, studio{idle: true, folder: test.folder}, func(w *world) {
				w.watch(func(string, string) error { return nil }, test.kind, nil)
				w.drop("a.jpg", picture(1))
				w.chmod("in/a.jpg", 0)
				wantFailed := func() {
					t.Helper()
					if in, failed := w.names("in"), w.names("failed"); !slices.Equal(in, test.in) || !slices.Equal(failed, test.failed) {
						t.Errorf("the input has %q, failed has %q", in, failed)
					}
				}
				w.wantOnce(0, 1)
				wantFailed()
				moveBack := func() {
					if len(test.in) > 0 {
						return
					}
					if err := os.Rename(filepath.Join(w.dir, "failed/a.jpg"), filepath.Join(w.dir, "in/a.jpg")); err != nil {
						t.Fatal(err)
					}
				}
				for range 3 {
					moveBack()
					w.wantOnce(0, 0)
					wantFailed()
				}
				w.start()
				time.Sleep(time.Hour)
				wantFailed()
				if job := w.job("a.jpg"); job.State != store.Failed || len(job.History) != 1 || !strings.Contains(job.Error, "no right to read") {
					t.Errorf("%+v", job)
				}
				if s := w.status(); s.Agent.Failed != 0 {
					t.Errorf("it failed %d times more", s.Agent.Failed)
				}
				w.halt()

				moveBack()
				w.chmod("in/a.jpg", 0o644)
				w.wantOnce(1, 0)
				w.wantOutputs("a.png")
				w.wantPaid(1)
			})
		})
	}
}

// A picture that may not be read any more when its turn comes fails, and is taken by itself when it may. A run with Once leaves it.
func TestAPictureThatMayNoLongerBeRead(t *testing.T) {
	asSomebody(t)
	for _, once := range []bool{false, true} {
		in(t, studio{idle: true}, func(w *world) {
			w.sandbox.SetFaults(sandbox.Faults{ServerError: sandbox.Chance{P: 1, At: []string{sandbox.Upload}}})
			w.drop("a.jpg", picture(1))
			w.start()
			w.settle(1, store.Queued)
			time.Sleep(time.Hour) // its failures so far are the API's
			w.chmod("in/a.jpg", 0)
			w.sandbox.SetFaults(sandbox.Faults{})
			if once {
				w.halt()
				left, _ := w.runOnce()
				if left == nil || left.Failed != 0 || left.Waiting != 1 || !slices.Equal(left.Notices, []string{"packshots: a.jpg: the agent has no right to read the file: give it the right"}) {
					t.Errorf("Run: %+v", left)
				}
				w.chmod("in/a.jpg", 0o644)
				w.wantOnce(1, 0)
			} else {
				time.Sleep(time.Minute)
				if n := w.counts()[store.Queued]; n != 1 {
					t.Errorf("it is given up at once: %v", w.counts())
				}
				w.settle(1, store.Failed)
				if job := w.job("a.jpg"); !strings.Contains(job.Error, "no right to read the file: give it the right, and it is taken by itself") {
					t.Errorf("it failed: %s", job.Error)
				}
				w.chmod("in/a.jpg", 0o644)
				w.settle(1, store.Delivered)
			}
			w.wantPaid(1)
		})
	}
}

// Each picture that is put aside keeps its own note, though those before it may not be read; and while one cannot be moved, no note of it lies
// there.
func TestNotesLieBesideTheirPictures(t *testing.T) {
	asSomebody(t)
	in(t, studio{idle: true, folder: "failed: failed"}, func(w *world) {
		for range 3 { // of one name: the second finds the first, which may not be read
			w.drop("a.jpg", picture(1))
			w.chmod("in/a.jpg", 0)
			w.runOnce()
		}
		want := []string{"a.jpg", "a.jpg.error.txt", "a_2.jpg", "a_2.jpg.error.txt", "a_3.jpg", "a_3.jpg.error.txt"}
		if got := w.names("failed"); !slices.Equal(got, want) {
			t.Errorf("failed has %q, want %q", got, want)
		}
		w.drop("letter.jpg", []byte("Dear Sir or Madam"))
		defer w.chmod("in", 0o755)
		w.chmod("in", 0o555) // nothing can be moved out of it
		w.start()
		w.settle(2, store.Failed)
		w.until("it is said", time.Minute, func() bool { return slices.Contains(w.troubles(), agent.OriginalStuck) })
		if got := w.names("failed"); !slices.Equal(got, want) {
			t.Errorf("failed has %q, want %q", got, want)
		}
		w.chmod("in", 0o755)
		w.until("it is moved", 2*time.Minute, func() bool { return len(w.names("in")) == 0 })
		if got := w.names("failed"); !slices.Equal(got, append(want, "letter.jpg", "letter.jpg.error.txt")) {
			t.Errorf("failed has %q", got)
		}
	})
}

// Subfolders that may not be read are told of, until they can be.
func TestSubfoldersThatMayNotBeRead(t *testing.T) {
	asSomebody(t)
	in(t, studio{idle: true}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.drop("hats/b.jpg", picture(2))
		w.drop("shoes/c.jpg", picture(3))
		w.chmod("in/hats", 0)
		w.chmod("in/shoes", 0)
		defer w.chmod("in/shoes", 0o755) // or it could not be removed
		defer w.chmod("in/hats", 0o755)

		left, _ := w.runOnce()
		if left == nil || len(left.Troubles) != 1 || !strings.HasSuffix(left.Troubles[0].Text, ": hats (permission denied) and 1 more") {
			t.Fatalf("Run: %v", left)
		}
		w.start()
		w.until("it is said", time.Minute, func() bool { return slices.Contains(w.troubles(), agent.InputUnread) })
		w.wantMend(agent.InputUnread)
		w.chmod("in/hats", 0o755)
		w.settle(2, store.Delivered)
		if s := w.status(); len(s.Troubles) != 1 || !strings.HasSuffix(s.Troubles[0].Text, ": shoes (permission denied)") {
			t.Errorf("%+v", s.Troubles)
		}
		w.chmod("in/shoes", 0o755)
		w.settle(3, store.Delivered)
		if s := w.status(); len(s.Troubles) != 0 {
			t.Errorf("%+v", s.Troubles)
		}
	})
}
