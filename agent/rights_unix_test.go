//go:build unix

package agent_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hotfolder/agent"
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
