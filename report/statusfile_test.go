package report_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/agent"
	"hotfolder/report"
	"hotfolder/store"
)

// wall is an agent's folders, with the pages that hang there.
type wall struct {
	*testing.T
	stop func()

	mu     sync.Mutex
	status agent.Status
	jobs   []store.Job
	fails  error
	pages  map[string]string
	writes int
	tries  int // to remove one
}

func (w *wall) start(folders ...string) { w.startWithout(nil, folders...) }

// startWithout names also the folders that have no page any more.
func (w *wall) startWithout(without []string, folders ...string) {
	f := report.StatusFiles{
		Folders: folders, Log: slog.New(slog.DiscardHandler),
		Status: func(context.Context) (agent.Status, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			s := w.status
			s.Folders = slices.Clone(s.Folders) // set changes them
			return s, nil
		},
		Jobs: func(_ context.Context, f store.Filter) iter.Seq2[store.Job, error] {
			return func(yield func(store.Job, error) bool) {
				for _, j := range w.jobs {
					if f.Match(j) && !yield(j, nil) {
						return
					}
				}
			}
		},
		Latest: func(state store.State, folder string, most int) (latest []store.Job, err error) {
			for i := len(w.jobs) - 1; i >= 0 && len(latest) < most; i-- {
				if (store.Filter{State: state, Folder: folder}).Match(w.jobs[i]) {
					latest = append(latest, w.jobs[i])
				}
			}
			return latest, nil
		},
		Write: func(folder, name string, page []byte, ours func([]byte) bool) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.writes++; w.fails != nil {
				return w.fails
			}
			if older, there := w.pages[folder+"/"+name]; there && !ours([]byte(older)) {
				return fs.ErrExist
			}
			w.pages[folder+"/"+name] = string(page)
			return nil
		},
		Remove: func(folder, name string, ours func([]byte) bool) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.tries++; w.fails != nil {
				return w.fails
			}
			if page := w.pages[folder+"/"+name]; ours([]byte(page)) {
				delete(w.pages, folder+"/"+name)
			}
			return nil
		},
	}
	ctx, cancel := context.WithCancel(w.Context())
	var wg sync.WaitGroup
	wg.Go(func() { f.Run(ctx) })
	wg.Go(func() { f.Clear(ctx, without) })
	w.stop = func() { cancel(); wg.Wait() }
}

func (w *wall) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// after lets time pass and returns the page; writes is how many times it was to be written since the last time.
func (w *wall) after(pass time.Duration, writes int) string {
	w.Helper()
	time.Sleep(pass)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.writes != writes {
		w.Errorf("written %d times, want %d", w.writes, writes)
	}
	w.writes = 0
	return w.pages["packshots/_STATUS.html"]
}

func hang(t *testing.T, test func(*wall)) {
	synctest.Test(t, func(t *testing.T) {
		w := &wall{T: t, pages: map[string]string{}, status: agent.Status{Folders: []agent.FolderStatus{{Name: "packshots"}, {Name: "website"}}}}
		test(w)
	})
}

func (w *wall) want(page string, parts ...string) {
	w.Helper()
	for _, part := range parts {
		if !strings.Contains(page, part) {
			w.Errorf("no %q in\n%s", part, page)
		}
	}
	wantOnlyOurs(w.T, page)
}

func TestStatusFile(t *testing.T) {
	local := time.Local
	time.Local = berlin // in which fake time begins at 01:00
	defer func() { time.Local = local }()
	hang(t, func(w *wall) {
		now := time.Now()
		step := func(state store.State, ago time.Duration) []store.Event {
			return []store.Event{{State: state, Time: now.Add(-ago)}}
		}
		for i := range 60 {
			w.jobs = append(w.jobs, store.Job{Folder: "packshots", Path: fmt.Sprintf("bad%02d.jpg", i), State: store.Failed, Error: "the picture is cut short", History: step(store.Failed, time.Hour)})
		}
		w.jobs = append(w.jobs,
			store.Job{Folder: "packshots", Path: evil, State: store.Failed, Error: evil, History: step(store.Failed, time.Hour)},
			store.Job{Folder: "packshots", State: store.Delivered, History: step(store.Delivered, 50*time.Minute)},
			store.Job{Folder: "packshots", State: store.Delivered, History: step(store.Delivered, 70*time.Minute)}, // yesterday
			store.Job{Folder: "website", State: store.Delivered, History: step(store.Delivered, time.Minute)},
			store.Job{Folder: "packshots", State: store.InQA, History: step(store.InQA, 20*time.Minute)},
			store.Job{Folder: "packshots", State: store.InQA, History: step(store.InQA, 30*time.Hour)},
		)
		w.status.Folders[0].Counts = map[store.State]int{store.Queued: 1200, store.Uploaded: 34, store.Processing: 5, store.Submitting: 1,
			store.InQA: 2, store.Failed: 61, store.Delivered: 2, store.Downloading: 3}
		w.status.Troubles = []agent.Trouble{
			{Code: agent.InputEvents, Severity: agent.Warning, Folder: "packshots", Text: "few events", Mend: "none"},
			{Code: agent.LoginNeeded, Severity: agent.Error, Text: "no login", Mend: "log in"},
			{Code: agent.APIUnreachable, Severity: agent.Warning, Text: "no network", Mend: "wait"},
			{Code: agent.InputOffline, Severity: agent.Error, Folder: "website", Text: "website away", Mend: "mount it"},
		}
		w.start("packshots")
		page := w.after(time.Second, 1)
		w.want(page, `sent<td class="n">1,234<`, `AutoRetouch<td class="n">6<`, `the first since Thu 1999-12-30 19:00<td class="n">2<`, `way<td class="n">3<`,
			`today<td class="n good">1<`, `Failed<td class="n bad">61<`, "and 11 more", "bad59.jpg", "bad11.jpg", "cut short", "no login: log in", "few events: none",
			"As of Sat 2000-01-01 01:00:00", "If that is more than a quarter of an hour ago, hotfolder does not run", `http-equiv="refresh"`)
		for _, no := range []string{"bad10.jpg", "website", "no network", "<script", "All is well"} {
			if strings.Contains(page, no) {
				t.Errorf("%q in\n%s", no, page)
			}
		}
		w.want(w.after(time.Hour, 5), "As of Sat 2000-01-01 01:50:") // nothing has changed, but it still runs
		w.set(func() {
			w.status.Folders[1].Counts = map[store.State]int{store.Queued: 1}
			w.status.Folders[0].PerHour = 7
			w.status.Troubles = w.status.Troubles[3:]
		})
		w.want(w.after(time.Minute, 1), "All is well.")
		for i := range 12 { // each 14 seconds, twice within one renewal
			w.set(func() { w.status.Folders[0].Counts = map[store.State]int{store.Delivered: 3 + i} })
			time.Sleep(14 * time.Second)
		}
		page = w.after(time.Minute, 11)
		w.want(page, `today<td class="n good">13<`)
		w.want(w.after(24*time.Hour, 24*6), `today<td class="n good">0<`) // since midnight
		w.stop()
		page = w.after(0, 1)
		w.want(page, "Stopped.")
		if strings.Contains(page, "does not run") {
			t.Error(page)
		}
		if len(w.pages) != 1 {
			t.Errorf("%d pages", len(w.pages))
		}
	})
}

func TestAStatusFileThatCannotBeWritten(t *testing.T) {
	hang(t, func(w *wall) {
		w.fails = errors.New("read-only")
		w.start("packshots")
		w.after(28*time.Second, 4)
		w.set(func() { w.fails = nil })
		w.want(w.after(time.Minute, 1), "All is well.")
		w.stop()
		w.after(0, 1)
		w.set(func() { w.fails = errors.New("read-only") })
		w.start("packshots")
		w.after(time.Second, 1)
		w.stop()
		w.after(0, 0) // none of its own to mark
	})
}

// The page of a folder that is to have none any more goes, as soon as the folder is there; what a person wrote under that name stays.
func TestStatusFilesThatAreTurnedOff(t *testing.T) {
	hang(t, func(w *wall) {
		w.start("packshots", "website")
		w.after(time.Second, 2)
		w.stop()
		w.after(0, 2)
		w.pages["plans/_STATUS.html"] = "<!DOCTYPE html>\n<html><p>Hotfolder status_file, by hand</html>"
		w.fails = errors.New("the folder is away")
		w.startWithout([]string{"website", "plans"}, "packshots")
		w.after(time.Minute, 7)
		if len(w.pages) != 3 {
			t.Errorf("%d pages", len(w.pages))
		}
		w.set(func() { w.fails, w.tries = nil, 0 })
		w.after(time.Minute, 1)
		if len(w.pages) != 2 || w.pages["website/_STATUS.html"] != "" || w.tries != 2 {
			t.Errorf("%d tries, %q", w.tries, w.pages)
		}
		w.stop()
		w.after(0, 1)
	})
}
