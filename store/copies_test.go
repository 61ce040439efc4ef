package store_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"hotfolder/store"
)

func TestACopyIsWholeAndReadable(t *testing.T) {
	file := filled(t, 300)
	l, err := store.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.SetReconciled(true); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { // the agent goes on meanwhile
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				job := newJob("late.jpg", sha)
				job.ID = store.NewID("packshots", "late.jpg", string(rune(i)))
				if _, _, err := l.Add(job, store.Seen{}); err != nil {
					t.Error(err)
				}
			}
		}
	})
	copied, err := l.Backup(t.Context(), 3)
	close(stop)
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if yes, err := l.Reconciled(); !yes || err != nil {
		t.Errorf("the ledger itself is reconciled: %v, %v; want true", yes, err)
	}
	l.Close()

	if err := os.Rename(copied, file); err != nil { // what the message says
		t.Fatal(err)
	}
	l, err = store.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if counts, err := l.Counts(); err != nil || counts["packshots"][store.Queued] < 300 {
		t.Errorf("%v, %v", counts, err)
	}
	if yes, err := l.Reconciled(); yes || err != nil {
		t.Errorf("a copy in the ledger's place is reconciled: %v, %v", yes, err)
	}
}

func TestTheOldestCopiesGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filled(t, 1)
		l, err := store.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		var made []string
		for range 5 {
			copied, err := l.Backup(t.Context(), 3)
			if err != nil {
				t.Fatal(err)
			}
			made = append(made, copied)
			time.Sleep(24 * time.Hour)
		}
		kept, err := store.Copies(file)
		if err != nil || len(kept) != 3 || kept[0] != made[4] || kept[2] != made[2] {
			t.Errorf("%v kept of %v, %v", kept, made, err)
		}
		if base := filepath.Base(kept[0]); base != "ledger-2000-01-05T000000.db" && !strings.HasPrefix(base, "ledger-2000-01-0") {
			t.Errorf("named %s", base)
		}
	})
}

// Copies that were made while the clock was ahead are neither taken for the newest nor kept the longest.
func TestCopiesFromTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filled(t, 1)
		l, err := store.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		past, err := l.Backup(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		ahead := filepath.Join(filepath.Dir(past), "ledger-2026-01-01T000000.db")
		if err := os.Rename(past, ahead); err != nil {
			t.Fatal(err)
		}
		if kept, err := store.Copies(file); err != nil || !slices.Equal(kept, []string{ahead}) {
			t.Errorf("the only copy: %v, %v", kept, err)
		}
		var made []string
		for range 2 {
			time.Sleep(time.Hour)
			copied, err := l.Backup(t.Context(), 3)
			if err != nil {
				t.Fatal(err)
			}
			made = append(made, copied)
		}
		if kept, err := store.Copies(file); err != nil || !slices.Equal(kept, []string{made[1], made[0], ahead}) {
			t.Errorf("%v, %v", kept, err)
		}
		if _, err := l.Backup(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(ahead); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the one from the future is kept: %v", err)
		}
	})
}

// A copy of a damaged ledger must not push the good ones out, and one that was broken off leaves nothing.
func TestNoCopyOfADamagedLedger(t *testing.T) {
	file := filled(t, 300)
	l, err := store.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	good, err := l.Backup(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Backup(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("broken off: %v", err)
	}
	l.Close()
	change(t, file, func(tx *bbolt.Tx) error { // a row in the middle: no start looks there
		jobs := tx.Bucket([]byte("jobs"))
		k, v := jobs.Cursor().Seek([]byte{0, 0, 0, 0, 0, 0, 0, 150})
		v = bytes.Clone(v)
		v[20] ^= 1
		return jobs.Put(k, v)
	})
	if l, err = store.Open(file); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Backup(t.Context(), 1); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("got %v, want ErrDamaged", err)
	}
	entries, err := os.ReadDir(filepath.Dir(good))
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(good) {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
}

// Who has the copy open as soon as it is written, a virus scanner for instance, holds up the copy and says nothing of the ledger.
func TestACopyThatAnotherProgramHoldsIsNoDamage(t *testing.T) {
	file := filled(t, 3)
	l, err := store.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	folder := filepath.Join(filepath.Dir(file), "copies")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	holder, err := bbolt.Open(filepath.Join(folder, "ledger-part"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Backup(t.Context(), 3); err == nil || errors.Is(err, store.ErrDamaged) {
		t.Errorf("got %v, want an error that is no damage", err)
	}
	if err := holder.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Backup(t.Context(), 3); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestWithoutCopies(t *testing.T) {
	if copies, err := store.Copies(filepath.Join(t.TempDir(), "ledger.db")); len(copies) > 0 || err != nil {
		t.Errorf("%v, %v", copies, err)
	}
}

func TestTheSecondIsToldWhoHasTheLedger(t *testing.T) {
	file := filled(t, 0)
	if err := os.WriteFile(file+".lock", []byte(`{"pid":1,"host":"crashed"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := store.Open(file) // what a crash left holds nobody up
	if err != nil {
		t.Fatal(err)
	}
	host, _ := os.Hostname()
	_, err = store.Open(file)
	if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), host) || !strings.Contains(err.Error(), "process ") {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(file+".lock", []byte("\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = store.Open(file); !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), "another") {
		t.Errorf("by an unreadable name: %v", err)
	}
	l.Close()
	if _, err := os.Stat(file + ".lock"); !os.IsNotExist(err) {
		t.Errorf("left behind: %v", err)
	}
}
