package agent_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hotfolder/agent"
	"hotfolder/sandbox"
	"hotfolder/store"
)

// What cannot be a result goes to the review folder with the reason, and the job fails with it; nothing of it is in the output.
func TestTheGuardHoldsBackWhatCannotBeRight(t *testing.T) {
	for name, c := range map[string]struct {
		faults sandbox.Faults
		folder string
		file   string // where it is
		why    string // "": it is delivered
	}{
		"the original again":             {sandbox.Faults{ResultIs: "input"}, "", "review/shoot/a.jpg", "the original again"},
		"... which it may be":            {sandbox.Faults{ResultIs: "input"}, "unchanged: deliver", "out/shoot/a.jpg", ""},
		"half a picture":                 {sandbox.Faults{ResultIs: "half"}, "", "review/shoot/a.png", "not whole"},
		"nothing":                        {sandbox.Faults{ResultIs: "empty"}, "", "review/shoot/a.png", "empty"},
		"a text":                         {sandbox.Faults{ResultIs: "text"}, "", "review/shoot/a.png", "no picture"},
		"a type never heard of":          {sandbox.Faults{ResultIs: "text", ResultType: "application/json"}, "", "out/shoot/a.png", ""},
		"another type":                   {sandbox.Faults{ResultType: "image/jpeg"}, "", "review/shoot/a.jpg", "image/png, though AutoRetouch says image/jpeg"},
		"the right type, said lengthily": {sandbox.Faults{ResultType: "Image/PNG; q=1"}, "", "out/shoot/a.png", ""},
		"a review folder of its own":     {sandbox.Faults{ResultIs: "text"}, "review: look/here", "look/here/shoot/a.png", "no picture"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, studio{sandbox: sandbox.Options{Faults: c.faults}, folder: c.folder}, func(w *world) {
				w.drop("shoot/a.jpg", picture(1))
				w.until("it is done", time.Hour, func() bool { return w.counts()[store.Delivered]+w.counts()[store.Failed] == 1 })
				job := w.job("shoot/a.jpg")
				want := []string{"in/shoot/a.jpg", c.file}
				if c.why != "" {
					want = append(want, c.file+".reason.txt")
					reason, _ := os.ReadFile(filepath.Join(w.dir, c.file+".reason.txt"))
					for _, text := range []string{string(reason), job.Error} {
						if !strings.Contains(text, c.why) || !strings.Contains(text, "'hotfolder redeliver "+job.ID+"'") {
							t.Errorf("of %q is said %q", c.why, text)
						}
					}
				}
				if delivered := job.State == store.Delivered; delivered != (c.why == "") || delivered != (job.Output != "") {
					t.Errorf("the job is %s, its output %q", job.State, job.Output)
				}
				w.wantFiles(want...)
				w.wantPaid(1)
			})
		})
	}
}

// wantFiles wants exactly these files in the world, besides the agent's own.
func (w *world) wantFiles(want ...string) {
	w.Helper()
	files := w.files(".")
	maps.DeleteFunc(files, func(name, _ string) bool { return strings.HasPrefix(name, "data/") || name == "credentials.json" })
	if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		w.Errorf("there is %q\nwant     %q", got, slices.Sorted(slices.Values(want)))
	}
}

// What lies in the review folder already is not overwritten, and a result that was moved to the output by hand is taken for delivered.
func TestReviewOverwritesNothing(t *testing.T) {
	in(t, studio{sandbox: sandbox.Options{Faults: sandbox.Faults{ResultIs: "text"}}}, func(w *world) {
		w.write("review/a.png", []byte("somebody's"))
		w.write("review/a_2.png.reason.txt", []byte("somebody's reason"))
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Failed)
		w.wantFiles("in/a.jpg", "review/a.png", "review/a_2.png.reason.txt", "review/a_3.png", "review/a_3.png.reason.txt")
		if err := os.Rename(filepath.Join(w.dir, "review/a_3.png"), filepath.Join(w.dir, "out/a.png")); err != nil {
			t.Fatal(err)
		}
		if _, err := w.agent.Retry(t.Context(), agent.RetryRequest{All: true}); err != nil {
			t.Fatal(err)
		}
		w.settle(1, store.Delivered)
		w.wantFiles("in/a.jpg", "out/a.png", "review/a.png", "review/a_2.png.reason.txt", "review/a_3.png.reason.txt")
	})
}

// Wherever the agent dies, a result that cannot be right is in the review folder once, with its reason, and paid for once.
func TestCrashesWhileAResultIsHeldBack(t *testing.T) {
	for name, c := range map[string]crash{
		"killed":                  {},
		"killed, to another disk": {scene: scene{disk: otherDisk}},
		"power cut":               {power: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everyNth(t, func(n int) (more bool) {
				bad := sandbox.Options{Faults: sandbox.Faults{ResultIs: "half"}}
				in(t, studio{sandbox: bad, idle: true}, func(w *world) {
					w.drop("a.jpg", picture(1))
					var last string
					more, last = w.dieBefore(n, c.disk, c.power, func() bool { return w.counts()[store.Failed] == 1 })
					w.wantFiles("in/a.jpg", "review/a.png", "review/a.png.reason.txt")
					w.wantPaid(1)
					if w.Failed() {
						w.Logf("the agent died before thing %d: %s", n, last)
					}
				})
				return more
			})
		})
	}
}
