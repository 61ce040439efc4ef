package agent_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hotfolder/sandbox"
	"hotfolder/store"
	"hotfolder/watcher"
)

// An agent is not started again for what passes by itself, nor for having nothing to do.
func TestPulseThroughTrouble(t *testing.T) {
	in(t, studio{}, func(w *world) {
		wantPulse := func(when string) {
			for range 3 {
				time.Sleep(time.Hour)
				if err := w.agent.Pulse(); err != nil {
					w.Fatalf("%s: %v", when, err)
				}
			}
		}
		wantPulse("idle")
		w.sandbox.SetFaults(sandbox.Faults{ServerError: sandbox.Chance{P: 1}})
		w.drop("a.jpg", picture(1))
		wantPulse("API away")
		w.sandbox.SetFaults(sandbox.Faults{DropAfter: sandbox.Chance{P: 1, At: []string{sandbox.Create}}, ListLag: time.Hour})
		w.until("a create without an answer", time.Hour, func() bool { return w.counts()[store.Submitting] == 1 })
		w.sandbox.SetFaults(sandbox.Faults{TooMany: sandbox.Chance{P: 1}, RetryAfter: time.Hour})
		wantPulse("API away while there is something to look up")
		w.sandbox.SetFaults(sandbox.Faults{InQA: 1, QAFor: 100 * time.Hour})
		w.drop("b.jpg", picture(2))
		w.until("it waits for a person", 3*time.Hour, func() bool { return w.counts()[store.InQA] == 1 })
		wantPulse("a long wait")
		w.sandbox.SetFaults(sandbox.Faults{ServerError: sandbox.Chance{P: 1}})
		wantPulse("API away while there is something to ask for")
		w.sandbox.SetFaults(sandbox.Faults{})
		if err := os.Rename(filepath.Join(w.dir, "in"), filepath.Join(w.dir, "unmounted")); err != nil {
			w.Fatal(err)
		}
		wantPulse("input away")
	})
}

// Nor because the API is slow.
func TestPulseThroughALongRound(t *testing.T) {
	in(t, studio{config: "api: {timeout: 90s}"}, func(w *world) {
		w.sandbox.SetFaults(sandbox.Faults{InQA: 1, QAFor: 100 * time.Hour})
		for i := range 10 {
			w.drop(fmt.Sprintf("%d.jpg", i), picture(i))
		}
		w.settle(10, store.InQA)
		w.sandbox.SetFaults(sandbox.Faults{Latency: 85 * time.Second, ListLag: time.Hour}) // so that each is asked for by itself
		for range 60 {
			time.Sleep(time.Minute)
			if err := w.agent.Pulse(); err != nil {
				w.Fatal(err)
			}
		}
	})
}

func TestPulseOfAStuckStage(t *testing.T) {
	in(t, studio{idle: true}, func(w *world) {
		a, closeAll := w.open(false)
		defer closeAll()
		end := make(chan struct{})
		a.Jam(end)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- a.Run(ctx) }()
		time.Sleep(5 * time.Minute)
		if err := a.Pulse(); err != nil {
			w.Errorf("too soon: %v", err)
		}
		time.Sleep(6 * time.Minute)
		if err := a.Pulse(); err == nil || !strings.Contains(err.Error(), "upload") {
			w.Errorf("got %v", err)
		}
		cancel()
		close(end)
		if err := <-ended; err != nil {
			w.Error(err)
		}
	})
}

// A call that never returns, whatever its context says.
func TestPulseOfAStuckLoop(t *testing.T) {
	for what, s := range map[string]struct {
		faults sandbox.Faults
		state  store.State
	}{
		"asked how the executions fare": {sandbox.Faults{InQA: 1, QAFor: 100 * time.Hour}, store.InQA},
		"looked for lost executions":    {sandbox.Faults{DropAfter: sandbox.Chance{P: 1, At: []string{sandbox.Create}}, ListLag: time.Hour}, store.Submitting},
	} {
		t.Run(what, func(t *testing.T) {
			in(t, studio{idle: true, sandbox: sandbox.Options{Faults: s.faults}}, func(w *world) {
				end := make(chan struct{})
				var stuck atomic.Bool
				w.transport = stuckLine{w.sandbox.InProcess(), &stuck, end}
				w.start()
				w.drop("a.jpg", picture(1))
				w.settle(1, s.state)
				stuck.Store(true)
				time.Sleep(5 * time.Minute)
				if err := w.agent.Pulse(); err != nil {
					t.Errorf("too soon: %v", err)
				}
				time.Sleep(3 * time.Hour)
				if err := w.agent.Pulse(); err == nil || !strings.Contains(err.Error(), what) {
					t.Errorf("got %v", err)
				}
				close(end)
				time.Sleep(time.Minute)
				if err := w.agent.Pulse(); err != nil {
					t.Errorf("when it is over: %v", err)
				}
			})
		})
	}
}

func TestPulseOfAStuckWatcher(t *testing.T) {
	in(t, studio{idle: true}, func(w *world) {
		end := make(chan struct{})
		w.events = func() (watcher.Events, error) { <-end; return nil, nil }
		w.start()
		time.Sleep(9 * time.Minute)
		if err := w.agent.Pulse(); err != nil {
			t.Errorf("too soon: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if err := w.agent.Pulse(); err == nil || !strings.Contains(err.Error(), "watched the hot folder packshots") {
			t.Errorf("got %v", err)
		}
		close(end)
		time.Sleep(time.Minute)
		if err := w.agent.Pulse(); err != nil {
			t.Errorf("when it is over: %v", err)
		}
	})
}

// stuckLine leaves who asks for executions without an answer until the end.
type stuckLine struct {
	http.RoundTripper
	stuck *atomic.Bool
	end   <-chan struct{}
}

func (l stuckLine) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.stuck.Load() && r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/workflow/execution") {
		<-l.end
	}
	return l.RoundTripper.RoundTrip(r)
}

// A ledger that cannot be read any more is a reason to open it anew.
func TestPulseWithoutLedger(t *testing.T) {
	in(t, studio{idle: true}, func(w *world) {
		a, closeAll := w.open(false)
		closeAll()
		if err := a.Pulse(); err == nil || !strings.Contains(err.Error(), "ledger") {
			w.Errorf("got %v", err)
		}
	})
}
