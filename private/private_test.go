package private_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"hotfolder/private"
)

func TestWhatIsWrittenIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "folder", "secret")
	for _, content := range []string{"first", "second, longer"} {
		if err := private.WriteFile(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		if got, err := private.ReadFile(path); string(got) != content || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 {
		t.Errorf("left over: %v", files)
	}
	if runtime.GOOS == "windows" {
		return // see TestRights
	}
	for name, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700, filepath.Dir(filepath.Dir(path)): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
}

// A file that was open to others is replaced by one that is not, and one who had it open still sees the old one.
func TestAnOpenFileIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" { // which lets nobody replace what is open
		reader, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			var seen bytes.Buffer
			if seen.ReadFrom(reader); seen.String() != "old" {
				t.Errorf("who had it open reads %q", &seen)
			}
			reader.Close()
		}()
	}
	if err := private.WriteFile(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if got, err := private.ReadFile(path); string(got) != "new" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWhatOthersCanReadIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("see TestRights")
	}
	path := filepath.Join(t.TempDir(), "secret")
	if err := private.WriteFile(path, []byte("top secret")); err != nil {
		t.Fatal(err)
	}
	for mode, refused := range map[fs.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true, 0o660: true, 0o602: true, 0o644: true} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := private.ReadFile(path)
		if errors.Is(err, private.ErrOpen) != refused || refused && !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("%o: %v", mode, err)
		}
	}
}

func TestReadFileHasLimits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if _, err := private.ReadFile(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if err := private.WriteFile(path, make([]byte, 1<<20+1)); err != nil {
		t.Fatal(err)
	}
	if got, err := private.ReadFile(path); err == nil {
		t.Errorf("%d bytes read", len(got))
	}
}

// What cannot be replaced stays, and nothing is left over.
func TestWriteFileFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	if err := os.Mkdir(path, 0o700); err != nil { // a rename onto a folder fails, also for root
		t.Fatal(err)
	}
	if err := private.WriteFile(path, []byte("x")); err == nil {
		t.Error("written over a folder")
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("left over: %v", files)
	}
	if err := private.WriteFile(filepath.Join(os.DevNull, "secret"), []byte("x")); err == nil {
		t.Error("written below a device")
	}
}
