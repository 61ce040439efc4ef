package agent_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hotfolder/agent"
	"hotfolder/store"
)

// Two people ask for the same failed picture, and the second one's list is older than what the first one brought about: the picture,
// for which an execution was just being created, was queued again then, and paid for twice.
func TestTwoPeopleRetryAtOnce(t *testing.T) {
	in(t, studio{idle: true}, func(w *world) {
		api := &gruffAPI{next: w.sandbox.InProcess()}
		api.refuses.Store(true)
		w.transport = api
		w.start()
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Failed)

		api.refuses.Store(false)
		retry := func(ctx context.Context) agent.Retried {
			done, err := w.agent.Retry(ctx, agent.RetryRequest{All: true})
			if err != nil {
				t.Errorf("retry: %v", err)
			}
			return done
		}
		second := retry(slowReader{w.Context(), func() {
			if first := retry(w.Context()); first.Jobs != 1 {
				t.Errorf("the first one retried %d jobs", first.Jobs)
			}
			w.settle(1, store.Submitting)
		}})
		if second.Jobs != 0 {
			t.Error("the second one is told that something was retried")
		}
		w.settle(1, store.Delivered)
		time.Sleep(time.Minute)
		w.wantPaid(1)
	})
}

// A job stays in the hand of the stage that fails it until that is in the ledger: its execution was asked for once more otherwise.
func TestAJobThatFailsIsNotTakenAgain(t *testing.T) {
	in(t, studio{idle: true}, func(w *world) {
		api := &gruffAPI{next: w.sandbox.InProcess()}
		api.refuses.Store(true)
		w.transport = api
		w.watch(func(op, what string) error {
			if op == "ledger: step to" && what == string(store.Failed) {
				w.drop("b.jpg", picture(2)) // has the stage look for more
				time.Sleep(time.Minute)     // a slow disk
			}
			return nil
		}, oneDisk, nil)
		w.start()
		w.drop("a.jpg", picture(1))
		w.settle(2, store.Failed)
		if n := api.creates.Load(); n != 2 {
			t.Errorf("%d executions were asked for, want one for each picture", n)
		}
	})
}

// slowReader is the context of somebody who is held up after each job that he was shown.
type slowReader struct {
	context.Context
	meanwhile func()
}

func (s slowReader) Err() error {
	s.meanwhile()
	return nil
}

// gruffAPI takes its time over creates, and refuses them as the picture's fault if it likes.
type gruffAPI struct {
	next    http.RoundTripper
	refuses atomic.Bool
	creates atomic.Int64
}

func (g *gruffAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/execution/create") {
		return g.next.RoundTrip(r)
	}
	g.creates.Add(1)
	if g.refuses.Load() {
		r.Body.Close()
		return &http.Response{
			StatusCode: http.StatusUnprocessableEntity, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
			Body: io.NopCloser(strings.NewReader(`{"status":422,"message":"no product found"}`)),
		}, nil
	}
	resp, err := g.next.RoundTrip(r)
	time.Sleep(40 * time.Second)
	return resp, err
}
