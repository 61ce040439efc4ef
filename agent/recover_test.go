package agent_test

import (
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotfolder/agent"
	"hotfolder/sandbox"
	"hotfolder/store"
)

// recover rebuilds the ledger of an agent that does not run.
func (w *world) recover(dryRun bool) (agent.Recovery, error) {
	w.Helper()
	o := agent.RecoverOptions{
		Config: w.cfg, API: w.api(), Log: slog.New(slog.NewTextHandler(&w.logged, nil)),
	}
	if dryRun {
		return agent.Recover(w.Context(), o)
	}
	l := w.ledger()
	defer l.Close()
	o.Open = func() (*store.Ledger, error) { return l, nil }
	found, err := agent.Recover(w.Context(), o)
	if err := l.Verify(w.Context()); err != nil {
		w.Error(err)
	}
	return found, err
}

func (w *world) mustRecover(dryRun bool) agent.Recovery {
	w.Helper()
	found, err := w.recover(dryRun)
	if err != nil {
		w.Fatal(err)
	}
	return found
}

func TestRecoverInEveryState(t *testing.T) {
	in(t, studio{}, func(w *world) {
		names := w.everyState()
		w.drop("new.jpg", picture(8))
		w.settle(1, store.Uploaded)
		before := w.outputs()
		w.loseLedger()
		want := map[store.State]int{
			store.Delivered: 3, store.InQA: 1, store.Processing: 1, store.Failed: 1, store.Downloading: 1, store.PaymentRequired: 1,
		}
		for _, dryRun := range []bool{true, false} {
			found := w.mustRecover(dryRun)
			if !maps.Equal(found.Jobs, want) || found.Files != 9 || found.Executions != 7 || found.ByContent != 1 || found.New != 1 ||
				found.Unmatched+found.Twice+found.Unreadable+found.Before+found.NoOriginal != 0 || !found.Reconciled {
				w.Errorf("dry run %v: %+v", dryRun, found)
			}
		}
		if n := len(w.sandbox.Books().Executions); n != 7 {
			w.Errorf("%d executions", n)
		}
		w.sandbox.SetFaults(sandbox.Faults{})
		w.start()
		for _, name := range []string{"a.jpg", "shoot/b.jpg", "shoot/twin.jpg"} {
			if job := w.job(name); before[job.Output] == "" || before[job.Output] != job.Result.SHA256 {
				w.Errorf("%s has the result %q, %.8s", name, job.Output, job.Result.SHA256)
			}
		}
		w.sandbox.SetCredits(1000)
		if _, err := w.agent.Retry(t.Context(), agent.RetryRequest{All: true}); err != nil {
			t.Fatal(err)
		}
		w.until("all delivered", 12*time.Hour, func() bool { return w.counts()[store.Delivered] == 9 })
		w.wantOutputs(append(names, "new.png")...)
		w.wantPaid(8)
		if n := w.sandbox.Books().Calls[sandbox.Create]; n != 8 {
			w.Errorf("%d creates", n)
		}
	})
}

// The path of an original that is gone is known by the label.
func TestRecoverWithoutTheOriginals(t *testing.T) {
	for name, keys := range map[string]string{
		"deleted": "after_success: delete",
		"moved":   "after_success: move\nprocessed: done",
	} {
		t.Run(name, func(t *testing.T) {
			in(t, studio{folder: keys}, func(w *world) {
				w.drop("a.jpg", picture(1))
				w.drop("shoot 1/b.jpg", picture(2))
				w.settle(2, store.Delivered)
				w.drop("shoot 1/b.jpg", picture(3)) // another content of the same file: its result takes the name
				w.settle(3, store.Delivered)
				w.write("out/a.png", []byte("edited"))
				w.loseLedger()
				found := w.mustRecover(false)
				if found.Jobs[store.Delivered] != 3 || found.NoOriginal != 3 || found.Unmatched != 0 || found.Files != 0 {
					w.Errorf("%+v", found)
				}
				w.start()
				w.drop("a.jpg", picture(1)) // the same again
				time.Sleep(time.Hour)
				w.wantPaid(3)
				if got := w.job("shoot 1/b.jpg"); got.State != store.Delivered {
					w.Errorf("%+v", got)
				}
				if got := w.outputs(); len(got) != 2 {
					w.Errorf("outputs %v", got)
				}
			})
		})
	}
}

// What no file belongs to is named, and what was paid for elsewhere is taken.
func TestRecoverFromElsewhere(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Delivered)
		label := map[string]string{"hotfolder_job": w.job("a.jpg").ID}
		w.loseLedger()
		w.createElsewhere(picture(1), label)
		w.createElsewhere(picture(2), nil)
		other := w.createElsewhere(picture(3), map[string]string{"hotfolder_job": "another's"})
		time.Sleep(time.Minute)
		w.sandbox.SetFaults(sandbox.Faults{Slow: 1, SlowFor: time.Hour})
		w.createElsewhere(picture(4), nil)
		for name, n := range map[string]int{"b.jpg": 2, "c.jpg": 3, "d.jpg": 4, "d again.jpg": 4} {
			w.drop(name, picture(n))
		}
		found := w.mustRecover(false)
		if found.Twice != 1 || found.Unmatched != 1 || found.Named[0].Execution != other || found.ByContent != 3 || found.New != 0 {
			w.Errorf("%+v", found)
		}
		w.start()
		w.until("all delivered", 3*time.Hour, func() bool { return w.counts()[store.Delivered] == 5 })
		w.wantPaid(5)
		if credits, err := w.agent.Status(t.Context()); err != nil || credits.Account.CreditsToday != 10 {
			w.Errorf("%d credits are booked, %v", credits.Account.CreditsToday, err)
		}
	})
}

// What was broken off is done anew on the same ledger; an agent that comes before that pays for nothing again either.
func TestRecoverBrokenOff(t *testing.T) {
	for _, again := range []bool{true, false} {
		in(t, studio{sandbox: sandbox.Options{Processing: time.Millisecond}}, func(w *world) {
			const n = 60 // more than a page
			for i := range n {
				w.drop(string(rune('0'+i))+".jpg", picture(i))
			}
			w.settle(n, store.Delivered)
			w.loseLedger()
			w.sandbox.SetFaults(sandbox.Faults{ServerError: sandbox.Chance{P: 0.7, At: []string{sandbox.Executions}}})
			failed := 0
			for range 6 {
				if _, err := w.recover(false); err != nil {
					failed++
				}
			}
			w.sandbox.SetFaults(sandbox.Faults{})
			if failed == 0 {
				w.Error("it never failed")
			}
			if again {
				if found := w.mustRecover(false); found.Before != n {
					w.Errorf("%+v", found)
				}
			}
			w.start()
			w.settle(n, store.Delivered)
			w.wantPaid(n)
		})
	}
}

// A copy of the ledger that is older than the last executions: its jobs take theirs.
func TestRecoverOnACopy(t *testing.T) {
	in(t, studio{config: "limits: {credits_per_day: 1}"}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Uploaded)
		job := w.job("a.jpg")
		l := w.halted()
		copied, err := l.Backup(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		w.createElsewhere(picture(1), map[string]string{"hotfolder_job": job.ID}) // as the agent did before the ledger was lost
		if err := os.Rename(copied, filepath.Join(w.dir, "data", "ledger.db")); err != nil {
			t.Fatal(err)
		}
		if found := w.mustRecover(false); found.Before != 1 || found.Reconciled {
			w.Errorf("%+v", found)
		}
		w.configure(studio{})
		w.start()
		w.settle(1, store.Delivered)
		w.wantPaid(1)
	})
}

// halted stops the agent and opens its ledger.
func (w *world) halted() *store.Ledger {
	w.Helper()
	w.halt()
	return w.ledger()
}

func TestRecoverNeedsTheFolders(t *testing.T) {
	for _, dir := range []string{"in", "out"} {
		in(t, studio{}, func(w *world) {
			w.loseLedger()
			if err := os.Rename(filepath.Join(w.dir, dir), filepath.Join(w.dir, "away")); err != nil {
				t.Fatal(err)
			}
			if _, err := w.recover(true); err == nil || !strings.Contains(err.Error(), "packshots") || !strings.Contains(err.Error(), "connect it first") {
				w.Errorf("without %s: %v", dir, err)
			}
		})
	}
}
