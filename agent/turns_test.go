package agent_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hotfolder/agent"
	"hotfolder/sandbox"
	"hotfolder/store"
)

// A few urgent pictures that come when another folder has hundreds waiting: with a higher priority they overtake all of them that
// are not in hand already, with the same they get every second turn.
func TestAFewPicturesAreNotStuckBehindMany(t *testing.T) {
	for name, tc := range map[string]struct {
		second string
		most   int // pictures of the other folder that may be uploaded while 20 urgent ones wait
	}{
		"priority": {"priority: 1", 8},
		"turns":    {"priority: 0", 30},
	} {
		t.Run(name, func(t *testing.T) {
			calm := sandbox.Faults{Latency: time.Second}
			in(t, studio{second: tc.second, config: "limits: {uploads: 2, downloads: 2}", sandbox: sandbox.Options{Faults: calm, PassThrough: true}}, func(w *world) {
				for i := range 150 {
					w.drop(fmt.Sprintf("%d.jpg", i), picture(i))
				}
				w.until("the many are under way", time.Minute, func() bool { return w.counts()[store.Delivered] > 5 })
				const few = 20
				for i := range few {
					w.write(fmt.Sprintf("in2/%d.jpg", i), picture(1000+i))
				}
				w.settle(150+few, store.Delivered)
				var last time.Time
				first := time.Now()
				for job := range w.jobsOf("urgent") {
					if job.DiscoveredAt.Before(first) {
						first = job.DiscoveredAt
					}
					if job.UploadedAt.After(last) {
						last = job.UploadedAt
					}
				}
				between := 0
				for job := range w.jobsOf("packshots") {
					if job.UploadedAt.After(first) && job.UploadedAt.Before(last) {
						between++
					}
				}
				if between > tc.most {
					t.Errorf("%d others were uploaded while %d urgent pictures waited", between, few)
				}
			})
		})
	}
}

// A picture that creeps over the line, piece by piece, holds none of the others up.
func TestASlowUploadHoldsNobodyUp(t *testing.T) {
	in(t, studio{config: "limits: {uploads: 2}", sandbox: sandbox.Options{PassThrough: true}, idle: true}, func(w *world) {
		line := &slowLine{RoundTripper: w.sandbox.InProcess()}
		w.transport = line
		w.start()
		const n = 30
		for i := range n {
			w.drop(fmt.Sprintf("%d.jpg", i), picture(i))
		}
		w.until("all but the slow one are delivered", time.Minute, func() bool { return w.counts()[store.Delivered] == n-1 })
		if w.counts()[store.Queued] != 1 {
			t.Errorf("counts %v: no picture is slow", w.counts())
		}
		w.settle(n, store.Delivered)
		w.wantPaid(n)
	})
}

// slowLine sends the first upload of all piece by piece.
type slowLine struct {
	http.RoundTripper
	met atomic.Bool
}

func (l *slowLine) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/upload") && l.met.CompareAndSwap(false, true) {
		r = r.Clone(r.Context())
		r.Body = slowBody{r.Body}
	}
	return l.RoundTripper.RoundTrip(r)
}

type slowBody struct{ io.ReadCloser }

func (b slowBody) Read(p []byte) (int, error) {
	time.Sleep(10 * time.Second)
	return b.ReadCloser.Read(p[:min(len(p), 100)])
}

// Uploads give way to results that wait, but never stand still for them.
func TestUploadsGiveWayToResults(t *testing.T) {
	for name, tc := range map[string]struct {
		download    time.Duration
		least, most time.Duration // that n uploads take
	}{
		"results come fast": {100 * time.Millisecond, 0, 25 * time.Second},
		"results wait":      {3 * time.Second, 29 * time.Second, 47 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, studio{config: "limits: {uploads: 4, downloads: 2}", sandbox: sandbox.Options{PassThrough: true}, idle: true}, func(w *world) {
				const n = 90
				for i := range n {
					w.drop(fmt.Sprintf("%d.jpg", i), picture(i))
				}
				w.transport = &line{RoundTripper: w.sandbox.InProcess(), upload: time.Second, download: tc.download}
				w.start()
				w.settle(n, store.Delivered)
				var first, last time.Time
				for job := range w.jobsOf("packshots") {
					if first.IsZero() || job.UploadedAt.Before(first) {
						first = job.UploadedAt
					}
					if job.UploadedAt.After(last) {
						last = job.UploadedAt
					}
				}
				if took := last.Sub(first); took < tc.least || took > tc.most {
					t.Errorf("%d uploads took %v", n, took)
				}
			})
		})
	}
}

// line takes its time for each upload and each download.
type line struct {
	http.RoundTripper
	upload, download time.Duration
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/upload"):
		time.Sleep(l.upload)
	case strings.Contains(r.URL.Path, "/image/"):
		time.Sleep(l.download)
	}
	return l.RoundTripper.RoundTrip(r)
}

func (w *world) jobsOf(folder string) func(yield func(store.Job) bool) {
	return func(yield func(store.Job) bool) {
		for job, err := range w.agent.Jobs(w.Context(), store.Filter{Folder: folder}) {
			if err != nil {
				w.Fatal(err)
			}
			if !yield(job) {
				return
			}
		}
	}
}

// Executions of one folder that wait for a person for days leave room for those of another.
func TestInFlightLeavesRoomForOthers(t *testing.T) {
	slow := sandbox.Faults{InQA: 1, QAFor: 48 * time.Hour}
	in(t, studio{second: "priority: 0", config: "limits: {in_flight: 8}", sandbox: sandbox.Options{Faults: slow}}, func(w *world) {
		for i := range 30 {
			w.drop(fmt.Sprintf("%d.jpg", i), picture(i))
		}
		w.settle(7, store.InQA)
		time.Sleep(time.Hour)
		if n := w.counts()[store.InQA]; n != 7 {
			t.Errorf("%d executions of one folder are in flight, of 8", n)
		}
		w.sandbox.SetFaults(sandbox.Faults{})
		w.write("in2/a.jpg", picture(1000))
		w.settle(1, store.Delivered)
	})
}

// hoursFrom are hours in local time from a moment after the world began, for as long.
func hoursFrom(after, long time.Duration) string {
	from := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Local().Add(after) // where fake time begins
	return fmt.Sprintf("hours: %q", from.Format("15:04")+"-"+from.Add(long).Format("15:04"))
}

// Uploads begin and end with the hours, to the moment; what was uploaded goes on, and another folder has its own.
func TestHours(t *testing.T) {
	in(t, studio{folder: hoursFrom(time.Hour, time.Hour), second: "priority: 0"}, func(w *world) {
		began := time.Now()
		at := func(after time.Duration) time.Time { return began.Add(after) }
		w.drop("a.jpg", picture(1))
		w.write("in2/b.jpg", picture(2))
		w.settle(1, store.Delivered)
		time.Sleep(30*time.Minute + 17*time.Second)
		if w.job("a.jpg").State != store.Queued || w.job("b.jpg").State != store.Delivered {
			t.Errorf("before the hours: %v", w.counts())
		}
		notice := func(want string) {
			t.Helper()
			if s, err := w.agent.Status(w.Context()); err != nil || s.Folders[0].Notice != want || s.Folders[1].Notice != "" || s.Folders[0].State != "ok" {
				t.Errorf("%v, notices %q and %q, want %q", err, s.Folders[0].Notice, s.Folders[1].Notice, want)
			}
		}
		notice("uploads wait until " + at(time.Hour).Format("15:04"))
		time.Sleep(time.Until(at(time.Hour + time.Millisecond)))
		if up := w.job("a.jpg").UploadedAt; !up.Equal(at(time.Hour)) {
			t.Errorf("uploaded at %v, the hours began at %v", up, at(time.Hour))
		}
		w.settle(2, store.Delivered)
		notice("")

		time.Sleep(time.Until(at(2*time.Hour - time.Minute)))
		w.sandbox.SetFaults(sandbox.Faults{Slow: 1, SlowFor: time.Hour})
		w.drop("c.jpg", picture(3))
		w.settle(1, store.Processing) // and it is delivered after the hours
		time.Sleep(time.Until(at(2*time.Hour + time.Minute)))
		w.sandbox.SetFaults(sandbox.Faults{})
		w.drop("d.jpg", picture(4))
		time.Sleep(time.Hour)
		w.settle(3, store.Delivered)
		time.Sleep(time.Until(at(25*time.Hour - time.Second)))
		if got := w.job("d.jpg").State; got != store.Queued {
			t.Errorf("after the hours: %s", got)
		}
		w.settle(4, store.Delivered)
	})
}

// With Once what waits for its hours is left, and said.
func TestOnceOutsideTheHours(t *testing.T) {
	in(t, studio{folder: hoursFrom(time.Hour, time.Hour), idle: true}, func(w *world) {
		w.drop("a.jpg", picture(1))
		a, closeAll := w.open(true)
		defer closeAll()
		err, ok := a.Run(w.Context()).(*agent.Unfinished)
		if want := "1 not finished; packshots: uploads wait until "; !ok || err.Waiting != 1 || len(err.Error()) != len(want)+5 || err.Error()[:len(want)] != want {
			t.Errorf("%v", err)
		}
	})
}
