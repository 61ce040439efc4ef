package agent_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hotfolder/autoretouch"
	"hotfolder/sandbox"
	"hotfolder/store"
)

const (
	hookSecret  = "QKXEXAMPLESECRETOFTHETESTS"
	hookAddress = "https://studio.example/hooks/" + hookSecret
)

// post brings the sandbox's webhooks to the agent, through the handler that it has in the network, and keeps them.
type post struct {
	w *world

	mu   sync.Mutex
	sent [][]byte
}

func (p *post) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.sent = append(p.sent, body)
	p.mu.Unlock()
	return &http.Response{StatusCode: p.bring(r.URL.Path, body), Body: http.NoBody, Request: r}, nil
}

func (p *post) bring(path string, body []byte) int {
	answer := httptest.NewRecorder()
	autoretouch.Webhook(hookSecret, p.w.agent.Announced).ServeHTTP(answer, httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body)))
	return answer.Code
}

// inHooked runs a test in a world whose results are announced, as far as the faults let them be.
func inHooked(t *testing.T, s studio, test func(w *world, p *post)) {
	p := &post{}
	s.sandbox.Webhooks, s.idle = p, true
	in(t, s, func(w *world) {
		p.w, w.webhook = w, hookAddress
		w.start()
		test(w, p)
	})
}

// statusCalls are those that ask how executions fare.
func (w *world) statusCalls() int {
	calls := w.sandbox.Books().Calls
	return calls[sandbox.Executions] + calls[sandbox.Details]
}

// lags are the times from completion to delivery, of the jobs of the paths with a prefix.
func (w *world) lags(prefix string) (lags []time.Duration) {
	finished := map[string]time.Time{}
	for _, e := range w.sandbox.Books().Executions {
		finished[e.ID] = e.FinishedAt
	}
	for job, err := range w.agent.Jobs(w.Context(), store.Filter{}) {
		if err != nil {
			w.Fatal(err)
		}
		if strings.HasPrefix(job.Path, prefix) {
			lags = append(lags, job.DeliveredAt.Sub(finished[job.Execution]))
		}
	}
	slices.Sort(lags)
	return lags
}

const pollRarely = "polling: {min: 5s, max: 10m}"

// With announcements a result is there within a second, and fewer than one call a picture asks for it.
func TestAnnouncedResultsAreThereAtOnce(t *testing.T) {
	inHooked(t, studio{config: pollRarely, sandbox: sandbox.Options{Workers: 4, Processing: 20 * time.Second}}, func(w *world, _ *post) {
		const first, n = 15, 60
		for i := range first { // they show that announcements arrive
			w.drop(fmt.Sprintf("a%d.jpg", i), picture(1000+i))
		}
		w.settle(first, store.Delivered)
		before := w.statusCalls()
		for i := range n {
			w.drop(fmt.Sprintf("b%d.jpg", i), picture(1+i))
			time.Sleep(30 * time.Millisecond)
		}
		w.settle(first+n, store.Delivered)
		if lags := w.lags("b"); lags[len(lags)-1] >= time.Second {
			t.Errorf("a result came %v after its completion", lags[len(lags)-1])
		}
		if calls := w.statusCalls() - before; calls >= n {
			t.Errorf("%d status calls for %d pictures", calls, n)
		}
		w.wantPaid(first + n)
	})
}

// A picture that waits for a person is shown as such, and is there soon after that person is done, hours later.
func TestQAIsAnnounced(t *testing.T) {
	inHooked(t, studio{config: pollRarely, sandbox: sandbox.Options{Faults: sandbox.Faults{InQA: 1, QAFor: 5 * time.Hour}}}, func(w *world, _ *post) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.InQA)
		steps := w.job("a.jpg").History
		if late := steps[len(steps)-1].Time.Sub(steps[len(steps)-2].Time) - 2*time.Second; late >= time.Second {
			t.Errorf("that it is in QA was known %v late", late)
		}
		before := w.statusCalls()
		time.Sleep(5 * time.Hour)
		w.until("it is delivered", 5*time.Second, func() bool { return w.counts()[store.Delivered] == 1 })
		if calls := w.statusCalls() - before; calls > 5*6*2+5 {
			t.Errorf("%d status calls in 5 hours", calls)
		}
	})
}

// Announcements that are dropped, sent twice, late and out of order change nothing but the time it takes.
func TestAnnouncementsThatFail(t *testing.T) {
	for name, f := range map[string]sandbox.Faults{
		"dropped":  {WebhookDrop: 1},
		"many":     {WebhookDrop: 0.5},
		"repeated": {WebhookRepeat: 1},
		"late":     {WebhookDelay: time.Minute},
		"all":      {WebhookDrop: 0.3, WebhookRepeat: 0.5, WebhookDelay: 20 * time.Second, InQA: 0.3, QAFor: time.Minute, Fail: 0.2, ListLag: 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inHooked(t, studio{sandbox: sandbox.Options{Faults: f, Seed: 7}, config: "polling: {min: 1s, max: 30s}"}, func(w *world, _ *post) {
				for i := range 20 {
					w.drop(fmt.Sprintf("%d.jpg", i), picture(i))
					time.Sleep(3 * time.Second)
				}
				w.until("all is done", 10*time.Minute, func() bool { c := w.counts(); return c[store.Delivered]+c[store.Failed] == 20 })
				w.wantPaid(20)
				w.wantOnlyResults()
				if lags := w.lags(""); (name == "dropped" || name == "many") && lags[len(lags)*3/4] > 2*time.Second {
					t.Errorf("without announcements results took %v", lags)
				}
			})
		})
	}
}

// Polling is slow while announcements arrive, and is as it was once they stop.
func TestPollingTakesOverWhenAnnouncementsStop(t *testing.T) {
	inHooked(t, studio{config: "polling: {min: 1s, max: 1m}", sandbox: sandbox.Options{Processing: 30 * time.Second}}, func(w *world, _ *post) {
		drop := func(from, to int) {
			for i := from; i < to; i++ {
				w.drop(fmt.Sprintf("%02d.jpg", i), picture(i))
				time.Sleep(10 * time.Second)
			}
		}
		drop(0, 18)
		before := w.statusCalls()
		drop(18, 38) // 200 s, in which one is completed every 10 s
		if calls := w.statusCalls() - before; calls > 20+2*4 {
			t.Errorf("%d status calls for 20 pictures while announcements arrive", calls)
		}
		w.sandbox.SetFaults(sandbox.Faults{WebhookDrop: 1})
		drop(38, 60)
		w.settle(60, store.Delivered)
		if lags := w.lags("5"); lags[len(lags)-1] > 8*time.Second { // 50.jpg and those after it
			t.Errorf("after announcements had stopped, results took %v", lags)
		}
	})
}

// Whatever somebody posts, the API is asked for nothing but running executions, and once for each thing that is said of one.
func TestForgedAnnouncements(t *testing.T) {
	inHooked(t, studio{config: pollRarely, sandbox: sandbox.Options{Processing: time.Hour}}, func(w *world, p *post) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Processing)
		time.Sleep(2 * time.Hour)
		w.settle(1, store.Delivered)
		w.drop("b.jpg", picture(2))
		w.settle(1, store.Processing)
		time.Sleep(time.Minute)

		runs := w.job("b.jpg").Execution
		said := func(id, status string) []byte {
			body, err := json.Marshal(map[string]any{"event": "WORKFLOW_EXECUTION_" + status, "content": map[string]any{"id": id, "status": status}})
			if err != nil {
				t.Fatal(err)
			}
			return body
		}
		completed := slices.Clone(p.sent[len(p.sent)-1]) // of a.jpg
		at := "/hooks/" + hookSecret
		before := w.statusCalls()
		for i := range 5000 {
			p.bring(at, said(fmt.Sprintf("forged-%d", i), "COMPLETED"))
			p.bring(at, completed)
			if i%100 == 0 {
				time.Sleep(100 * time.Millisecond)
			}
		}
		time.Sleep(time.Minute)
		if calls := w.statusCalls() - before; calls > 13 { // polling goes on as if there were no announcements
			t.Errorf("%d status calls for executions that do not run", calls)
		}
		before = w.statusCalls()
		for range 100 {
			for _, status := range []string{"COMPLETED", "FAILED", "ACTIVE", "STRANGE"} {
				p.bring(at, said(runs, status))
				p.bring("/hooks/"+hookSecret+"x", said(runs, status+"X"))
			}
			time.Sleep(time.Second)
		}
		if calls := w.statusCalls() - before; calls > 2+20 {
			t.Errorf("%d status calls for what was said of one execution", calls)
		}
		if job := w.job("b.jpg"); job.State != store.Processing {
			t.Errorf("%+v", job)
		}
		w.wantPaid(2)
	})
}

// That an execution takes longer than others says nothing against announcements.
func TestAnnouncementsOfSlowExecutions(t *testing.T) {
	slow := sandbox.Faults{Slow: 0.5, SlowFor: 2 * time.Minute}
	inHooked(t, studio{config: "polling: {min: 1s, max: 1m}", sandbox: sandbox.Options{Processing: 30 * time.Second, Seed: 5}}, func(w *world, _ *post) {
		drop := func(from, to int) {
			for i := from; i < to; i++ {
				w.drop(fmt.Sprintf("%02d.jpg", i), picture(i))
				time.Sleep(10 * time.Second)
			}
		}
		drop(0, 18)
		w.sandbox.SetFaults(slow)
		before := w.statusCalls()
		drop(18, 68) // 500 s
		if calls := w.statusCalls() - before; calls > 50+2*9 {
			t.Errorf("%d status calls for 50 pictures while announcements arrive", calls)
		}
		w.settle(68, store.Delivered)
	})
}
