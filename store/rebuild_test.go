package store_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"hotfolder/store"
)

// found is a job as `hotfolder recover` makes it of an execution and a file.
func found() store.Job {
	job := newJob("a.jpg", sha)
	job.State = store.Delivered
	job.Execution, job.Workflow, job.Output, job.Credits, job.Attempts = "e-1", "w-1", "a.png", 10, 1
	job.Result = store.Result{Path: "/image/x.png", SHA256: sha, ContentType: "image/png", Name: "x.png"}
	at := time.UnixMilli(1_795_442_320_521)
	job.History = []store.Event{{State: store.Processing, Time: at, Detail: "recovered"}, {State: store.Delivered, Time: at.Add(time.Minute)}}
	return job
}

func TestARestoredJobIsAsItWas(t *testing.T) {
	l := open(t)
	want := found()
	seen := store.Seen{Size: 7, ModTime: time.Unix(1e9, 0)}
	if err := l.Restore(want, seen); err != nil {
		t.Fatal(err)
	}
	got, err := l.Get(want.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(facts(got), facts(want)) || !reflect.DeepEqual(got.History, want.History) || !got.SubmittedAt.Equal(want.History[0].Time) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if !known(l, "packshots", "a.jpg", 7, seen.ModTime) {
		t.Error("its file is not known")
	}
	if owner, err := l.OwnerOf("packshots", "a.png"); owner.ID != want.ID {
		t.Errorf("its output is %s's, %v", owner.ID, err)
	}
	if credits, err := l.Credits(want.History[0].Time); credits != 10 {
		t.Errorf("%d credits, %v", credits, err)
	}
	if _, ok, err := l.SameContent(sha, func(j store.Job) bool { return j.ID == want.ID }); !ok {
		t.Errorf("its content is not found: %v", err)
	}
	if _, added, err := l.Add(newJob("a.jpg", sha), seen); added || err != nil {
		t.Errorf("it is taken again: %v, %v", added, err)
	}
	if err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhatMayNotBeRestored(t *testing.T) {
	l := open(t)
	if err := l.Restore(found(), store.Seen{}); err != nil {
		t.Fatal(err)
	}
	taken, noHistory, otherEnd := found(), found(), found()
	taken.ID, noHistory.ID, otherEnd.ID = "taken", "no history", "other end"
	noHistory.History = nil
	otherEnd.State = store.Failed
	for _, tc := range []struct {
		job  store.Job
		want error
	}{{found(), store.ErrExists}, {taken, store.ErrTaken}, {noHistory, nil}, {otherEnd, nil}} {
		if err := l.Restore(tc.job, store.Seen{}); err == nil || tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.job.ID, err, tc.want)
		}
		if _, err := l.Get(tc.job.ID); tc.want != store.ErrExists && !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s is there: %v", tc.job.ID, err)
		}
	}
}

func TestANewLedgerIsNotReconciled(t *testing.T) {
	file := filled(t, 3)
	l, err := store.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Backup(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if yes, err := l.Reconciled(); yes || err != nil {
		t.Errorf("the first: %v, %v", yes, err)
	}
	l.Close()
	if _, err := store.Create(file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a ledger: %v", err)
	}
	if err := os.Rename(file, filepath.Join(t.TempDir(), "damaged.db")); err != nil {
		t.Fatal(err)
	}
	if l, err = store.Create(file); err != nil {
		t.Fatal(err)
	}
	l.Close()
	for _, want := range []bool{false, true} {
		if l, err = store.Open(file); err != nil {
			t.Fatal(err)
		}
		if yes, err := l.Reconciled(); yes != want || err != nil {
			t.Errorf("after a restart: %v, %v; want %v", yes, err, want)
		}
		if err := l.SetReconciled(true); err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
}
