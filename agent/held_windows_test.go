package agent_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hotfolder/agent"
	"hotfolder/store"
)

// look opens a file as most programs do: nobody can rename or delete it until it is closed.
func (w *world) look(name string) *os.File {
	w.Helper()
	f, err := os.Open(filepath.Join(w.dir, filepath.FromSlash(name)))
	if err != nil {
		w.Fatal(err)
	}
	return f
}

// Who looks at a result for a moment is waited for, and nobody is told.
func TestAResultThatIsLookedAtForAMomentIsReplaced(t *testing.T) {
	in(t, studio{idle: true}, func(w *world) {
		held := false
		w.watch(func(op, what string) error {
			if replaces := op == "rename to" && filepath.Base(what) == "a.png"; replaces && w.outputs()["a.png"] != "" && !held {
				held = true
				f := w.look("out/a.png")
				time.AfterFunc(300*time.Millisecond, func() { f.Close() })
			}
			return nil
		}, oneDisk, nil)
		w.start()
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Delivered)
		w.drop("a.jpg", picture(2))
		w.settle(2, store.Delivered)
		if !held {
			t.Fatal("nothing was replaced")
		}
		w.wantOutputs("a.png")
		if got := w.logged.String(); strings.Contains(got, string(agent.OutputUnwritable)) {
			t.Error("people were told")
		}
	})
}

// A result that is looked at for long is replaced when it is closed; the others come through meanwhile.
func TestAResultThatIsLookedAtForLongIsReplacedLater(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Delivered)
		f := w.look("out/a.png")
		defer f.Close()
		w.drop("a.jpg", picture(2))
		w.until("the trouble shows", 5*time.Minute, func() bool { return slices.Contains(w.troubles(), agent.OutputUnwritable) })
		w.drop("b.jpg", picture(3))
		w.settle(2, store.Delivered)
		f.Close()
		w.settle(3, store.Delivered)
		w.until("the trouble is over", time.Minute, func() bool { return len(w.troubles()) == 0 })
		w.wantOutputs("a.png", "b.png")
		w.wantPaid(3)
	})
}

// An original that a program has open goes when it is closed; its result is there at once.
func TestAnOriginalThatIsLookedAtGoesLater(t *testing.T) {
	for name, folder := range map[string]string{"deleted": deleteOriginals, "moved": moveOriginals} {
		t.Run(name, func(t *testing.T) {
			in(t, studio{folder: folder}, func(w *world) {
				w.drop("a.jpg", picture(1))
				f := w.look("in/a.jpg")
				defer f.Close()
				w.settle(1, store.Delivered)
				time.Sleep(5 * time.Minute)
				if w.files("in")["a.jpg"] == "" || !slices.Contains(w.troubles(), agent.OriginalStuck) {
					t.Errorf("the input has %v, troubles %v", w.files("in"), w.troubles())
				}
				f.Close()
				w.until("it is gone", 2*time.Minute, func() bool { return len(w.files("in")) == 0 && len(w.troubles()) == 0 })
				w.wantOutputs("a.png")
				w.wantPaid(1)
			})
		})
	}
}
