package agent_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hotfolder/autoretouch"
	"hotfolder/sandbox"
	"hotfolder/store"
)

// loseLedger stops the agent and takes its ledger away with all copies.
func (w *world) loseLedger() {
	w.Helper()
	w.halt()
	for _, name := range []string{"ledger.db", "copies"} {
		if err := os.RemoveAll(filepath.Join(w.dir, "data", name)); err != nil {
			w.Fatal(err)
		}
	}
}

func (w *world) api() *autoretouch.Client {
	w.Helper()
	api, err := autoretouch.New(autoretouch.Options{
		URL: w.cfg.API.URL, AuthURL: w.cfg.API.AuthURL, ClientID: w.cfg.API.ClientID, Organization: w.cfg.Account.Organization,
		UserAgent: "hotfolder-test", Timeout: w.cfg.API.Timeout, Credentials: w.credentials, Transport: w.sandbox.InProcess(),
	})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(api.Close)
	return api
}

// createElsewhere uploads a picture and creates an execution of it that is not the agent's.
func (w *world) createElsewhere(data []byte, labels map[string]string) (id string) {
	w.Helper()
	api := w.api()
	image := autoretouch.Image{Name: "elsewhere.jpg", ContentType: "image/jpeg", Size: int64(len(data))}
	hash, err := api.Upload(w.Context(), image, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
	if err == nil {
		id, err = api.Create(w.Context(), autoretouch.NewExecution{
			Workflow: sandbox.PackshotWhite, Name: image.Name, ContentHash: hash, ContentType: image.ContentType, Labels: labels,
		})
	}
	if err != nil {
		w.Fatal(err)
	}
	return id
}

// everyState drops pictures and leaves a job in each state that an execution can have, one with a result to be fetched among them.
func (w *world) everyState() (names []string) {
	w.Helper()
	drop := func(name string, seed int, f sandbox.Faults, state store.State) {
		w.sandbox.SetFaults(f)
		n := w.counts()[state] + 1
		w.drop(name, picture(seed))
		w.until(name+" "+string(state), time.Hour, func() bool { return w.counts()[state] == n })
	}
	drop("a.jpg", 1, sandbox.Faults{}, store.Delivered)
	drop("shoot/b.jpg", 2, sandbox.Faults{}, store.Delivered)
	drop("shoot/twin.jpg", 1, sandbox.Faults{}, store.Delivered)
	drop("qa.jpg", 3, sandbox.Faults{InQA: 1, QAFor: 3 * time.Hour}, store.InQA)
	drop("slow.jpg", 4, sandbox.Faults{Slow: 1, SlowFor: 3 * time.Hour}, store.Processing)
	drop("failed.jpg", 5, sandbox.Faults{Fail: 1, FailTimes: 3}, store.Failed)
	noDownload := sandbox.Faults{ServerError: sandbox.Chance{P: 1, At: []string{sandbox.Download}}}
	drop("fetch.jpg", 6, noDownload, store.Downloading)
	w.sandbox.SetCredits(0)
	drop("poor.jpg", 7, noDownload, store.PaymentRequired)
	return []string{"a.png", "shoot/b.png", "shoot/twin.png", "qa.png", "slow.png", "failed.png", "fetch.png", "poor.png"}
}

// A fresh ledger beside an account that knows the pictures: what is paid for is fetched or found in the output folder.
func TestALedgerThatIsLostUnnoticed(t *testing.T) {
	for name, config := range map[string]string{"at leisure": "", "with little left for the day": "limits: {credits_per_day: 80}"} {
		t.Run(name, func(t *testing.T) {
			in(t, studio{config: config}, func(w *world) {
				names := w.everyState()
				w.loseLedger()
				w.sandbox.SetCredits(1000)
				w.sandbox.SetFaults(sandbox.Faults{})
				w.start()
				w.drop("new.jpg", picture(8))
				w.until("all delivered", 12*time.Hour, func() bool { return w.counts()[store.Delivered] == 9 })
				w.wantOutputs(append(names, "new.png")...)
				w.wantPaid(8)
				w.wantReconciled(true)
			})
		})
	}
}

func (w *world) wantReconciled(want bool) {
	w.Helper()
	time.Sleep(time.Minute)
	w.halt()
	l := w.ledger()
	if yes, err := l.Reconciled(); yes != want || err != nil {
		w.Errorf("the ledger is reconciled: %v, %v; want %v", yes, err, want)
	}
	if err := l.Close(); err != nil {
		w.Error(err)
	}
	w.start()
}

// The executions of the last seconds show in the list only later.
func TestALedgerIsLostAndTheListLags(t *testing.T) {
	in(t, studio{sandbox: sandbox.Options{Faults: sandbox.Faults{ListLag: 20 * time.Second}}}, func(w *world) {
		w.drop("old.jpg", picture(0))
		w.settle(1, store.Delivered)
		time.Sleep(time.Minute)
		for i := range 5 {
			w.drop(fmt.Sprintf("%d.jpg", i), picture(i+1))
		}
		w.settle(5, store.Processing)
		w.loseLedger()
		w.start()
		w.settle(6, store.Delivered)
		w.wantPaid(6)
	})
}

// A file that comes only when the folder is back is found in the account, too, whatever restarts lie between.
func TestALedgerIsLostWhileTheFolderIsOffline(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Delivered)
		w.loseLedger()
		input, away := filepath.Join(w.dir, "in"), filepath.Join(w.dir, "away")
		if err := os.Rename(input, away); err != nil {
			t.Fatal(err)
		}
		w.start()
		time.Sleep(time.Hour)
		w.wantReconciled(false)
		if err := os.Rename(away, input); err != nil {
			t.Fatal(err)
		}
		w.settle(1, store.Delivered)
		w.wantPaid(1)
		w.wantReconciled(true)
	})
}

// What another computer or a person in the web app had done with a picture is not paid for again.
func TestAResultFromElsewhere(t *testing.T) {
	for mode, paid := range map[string]int{"duplicates: reuse": 1, "duplicates: process": 2, "settings: {background: white}": 2} {
		t.Run(mode, func(t *testing.T) {
			in(t, studio{folder: mode}, func(w *world) {
				w.loseLedger()
				w.createElsewhere(picture(1), map[string]string{"hotfolder_job": "another's"})
				w.drop("a.jpg", picture(1))
				w.start()
				w.settle(1, store.Delivered)
				w.wantPaid(paid)
				w.wantOutputs("a.png")
				if got, want := w.job("a.jpg").Credits, 10*(paid-1); got != want {
					t.Errorf("%d credits are booked, want %d", got, want)
				}
			})
		})
	}
}

// A reconciled ledger costs no look at the account at the next start.
func TestTheAccountIsLookedThroughOnce(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.wantReconciled(true)
		before := w.sandbox.Books().Calls[sandbox.Executions]
		w.restart()
		time.Sleep(time.Hour)
		if n := w.sandbox.Books().Calls[sandbox.Executions] - before; n != 0 {
			w.Errorf("%d calls of the list at a later start", n)
		}
	})
}

// While the list can't be read nothing is spent.
func TestNothingIsSpentBeforeTheAccountIsKnown(t *testing.T) {
	in(t, studio{sandbox: sandbox.Options{Faults: sandbox.Faults{ServerError: sandbox.Chance{P: 1, At: []string{sandbox.Executions}}}}}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Uploaded)
		time.Sleep(8 * time.Hour)
		w.wantPaid(0)
		w.sandbox.SetFaults(sandbox.Faults{})
		w.settle(1, store.Delivered)
		w.wantPaid(1)
	})
}
