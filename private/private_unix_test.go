//go:build unix

package private_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"hotfolder/private"
)

// The login that root fetches for a service is the service's to read and to renew.
func TestWhatRootWritesIsTheFolderOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	const someone = 12345
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	for _, owner := range []int{someone, 0} {
		if err := os.Chown(dir, owner, owner); err != nil {
			t.Fatal(err)
		}
		if err := private.WriteFile(path, []byte("x")); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 || ownerOf(info) != owner {
			t.Errorf("%v of %d, %v; want it private and of %d", info.Mode(), ownerOf(info), err, owner)
		}
	}
}

func ownerOf(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }
