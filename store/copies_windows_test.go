package store_test

import (
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/store"
)

// An old copy that a program has open stays until it is closed; new ones are made meanwhile, no more often than otherwise.
func TestAnOldCopyInUseHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filled(t, 1)
		l, err := store.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		var made []string
		backup := func() {
			copied, err := l.Backup(t.Context(), 2)
			if err != nil {
				t.Fatal(err)
			}
			made = append(made, copied)
			time.Sleep(24 * time.Hour)
		}
		backup()
		reader, err := os.Open(made[0])
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			backup()
		}
		want := []string{made[3], made[2], made[0]}
		if kept, err := store.Copies(file); err != nil || !slices.Equal(kept, want) {
			t.Errorf("%v kept, want %v; %v", kept, want, err)
		}
		reader.Close()
		backup()
		want = []string{made[4], made[3]}
		if kept, err := store.Copies(file); err != nil || !slices.Equal(kept, want) {
			t.Errorf("%v kept, want %v; %v", kept, want, err)
		}
	})
}
