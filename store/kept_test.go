package store_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"hotfolder/store"
)

var update = flag.Bool("update", false, "write the kept ledger of today's schema anew")

// Ledgers of every schema there ever was open, are sound and read as they did when they were kept; testdata says how each was made.
func TestKeptLedgers(t *testing.T) {
	const today = "testdata/schema-1"
	if *update {
		keepLedger(t, today)
	}
	kept, err := filepath.Glob("testdata/schema-*")
	if err != nil || len(kept) == 0 {
		t.Fatalf("none is kept: %v", err)
	}
	for _, dir := range kept {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(dir, "ledger.db"))
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "ledger.db")
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			l, err := store.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if err := l.Verify(t.Context()); err != nil {
				t.Error(err)
			}
			want, err := os.ReadFile(filepath.Join(dir, "jobs.json"))
			if err != nil {
				t.Fatal(err)
			}
			if got := rows(t, l); string(got) != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			for job := range l.Jobs(store.Filter{State: store.Processing}) {
				if _, err := l.Step(job, store.Downloading, "", nil); err != nil {
					t.Error(err)
				}
			}
			if err := l.Verify(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func rows(t *testing.T, l *store.Ledger) []byte {
	t.Helper()
	var jobs []store.Job
	for job, err := range l.Jobs(store.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		for i := range job.History {
			job.History[i].Time = job.History[i].Time.UTC()
		}
		for _, at := range []*time.Time{&job.DiscoveredAt, &job.UploadedAt, &job.SubmittedAt, &job.CompletedAt, &job.DeliveredAt} {
			*at = at.UTC()
		}
		jobs = append(jobs, job)
	}
	data, err := json.MarshalIndent(jobs, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return append(data, '\n')
}

// keepLedger makes a job in every state and one with a path that is not UTF-8.
func keepLedger(t *testing.T, dir string) {
	file := filepath.Join(t.TempDir(), "ledger.db")
	l, err := store.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	life := []store.State{store.Queued, store.Uploaded, store.Submitting, store.Processing, store.InQA, store.PaymentRequired, store.Processing, store.Downloading, store.Delivered}
	for i, last := range append(store.States, store.Delivered) {
		job := realistic(i)
		if i == len(store.States) {
			job = newJob("Ünï\xff\n.jpg", sha)
		}
		job.State = last
		for n, s := range life {
			if s == last {
				break
			}
			if last == store.Failed && n == 3 || last == store.Gone && n == 1 {
				break
			}
			job.History = append(job.History, store.Event{State: s, Time: start.Add(time.Duration(i*60+n) * time.Second), Detail: []string{"", "why"}[n%2]})
		}
		job.History = append(job.History, store.Event{State: last, Time: start.Add(time.Duration(i+1) * time.Hour)})
		if len(job.History) > 3 {
			job.Execution, job.Workflow, job.Version = "c0ffee00-0000-4000-8000-"+job.SHA256[52:], "a0f0b604-85c0-45fd-85cf-4428bb3941ba", "v7"
			job.Attempts, job.Credits, job.Batch = 1, 10, "5e0c4f7e-7a43-4a25-a27c-0a43c2d7d3f1"
		}
		if last == store.Delivered || last == store.Downloading {
			job.Output = job.Path + ".png"
			job.Result = store.Result{Path: "/image/x/y z.png", SHA256: sha, ContentType: "image/png", Name: "y z.png"}
		}
		if last == store.Failed {
			job.Error = "422: not a picture"
		}
		if err := l.Restore(job, store.Seen{Size: job.Size, ModTime: start}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "jobs.json"), rows(t, l), 0o644); err != nil {
		t.Fatal(err)
	}
	l.Close()
	db, err := bbolt.Open(file, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.View(func(tx *bbolt.Tx) error { return tx.CopyFile(filepath.Join(dir, "ledger.db"), 0o644) }); err != nil { // without room to grow
		t.Fatal(err)
	}
}
