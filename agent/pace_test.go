package agent_test

import (
	"fmt"
	"testing"
	"time"

	"hotfolder/sandbox"
	"hotfolder/store"
)

// Once the API was seen to finish pictures, it is asked when the next one is expected, and hardly ever before.
func TestPollingKnowsHowLongAWorkflowTakes(t *testing.T) {
	in(t, studio{config: "polling: {min: 1s, max: 30s}", sandbox: sandbox.Options{Processing: 40 * time.Second}}, func(w *world) {
		const learned, n = 10, 20
		for i := range learned {
			w.drop(fmt.Sprintf("a%d.jpg", i), picture(1000+i))
		}
		w.settle(learned, store.Delivered)
		before := w.statusCalls()
		for i := range n {
			w.drop(fmt.Sprintf("b%02d.jpg", i), picture(i))
			time.Sleep(time.Minute)
		}
		w.settle(learned+n, store.Delivered)
		if lags := w.lags("b"); lags[n-1] > time.Second {
			t.Errorf("results came %v after their completion", lags)
		}
		if calls := w.statusCalls() - before; calls > 3*n {
			t.Errorf("%d status calls for %d pictures", calls, n)
		}
	})
}

// Where the API takes now long, now short, it is asked no less often than if nothing were known of it.
func TestPollingOfAWorkflowThatTakesNowLongNowShort(t *testing.T) {
	in(t, studio{
		config:  "polling: {min: 1s, max: 30s}",
		sandbox: sandbox.Options{Processing: 5 * time.Second, Seed: 3, Faults: sandbox.Faults{Slow: 0.5, SlowFor: 50 * time.Second}},
	}, func(w *world) {
		const n = 60
		for i := range n {
			w.drop(fmt.Sprintf("%02d.jpg", i), picture(i))
			time.Sleep(20 * time.Second)
		}
		w.settle(n, store.Delivered)
		if lags := w.lags(""); lags[n/2] > 3*time.Second || lags[n-1] > 15*time.Second {
			t.Errorf("results came %v after their completion", lags)
		}
	})
}

// The last of many wait for no round that comes too early for them.
func TestTheLastOfManyAreSeenTogether(t *testing.T) {
	config := "polling: {min: 10s, max: 2m}\nlimits: {uploads: 1}"
	in(t, studio{config: config, sandbox: sandbox.Options{Processing: 60 * time.Second, Workers: 100}, idle: true}, func(w *world) {
		w.transport = &line{RoundTripper: w.sandbox.InProcess(), upload: 500 * time.Millisecond}
		w.start()
		for i := range 10 {
			w.drop(fmt.Sprintf("a%d.jpg", i), picture(1000+i))
		}
		w.settle(10, store.Delivered)
		for i := range 5 {
			w.drop(fmt.Sprintf("b%d.jpg", i), picture(i))
		}
		before := w.statusCalls()
		w.settle(15, store.Delivered)
		if lags := w.lags("b"); lags[4] > 6*time.Second {
			t.Errorf("results came %v after their completion", lags)
		}
		if calls := w.statusCalls() - before; calls > 2 {
			t.Errorf("%d status calls for the last five", calls)
		}
	})
}

// Of many that run a round asks for those that should be finished, where they stand in the list.
func TestRoundsPassOverWhatIsNotDue(t *testing.T) {
	in(t, studio{config: "limits: {uploads: 1}", sandbox: sandbox.Options{Processing: 30 * time.Second, Workers: 1000}, idle: true}, func(w *world) {
		w.transport = &line{RoundTripper: w.sandbox.InProcess(), upload: 100 * time.Millisecond}
		w.start()
		w.drop("first.jpg", picture(1000))
		w.settle(1, store.Delivered)
		before := w.statusCalls()
		const n = 300 // on six pages
		for i := range n {
			w.drop(fmt.Sprintf("%d.jpg", i), picture(i))
		}
		w.settle(1+n, store.Delivered)
		if lags := w.lags(""); lags[n*95/100] > 1500*time.Millisecond {
			t.Errorf("results came %v and more after their completion", lags[n*95/100:])
		}
		if calls := w.statusCalls() - before; calls > 130 { // three pages a second, and all of them at times
			t.Errorf("%d status calls", calls)
		}
	})
}

// Those that wait for a person at AutoRetouch are asked for, though rarely, whatever their workflow is.
func TestQAOfTwoWorkflows(t *testing.T) {
	in(t, studio{second: "settle: 2s", idle: true, sandbox: sandbox.Options{Faults: sandbox.Faults{InQA: 1, QAFor: 2 * time.Minute}}}, func(w *world) {
		w.cfg.Folders[1].Workflow = sandbox.CatalogueJPEG
		w.start()
		for i := range 5 {
			w.drop(fmt.Sprintf("%d.jpg", i), picture(i))
			w.write(fmt.Sprintf("in2/%d.jpg", i), picture(100+i))
			time.Sleep(10 * time.Second)
		}
		w.settle(10, store.Delivered)
		if lags := w.lags(""); lags[9] > 31*time.Second {
			t.Errorf("results came %v after their completion", lags)
		}
	})
}

// Of a workflow that nothing is known of the first results are not waited for in vain, however soon they come.
func TestTheFirstResultsAreSeenSoon(t *testing.T) {
	for processing := time.Second; processing < 6*time.Second; processing += 700 * time.Millisecond {
		in(t, studio{config: "polling: {min: 1s, max: 30s}", sandbox: sandbox.Options{Processing: processing}}, func(w *world) {
			w.drop("a.jpg", picture(1))
			w.drop("b.jpg", picture(2))
			w.settle(2, store.Delivered)
			if lags := w.lags(""); lags[1] > 1300*time.Millisecond {
				t.Errorf("results came %v after their completion in %v", lags, processing)
			}
		})
	}
}

// The longer an execution takes that nothing is known of, the more rarely it is asked for, down to polling.max.
func TestPollingOfAWorkflowThatNobodyHasSeenFinish(t *testing.T) {
	in(t, studio{config: "polling: {min: 1s, max: 30s}", sandbox: sandbox.Options{Processing: time.Hour}}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Processing)
		time.Sleep(2 * time.Minute)
		before := w.statusCalls()
		if before > 22 {
			t.Errorf("%d status calls in two minutes", before)
		}
		time.Sleep(30 * time.Minute)
		if calls := w.statusCalls() - before; calls < 60 || calls > 61 {
			t.Errorf("%d status calls in half an hour", calls)
		}
	})
}
