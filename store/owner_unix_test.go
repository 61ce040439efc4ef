//go:build unix

package store_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"hotfolder/store"
)

// The ledger that root rebuilds, or compacts, is that of the user as whom the agent runs.
func TestALedgerThatRootBeginsIsTheFolderOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	const someone = 12345
	dir := t.TempDir()
	if err := os.Chown(dir, someone, someone); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "ledger.db")
	for _, open := range []func(string) (*store.Ledger, error){store.Create, store.Open} {
		l, err := open(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if owner := info.Sys().(*syscall.Stat_t).Uid; owner != someone {
			t.Errorf("it is of user %d, %d bytes; want that of %d", owner, info.Size(), someone)
		}
		bloat(t, file)
	}
}
