//go:build unix

package private_test

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
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

// A data folder is given to another account with all that is in it, and nothing beside it.
func TestGive(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	someone, err := user.Lookup("nobody")
	if err != nil {
		t.Skip("there is no other user here")
	}
	dir := t.TempDir()
	data, beside := filepath.Join(dir, "data"), filepath.Join(dir, "beside")
	if err := private.WriteFile(filepath.Join(data, "copies", "secret"), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := private.WriteFile(beside, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(beside, filepath.Join(data, "link")); err != nil {
		t.Fatal(err)
	}
	if err := private.Give(data, someone.Uid); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{data: someone.Uid, filepath.Join(data, "copies", "secret"): someone.Uid, beside: "0"} {
		info, err := os.Stat(path)
		if err != nil || strconv.Itoa(ownerOf(info)) != want {
			t.Errorf("%s is of %d, %v, want %s", path, ownerOf(info), err, want)
		}
	}
	if err := private.Give(filepath.Join(data, "gone"), someone.Uid); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func ownerOf(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }
