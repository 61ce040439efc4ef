package agent_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotfolder/agent"
	"hotfolder/sandbox"
	"hotfolder/store"
)

// redeliver asks for results and wants this to come of it.
func (w *world) redeliver(r agent.RedeliverRequest, want agent.Redelivered) {
	w.Helper()
	if done, err := w.agent.Redeliver(w.Context(), r); err != nil || done != want {
		w.Errorf("redeliver %+v: %+v, %v; want %+v", r, done, err, want)
	}
}

func (w *world) remove(names ...string) {
	w.Helper()
	for _, name := range names {
		if err := os.Remove(filepath.Join(w.dir, name)); err != nil {
			w.Fatal(err)
		}
	}
}

// Results that are gone come back, and those that were edited come beside what they became; the others are left alone, and nothing
// is paid.
func TestRedeliver(t *testing.T) {
	for _, onConflict := range []string{"rename", "overwrite", "skip"} {
		t.Run(onConflict, func(t *testing.T) {
			in(t, studio{folder: "after_success: delete\non_conflict: " + onConflict}, func(w *world) {
				for i, name := range []string{"a.jpg", "b.jpg", "shoot/c.jpg", "shoot/d.jpg"} {
					w.drop(name, picture(i))
				}
				w.settle(4, store.Delivered)
				before := w.outputs()
				w.remove("out/a.png", "out/shoot/c.png")
				w.write("out/b.png", []byte("edited"))

				w.redeliver(agent.RedeliverRequest{IDs: []string{w.job("shoot/d.jpg").ID}}, agent.Redelivered{There: 1})
				w.redeliver(agent.RedeliverRequest{Missing: true, Filter: store.Filter{Path: "shoot"}}, agent.Redelivered{Jobs: 1, There: 1})
				w.settle(4, store.Delivered)
				w.redeliver(agent.RedeliverRequest{Missing: true}, agent.Redelivered{Jobs: 1, There: 3}) // what was edited is not missing
				w.settle(4, store.Delivered)
				w.redeliver(agent.RedeliverRequest{Filter: store.Filter{Folder: "packshots"}}, agent.Redelivered{Jobs: 1, There: 3})
				w.settle(4, store.Delivered)

				before["b_2.png"] = before["b.png"]
				before["b.png"] = sum([]byte("edited"))
				for name, sum := range w.outputs() {
					if before[name] != sum {
						t.Errorf("%s is not what it should be", name)
					}
					delete(before, name)
				}
				if len(before) > 0 {
					t.Errorf("not there: %v", keys(before))
				}
				if got := w.job("b.jpg").Output; got != "b_2.png" {
					t.Errorf("the output of the edited one is %q", got)
				}
				w.wantPaid(4)
			})
		})
	}
}

// Without a running agent the request is kept in the ledger, and the next run brings the result.
func TestRedeliverWhileTheAgentIsOff(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Delivered)
		id := w.job("a.jpg").ID
		w.halt()
		w.remove("out/a.png")
		l := w.ledger()
		books := agent.Books{Config: w.cfg, Ledger: l}
		if done, err := books.Redeliver(t.Context(), agent.RedeliverRequest{IDs: []string{id[:8]}}); err != nil || done.Jobs != 1 {
			t.Errorf("redeliver: %+v, %v", done, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		w.start()
		w.settle(1, store.Delivered)
		w.wantOutputs("a.png")
		w.wantPaid(1)
	})
}

// A result that lost its name to that of a re-shoot does not take it back.
func TestRedeliverOfAnOlderVersion(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Delivered)
		older := w.job("a.jpg").ID
		w.drop("a.jpg", picture(2))
		w.settle(2, store.Delivered)
		newer := w.outputs()["a.png"]
		w.redeliver(agent.RedeliverRequest{Missing: true}, agent.Redelivered{There: 1})
		w.redeliver(agent.RedeliverRequest{IDs: []string{older}}, agent.Redelivered{Jobs: 1})
		w.settle(2, store.Delivered)
		w.wantOutputs("a.png", "a_2.png")
		if w.outputs()["a.png"] != newer {
			t.Error("the newer result was replaced")
		}
		w.wantPaid(2)
	})
}

// The id of a job whose result is in the review folder delivers that result as it is.
func TestRedeliverTakesAResultAsItIs(t *testing.T) {
	in(t, studio{sandbox: sandbox.Options{Faults: sandbox.Faults{ResultIs: "input"}}}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Failed)
		w.redeliver(agent.RedeliverRequest{Missing: true}, agent.Redelivered{})
		w.redeliver(agent.RedeliverRequest{IDs: []string{w.job("a.jpg").ID}}, agent.Redelivered{Jobs: 1})
		w.settle(1, store.Delivered)
		w.wantFiles("in/a.jpg", "out/a.jpg", "review/a.jpg", "review/a.jpg.reason.txt")
		w.remove("out/a.jpg")
		w.redeliver(agent.RedeliverRequest{Missing: true}, agent.Redelivered{Jobs: 1}) // it is still accepted
		w.settle(1, store.Delivered)
		w.wantPaid(1)
	})
}

// A result that AutoRetouch no longer has is said to be gone; that its job was delivered stays known, and nothing is bought anew.
func TestRedeliverOfWhatIsGone(t *testing.T) {
	in(t, studio{folder: "failed: failed"}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Delivered)
		w.drop("same.jpg", picture(1)) // has the result of the other one
		w.settle(2, store.Delivered)
		w.sandbox.RemoveImage(w.job("a.jpg").Result.SHA256)
		delivered := w.job("same.jpg").DeliveredAt
		w.remove("out/a.png", "out/same.png")
		w.redeliver(agent.RedeliverRequest{Missing: true}, agent.Redelivered{Jobs: 2})
		w.until("they fail", 2*time.Hour, func() bool { return w.counts()[store.Failed] == 2 })
		job := w.job("same.jpg")
		if !job.DeliveredAt.Equal(delivered) || job.Output != "same.png" || !strings.Contains(job.Error, "no longer has the result") {
			t.Errorf("delivered %v (was %v), output %q, error %q", job.DeliveredAt, delivered, job.Output, job.Error)
		}
		w.wantFiles("in/a.jpg", "in/same.jpg")
		w.wantPaid(1)
	})
}

func TestRedeliverRefuses(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Delivered)
		id := w.job("a.jpg").ID
		w.drop("letter.jpg", letter)
		w.settle(1, store.Failed)
		for _, wrong := range []struct {
			id string
			is error
		}{{"nonsense", store.ErrNotFound}, {w.job("letter.jpg").ID, store.ErrStep}} {
			if _, err := w.agent.Redeliver(t.Context(), agent.RedeliverRequest{IDs: []string{wrong.id}}); !errors.Is(err, wrong.is) {
				t.Errorf("redeliver %s: %v", wrong.id, err)
			}
		}
		if err := os.Rename(filepath.Join(w.dir, "out"), filepath.Join(w.dir, "away")); err != nil {
			t.Fatal(err)
		}
		for _, r := range []agent.RedeliverRequest{{Missing: true}, {IDs: []string{id}}} {
			if done, err := w.agent.Redeliver(t.Context(), r); err == nil || done.Jobs > 0 || !strings.Contains(err.Error(), "connect it first") {
				t.Errorf("with the output folder away: %+v, %v", done, err)
			}
		}
		if got := w.job("a.jpg").State; got != store.Delivered {
			t.Errorf("the job is %s", got)
		}
	})
}
