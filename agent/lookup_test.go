package agent

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/config"
	"hotfolder/store"
)

// The time to look for a lost create begins anew with each call: it was once counted from the first, so the second was made again
// before its execution could show in a list that lags, and the picture was paid for twice (1 in 100 of the crash test's).
func TestEachCreateIsLookedForItsFullTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := store.Open(filepath.Join(t.TempDir(), "ledger.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		f := &folder{Folder: config.Folder{Name: "f"}}
		a := &Agent{Books: Books{Ledger: l}, folders: []*folder{f}, stages: []*stage{newStage(nil, &stage{state: store.Uploaded})}}
		job, _, err := l.Add(store.Job{ID: "j", Folder: "f", Path: "a.jpg", State: store.Queued}, store.Seen{})
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]missing{}
		step := func(to store.State) {
			if job, err = l.Step(job, to, "", nil); err != nil {
				t.Fatal(err)
			}
		}
		step(store.Uploaded)
		step(store.Submitting)
		first := a.lost(known)[f][0].since
		time.Sleep(time.Minute)
		if again := a.lost(known)[f][0].since; !again.Equal(first) {
			t.Errorf("one call is looked for since %v, then since %v", first, again)
		}
		step(store.Uploaded) // surely not there
		step(store.Submitting)
		if second := a.lost(known)[f][0].since; !second.Equal(time.Now()) {
			t.Errorf("the second call is looked for since %v, it was made at %v", second, time.Now())
		}
	})
}
