package store_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"hotfolder/store"
)

func TestHeldJobsAreNotNext(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ledger.db")
	l, err := store.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	path := []store.State{store.Uploaded, store.Submitting, store.Processing, store.Downloading}
	held := func(name string) store.Job {
		job := walk(t, l, add(t, l, newJob(name, sha)).ID, path...)
		if err := l.Hold(job.ID, "waits"); err != nil {
			t.Fatal(err)
		}
		return job
	}
	a, b := held("shoot/a.jpg"), held("shoot/b.jpg")
	held("other/d.jpg")
	open := walk(t, l, add(t, l, newJob("shoot/c.jpg", sha)).ID, path[:3]...)
	next := func() (names []string) {
		jobs, err := l.Next(store.Downloading, "packshots", 10, func(string) bool { return false })
		if err != nil {
			t.Fatal(err)
		}
		for _, job := range jobs {
			names = append(names, job.Path)
		}
		return names
	}
	if err := l.Hold(open.ID, "waits"); err == nil {
		t.Error("a job that is processed is held")
	}
	if err := l.Close(); err != nil { // and all that again after a restart
		t.Fatal(err)
	}
	if l, err = store.Open(file); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got := next(); len(got) > 0 {
		t.Errorf("next are %v, all of them held", got)
	}
	orders, err := l.Orders("packshots")
	if err != nil || len(orders) != 2 {
		t.Fatalf("orders %v, %v", orders, err)
	}
	if o := orders["shoot"]; o.Held != 2 || o.Open[store.Processing] != 1 || len(o.Open) != 1 || o.First >= o.Last || !o.Found.Equal(mustGet(t, l, open.ID).DiscoveredAt) {
		t.Errorf("the order is %+v", o)
	}
	heldUpTo := func(last uint64) (names []string) {
		for job, err := range l.Held("packshots", "shoot", last) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, job.Path)
		}
		return names
	}
	if got := heldUpTo(orders["shoot"].First); !slices.Equal(got, []string{"shoot/a.jpg"}) {
		t.Errorf("the first held is %v", got)
	}
	if got := heldUpTo(orders["shoot"].Last); len(got) != 2 {
		t.Errorf("held are %v", got)
	}
	if job := mustGet(t, l, a.ID); job.Error != "waits" || job.State != store.Downloading {
		t.Errorf("held: %+v", job)
	}
	if err := l.Unhold(b.ID); err != nil {
		t.Fatal(err)
	}
	if got := next(); !slices.Equal(got, []string{"shoot/b.jpg"}) {
		t.Errorf("next are %v", got)
	}
	walk(t, l, a.ID, store.Delivered, store.Downloading) // a step ends it
	if got := next(); len(got) != 2 {
		t.Errorf("next are %v", got)
	}
	if err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}

	now := time.UnixMilli(time.Now().UnixMilli())
	for _, want := range []store.Release{{Last: 7, At: now}, {Last: 9, At: now, Before: now.Add(-time.Hour), Listed: true}} {
		if err := l.SetRelease("packshots", "shoot", want); err != nil {
			t.Fatal(err)
		}
		if got, err := l.LastRelease("packshots", "shoot"); err != nil || got != want {
			t.Errorf("the last release is %+v, %v; want %+v", got, err, want)
		}
	}
	if got, err := l.LastRelease("packshots", "other"); err != nil || got != (store.Release{}) {
		t.Errorf("of another order: %+v, %v", got, err)
	}
}

func mustGet(t *testing.T, l *store.Ledger, id string) store.Job {
	t.Helper()
	job, err := l.Get(id)
	if err != nil {
		t.Fatal(err)
	}
	return job
}
