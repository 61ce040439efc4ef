package agent_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/store"
)

// The ledger is copied at the start, unless that was just done, and daily. One that was made while the clock was
// ahead is as good as none.
func TestCopiesOfTheLedger(t *testing.T) {
	in(t, studio{idle: true, folder: "rescan: 24h"}, func(w *world) {
		wantCopies := func(when string, n int) (newest string) {
			t.Helper()
			synctest.Wait()
			copies, err := store.Copies(filepath.Join(w.dir, "data", "ledger.db"))
			if err != nil || len(copies) != n {
				t.Fatalf("%s: %q, %v; want %d", when, copies, err, n)
			}
			return copies[0]
		}
		w.start()
		wantCopies("at the start", 1)
		time.Sleep(30 * time.Minute)
		w.restart()
		wantCopies("after a restart soon after that", 1)
		time.Sleep(24 * time.Hour)
		newest := wantCopies("the next day", 2)
		w.halt()
		if err := os.Rename(newest, filepath.Join(filepath.Dir(newest), "ledger-2026-01-01T000000.db")); err != nil {
			t.Fatal(err)
		}
		w.start()
		wantCopies("after a start with one from the future", 3)
	})
}
