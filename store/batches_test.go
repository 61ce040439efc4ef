package store_test

import (
	"path/filepath"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/store"
)

func TestABatchLastsAsLongAsItIsAddedTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "ledger.db")
		l, err := store.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { l.Close() }()
		next := func(folder, group string) store.Batch {
			t.Helper()
			b, err := l.Batch(folder, group, 24*time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		first := next("packshots", "shoot 12")
		if !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(first.ID) {
			t.Errorf("%q is no UUID", first.ID)
		}
		for range 5 { // 100 hours in all
			time.Sleep(20 * time.Hour)
			if got := next("packshots", "shoot 12"); got != first {
				t.Errorf("%v, want %v", got, first)
			}
		}
		l.Close()
		if l, err = store.Open(file); err != nil {
			t.Fatal(err)
		}
		if got := next("packshots", "shoot 12"); got != first {
			t.Errorf("after a restart %v, want %v", got, first)
		}
		if other := next("packshots", "shoot 13"); other.ID == first.ID {
			t.Error("two groups share a batch")
		}
		if other := next("website", "shoot 12"); other.ID == first.ID {
			t.Error("two hot folders share a batch")
		}
		time.Sleep(25 * time.Hour)
		if got := next("packshots", "shoot 12"); got.ID == first.ID || !got.CreatedAt.Equal(time.Now()) {
			t.Errorf("a day later still %v", got)
		}
	})
}
