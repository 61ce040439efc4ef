package agent_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hotfolder/agent"
	"hotfolder/sandbox"
	"hotfolder/store"
)

// Whatever goes wrong between here and the API, every picture comes back whole and is paid for once.
func TestPromisesUnderFaults(t *testing.T) {
	create := []string{sandbox.Create}
	for name, faults := range map[string]sandbox.Faults{
		"slow answers":                     {Latency: 5 * time.Second},
		"too many requests":                {TooMany: sandbox.Chance{P: 0.3}, RetryAfter: 7 * time.Second},
		"server errors":                    {ServerError: sandbox.Chance{P: 0.3}},
		"broken connections":               {DropBefore: sandbox.Chance{P: 0.3}},
		"lost answers":                     {DropAfter: sandbox.Chance{P: 0.3}},
		"lost answers of create":           {DropAfter: sandbox.Chance{P: 0.7, At: create}},
		"... and a list that lags":         {DropAfter: sandbox.Chance{P: 0.7, At: create}, ListLag: 10 * time.Second},
		"errors of create, list lags":      {ServerError: sandbox.Chance{P: 0.7, At: create}, ListLag: 20 * time.Second},
		"a captive portal":                 {Portal: sandbox.Chance{P: 0.3}},
		"a proxy's error pages":            {Portal: sandbox.Chance{P: 0.3}, PortalStatus: 502},
		"truncated downloads":              {Truncate: sandbox.Chance{P: 0.5}},
		"downloads that break off":         {CutShort: sandbox.Chance{P: 0.5}},
		"corrupted downloads":              {Corrupt: sandbox.Chance{P: 0.5}},
		"stalled downloads":                {Stall: sandbox.Chance{P: 0.3}},
		"stalled uploads":                  {StallRead: sandbox.Chance{P: 0.3}},
		"tokens that expire":               {TokenCalls: 3},
		"refresh tokens that rotate":       {TokenCalls: 3, RotateRefreshTokens: true},
		"executions that fail twice":       {Fail: 0.5, FailTimes: 2},
		"quality checks":                   {InQA: 0.5, QAFor: 3 * time.Hour},
		"unknown statuses":                 {UnknownStatus: 0.5, UnknownFor: time.Hour},
		"slow executions":                  {Slow: 0.5, SlowFor: 2 * time.Hour},
		"a list that lags behind by a day": {ListLag: 24 * time.Hour},
		"a result named ../../evil":        {ResultName: "../../evil"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, studio{sandbox: sandbox.Options{Faults: faults, Seed: 7}}, func(w *world) {
				const n = 12
				var names []string
				for i := range n {
					w.drop(fmt.Sprintf("shoot/%d.jpg", i), picture(i))
					names = append(names, fmt.Sprintf("shoot/%d.png", i))
				}
				w.until("all delivered", 24*time.Hour, func() bool { return w.counts()[store.Delivered] == n })
				w.wantPaid(n)
				w.wantOutputs(names...)
				if got := w.files("."); slices.ContainsFunc(keys(got), func(name string) bool { return strings.Contains(name, "evil") }) {
					t.Errorf("the server's name became a file: %v", keys(got))
				}
			})
		})
	}
}

func keys(m map[string]string) (k []string) {
	for name := range m {
		k = append(k, name)
	}
	return k
}

func TestExecutionsThatFailForGood(t *testing.T) {
	in(t, studio{sandbox: sandbox.Options{Faults: sandbox.Faults{Fail: 1}}}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Failed)
		job := w.job("a.jpg")
		if job.Attempts != 3 || !strings.Contains(job.Error, job.Execution) {
			t.Errorf("%d attempts, %q; want 3 (1 and 2 retries)", job.Attempts, job.Error)
		}
		w.wantPaid(1)

		if _, err := w.agent.Retry(t.Context(), agent.RetryRequest{All: true}); err != nil {
			t.Fatal(err)
		}
		w.settle(1, store.Failed)
		if job := w.job("a.jpg"); job.Attempts != 6 {
			t.Errorf("%d attempts after a retry by hand, want 6", job.Attempts)
		}
		w.wantPaid(1)
	})
}

func TestWhatTheAPILost(t *testing.T) {
	for name, faults := range map[string]sandbox.Faults{
		"execution": {Vanish: 1},
		"result":    {ResultGone: 1},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, studio{sandbox: sandbox.Options{Faults: faults}}, func(w *world) {
				w.drop("a.jpg", picture(1))
				w.until("the job fails", 2*time.Hour, func() bool { return w.counts()[store.Failed] == 1 })
				if job := w.job("a.jpg"); !strings.Contains(job.Error, name) {
					t.Errorf("the reason is %q", job.Error)
				}
				w.wantPaid(1)
				w.wantOutputs()
			})
		})
	}
}

// An upload that the API lost again before the execution was created is uploaded again.
func TestAnUploadThatTheAPIForgot(t *testing.T) {
	in(t, studio{config: "limits: {credits_per_day: 1}"}, func(w *world) { // nothing may be created today
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Uploaded)
		w.sandbox.RemoveImage(w.job("a.jpg").SHA256)
		w.halt()
		w.configure(studio{})
		w.start()
		w.settle(1, store.Delivered)
		w.wantPaid(1)
	})
}

// A dead API is asked less and less often, and soon again after it is back.
func TestADeadAPIIsNotHammered(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.sandbox.SetFaults(sandbox.Faults{ServerError: sandbox.Chance{P: 1}})
		const n = 50
		for i := range n {
			w.drop(fmt.Sprintf("%d.jpg", i), picture(i))
		}
		w.until("the trouble shows", time.Hour, func() bool { return slices.Contains(w.troubles(), agent.APIUnreachable) })
		before := calls(w)
		time.Sleep(8 * time.Hour)
		if got := calls(w) - before; got > 8*60*5 {
			t.Errorf("%d calls of a dead API in 8 hours", got)
		}
		w.sandbox.SetFaults(sandbox.Faults{})
		w.until("all delivered", 10*time.Minute, func() bool { return w.counts()[store.Delivered] == n })
		w.wantPaid(n)
		if len(w.troubles()) != 0 {
			t.Errorf("still %v", w.troubles())
		}
	})
}

func calls(w *world) (n int) {
	for _, c := range w.sandbox.Books().Calls {
		n += c
	}
	return n
}

func TestAWorkflowThatTheAPIDoesNotKnow(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.halt()
		w.cfg.Folders[0].Workflow = "00000000-0000-4000-8000-000000000000"
		w.start()
		w.drop("a.jpg", picture(1))
		w.until("the trouble shows", 5*time.Minute, func() bool { return slices.Contains(w.troubles(), agent.WorkflowRefused) })
		time.Sleep(time.Hour)
		if got := w.counts()[store.Uploaded]; got != 1 {
			t.Errorf("the job is not kept: %v", w.counts())
		}
		w.wantPaid(0)
		w.halt()
		w.cfg.Folders[0].Workflow = sandbox.PackshotWhite
		w.start()
		w.settle(1, store.Delivered)
	})
}

// No more executions than limits.in_flight are unfinished at any time.
func TestInFlight(t *testing.T) {
	in(t, studio{sandbox: sandbox.Options{Processing: 10 * time.Second}, config: "limits: {in_flight: 3}"}, func(w *world) {
		const n = 12
		for i := range n {
			w.drop(fmt.Sprintf("%d.jpg", i), picture(i))
		}
		most := 0
		w.until("all delivered", time.Hour, func() bool {
			unfinished := 0
			for _, e := range w.sandbox.Books().Executions {
				if e.Status != "COMPLETED" {
					unfinished++
				}
			}
			most = max(most, unfinished)
			return w.counts()[store.Delivered] == n
		})
		if most != 3 {
			t.Errorf("at most %d executions were in flight, want 3", most)
		}
	})
}

// A result that is gone is a fault of its job: it holds nothing else up, and what was to reuse it is processed after all.
func TestAResultThatIsGoneHoldsNothingUp(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Delivered)
		w.sandbox.RemoveImage(w.job("a.jpg").Result.SHA256)
		for i := range 3 {
			w.drop(fmt.Sprintf("copy %d.jpg", i), picture(1))
		}
		w.settle(3, store.Downloading)
		w.drop("healthy.jpg", picture(2))
		w.until("the healthy one is there", 20*time.Second, func() bool { return w.counts()[store.Delivered] == 2 })
		if slices.Contains(w.troubles(), agent.APIUnreachable) {
			t.Error("one missing result is taken for a dead API")
		}
		w.settle(5, store.Delivered)
		w.wantPaid(3)
	})
}

// A lost create is looked for through a long list though many of its pages fail: it must not begin anew with each.
func TestALookupThroughALongList(t *testing.T) {
	const n = 600
	in(t, studio{sandbox: sandbox.Options{Processing: time.Millisecond}, folder: "duplicates: process"}, func(w *world) {
		w.halt()
		for i := range n {
			w.drop(fmt.Sprintf("%03d.jpg", i), picture(i))
		}
		w.start()
		w.settle(n, store.Delivered)
		w.sandbox.SetFaults(sandbox.Faults{
			ServerError: sandbox.Chance{P: 0.4, At: []string{sandbox.Executions}},
			DropBefore:  sandbox.Chance{Count: 1, At: []string{sandbox.Create}},
		})
		w.drop("late.jpg", picture(n))
		w.until("it is created again", 10*time.Minute, func() bool { return w.counts()[store.Delivered] == n+1 })
		w.wantPaid(n + 1)
	})
}

// However wrong this machine's clock is, an execution whose creation got no answer is found in a list that is longer than a page.
func TestALookupByAWrongClock(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"ahead": 72 * time.Hour, "behind": -72 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			const n = 70
			in(t, studio{sandbox: sandbox.Options{Processing: time.Minute}, idle: true}, func(w *world) {
				w.transport = earlierAPI{w.sandbox.InProcess(), ahead}
				w.start()
				time.Sleep(time.Minute) // the account is looked through
				w.sandbox.SetFaults(sandbox.Faults{
					DropAfter:   sandbox.Chance{Count: 1, At: []string{sandbox.Create}},
					ServerError: sandbox.Chance{P: 1, At: []string{sandbox.Executions}},
				})
				w.drop("lost.jpg", picture(0))
				w.settle(1, store.Submitting)
				for i := range n {
					w.drop(fmt.Sprintf("%02d.jpg", i), picture(i+1))
				}
				w.until("the others are created", 5*time.Minute, func() bool { return len(w.sandbox.Books().Executions) == n+1 })
				time.Sleep(time.Minute)
				w.sandbox.SetFaults(sandbox.Faults{})
				w.until("all are delivered", time.Hour, func() bool { return w.counts()[store.Delivered] == n+1 })
				w.wantPaid(n + 1)
			})
		})
	}
}

// earlierAPI is an API of which this machine's clock is ahead.
type earlierAPI struct {
	http.RoundTripper
	ahead time.Duration
}

var createdAt = regexp.MustCompile(`"createdAt":"[^"]*"`)

func (o earlierAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := o.RoundTripper.RoundTrip(r)
	if err != nil {
		return resp, err
	}
	resp.Header.Set("Date", time.Now().Add(-o.ahead).UTC().Format(http.TimeFormat))
	if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/execution") {
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return nil, err
		}
		body = createdAt.ReplaceAllFunc(body, func(was []byte) []byte {
			at, err := time.Parse(`"createdAt":"`+time.RFC3339+`"`, string(was))
			if err != nil {
				return was
			}
			return at.Add(-o.ahead).AppendFormat(nil, `"createdAt":"`+time.RFC3339Nano+`"`)
		})
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		resp.Header.Del("Content-Length")
	}
	return resp, nil
}

// A result that keeps arriving damaged is downloaded ever more rarely, people are told, and nothing is lost that was paid for. Others are not
// held up.
func TestAResultThatKeepsArrivingDamaged(t *testing.T) {
	in(t, studio{}, func(w *world) {
		corrupt := sandbox.Faults{Corrupt: sandbox.Chance{P: 1, At: []string{sandbox.Download}}}
		w.sandbox.SetFaults(corrupt)
		w.drop("a.jpg", picture(1))
		w.until("the trouble shows", time.Hour, func() bool { return slices.Contains(w.troubles(), agent.ResultDamaged) })
		w.wantMend(agent.ResultDamaged)
		before := w.sandbox.Books().Calls[sandbox.Download]
		time.Sleep(24 * time.Hour)
		if n := w.sandbox.Books().Calls[sandbox.Download] - before; n < 24 || n > 150 {
			t.Errorf("downloaded %d times in a day", n)
		}
		w.sandbox.SetFaults(sandbox.Faults{})
		w.drop("b.jpg", picture(2))
		w.until("the other one is delivered", 5*time.Minute, func() bool { return w.counts()[store.Delivered] > 0 })
		w.until("it is, too", 2*time.Hour, func() bool { return w.counts()[store.Delivered] == 2 })
		w.wantPaid(2)
		w.wantOutputs("a.png", "b.png")
		if len(w.troubles()) != 0 {
			t.Errorf("still %v", w.troubles())
		}
	})
}

// With Once it is left when people are told of it, and so is the order that waits for it.
func TestOnceWithAResultThatKeepsArrivingDamaged(t *testing.T) {
	for name, folder := range map[string]string{"each": "", "whole orders": wholeOrders} {
		t.Run(name, func(t *testing.T) {
			in(t, studio{folder: folder, idle: true}, func(w *world) {
				w.drop("a.jpg", picture(1))
				w.drop("b.jpg", picture(2))
				w.transport = &damages{RoundTripper: w.sandbox.InProcess()}
				began := time.Now()
				left, _ := w.runOnce()
				if left == nil || left.Waiting == 0 || left.Failed != 0 || len(left.Troubles) != 1 || left.Troubles[0].Code != agent.ResultDamaged {
					t.Errorf("Run: %+v", left)
				}
				if took := time.Since(began); took > 10*time.Minute {
					t.Errorf("it took %v", took)
				}
				w.transport = nil
				w.runOnce()
				w.start()
				w.settle(2, store.Delivered)
				w.wantPaid(2)
			})
		})
	}
}

// damages has the result of b.jpg arrive damaged.
type damages struct{ http.RoundTripper }

func (d *damages) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.RoundTripper.RoundTrip(r)
	if err == nil && strings.Contains(r.URL.Path, "/image/") && strings.HasSuffix(r.URL.Path, "/b.png") {
		data, err := io.ReadAll(resp.Body)
		if err != nil {
			return resp, err
		}
		data[0] ^= 1
		resp.Body = io.NopCloser(bytes.NewReader(data))
	}
	return resp, err
}

// A result that arrives damaged once, after many failures of another kind, is none that keeps arriving damaged.
func TestAResultThatArrivesDamagedOnce(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.sandbox.SetFaults(sandbox.Faults{ServerError: sandbox.Chance{P: 1, At: []string{sandbox.Download}}})
		w.drop("a.jpg", picture(1))
		time.Sleep(time.Hour)
		w.sandbox.SetFaults(sandbox.Faults{Corrupt: sandbox.Chance{Count: 1, At: []string{sandbox.Download}}})
		w.until("it is delivered", 3*time.Minute, func() bool {
			if slices.Contains(w.troubles(), agent.ResultDamaged) {
				t.Fatal("it is said to be damaged")
			}
			return w.counts()[store.Delivered] == 1
		})
		w.wantPaid(1)
	})
}

// A proxy that answers some calls with 400 is no reason to say that the workflow is refused; if it goes on, the API is out of reach.
func TestAListThatIsRefused(t *testing.T) {
	in(t, studio{sandbox: sandbox.Options{Processing: 10 * time.Minute}}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Processing)
		w.sandbox.SetFaults(sandbox.Faults{Portal: sandbox.Chance{Count: 1, At: []string{sandbox.Executions}}, PortalStatus: 400})
		time.Sleep(time.Minute)
		if len(w.troubles()) != 0 {
			t.Errorf("after one: %v", w.troubles())
		}
		w.sandbox.SetFaults(sandbox.Faults{Portal: sandbox.Chance{P: 1, At: []string{sandbox.Executions}}, PortalStatus: 400})
		w.until("the trouble shows", 10*time.Minute, func() bool { return slices.Contains(w.troubles(), agent.APIUnreachable) })
		w.sandbox.SetFaults(sandbox.Faults{})
		w.until("it is delivered", 20*time.Minute, func() bool { return w.counts()[store.Delivered] == 1 })
		w.wantPaid(1)
		if len(w.troubles()) != 0 {
			t.Errorf("still %v", w.troubles())
		}
	})
}
