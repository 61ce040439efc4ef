package agent_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotfolder/sandbox"
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
		if err := os.Rename(filepath.Join(w.dir, "in"), filepath.Join(w.dir, "unmounted")); err != nil {
			w.Fatal(err)
		}
		wantPulse("input away")
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
