package autoretouch_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"hotfolder/autoretouch"
	"hotfolder/private"
)

var someToken = autoretouch.Token{Refresh: "r", Access: "a", Expiry: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}

func TestFileKeepsTheLogin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "credentials.json")
	f := &autoretouch.File{Path: path}
	if _, err := f.Load(); !errors.Is(err, autoretouch.ErrNoLogin) {
		t.Errorf("before: %v", err)
	}
	if err := f.Save(someToken); err != nil {
		t.Fatal(err)
	}
	for _, reader := range []*autoretouch.File{f, {Path: path}} {
		if got, err := reader.Load(); got != someToken || err != nil {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if info, _ := os.Stat(path); runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 {
		t.Errorf("left over: %v", files)
	}
	if err := errors.Join(f.Forget(), f.Forget()); err != nil {
		t.Error(err)
	}
	if _, err := f.Load(); !errors.Is(err, autoretouch.ErrNoLogin) {
		t.Errorf("after: %v", err)
	}
}

// What another process writes counts at once.
func TestFileIsReadAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials.json")
	mine, other := &autoretouch.File{Path: path}, &autoretouch.File{Path: path}
	for _, refresh := range []string{"one", "three", "seventeen"} {
		if err := other.Save(autoretouch.Token{Refresh: refresh}); err != nil {
			t.Fatal(err)
		}
		if got, err := mine.Load(); got.Refresh != refresh || err != nil {
			t.Errorf("%+v, %v, want %s", got, err, refresh)
		}
	}
}

func TestFileRefused(t *testing.T) {
	for name, test := range map[string]struct {
		content string
		mode    os.FileMode
		want    string
	}{
		"group":    {`{"refresh_token":"secret"}`, 0o640, "chmod 600"},
		"others":   {`{"refresh_token":"secret"}`, 0o604, "chmod 600"},
		"damaged":  {`{"refresh_token":"secre`, 0o600, "is damaged"},
		"empty":    {``, 0o600, "is damaged"},
		"no login": {`{}`, 0o600, "is damaged"},
	} {
		if runtime.GOOS == "windows" && test.mode != 0o600 {
			continue
		}
		path := filepath.Join(t.TempDir(), "credentials.json")
		if err := errors.Join(private.WriteFile(path, []byte(test.content)), os.Chmod(path, test.mode)); err != nil {
			t.Fatal(err)
		}
		f := &autoretouch.File{Path: path}
		for range 2 {
			_, err := f.Load()
			if err == nil || autoretouch.ClassOf(err) != auth || !strings.Contains(err.Error(), test.want) ||
				!strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "secre") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// A mode that is opened later is noticed, and one that is mended counts at once.
func TestFileModeChanges(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	path := filepath.Join(t.TempDir(), "credentials.json")
	f := &autoretouch.File{Path: path}
	if err := f.Save(someToken); err != nil {
		t.Fatal(err)
	}
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o644: false, 0o400: true} {
		os.Chmod(path, mode)
		if _, err := f.Load(); (err == nil) != ok {
			t.Errorf("%o: %v", mode, err)
		}
	}
}

// A folder that cannot be written fails the save and leaves the old login.
func TestFileSaveFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "credentials.json")
	if err := os.Mkdir(path, 0o700); err != nil { // a rename onto a folder fails, also for root
		t.Fatal(err)
	}
	if err := (&autoretouch.File{Path: path}).Save(someToken); err == nil {
		t.Error("saved over a folder")
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("left over: %v", files)
	}
}

// A given refresh token stands until another is given; what the server put in its place is kept.
func TestGiven(t *testing.T) {
	store := &memory{}
	given := autoretouch.Given{Refresh: "first", Store: store}
	if got, err := given.Load(); got.Refresh != "first" || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if err := given.Save(autoretouch.Token{Refresh: "rotated", Access: "a"}); err != nil {
		t.Fatal(err)
	}
	if got, _ := given.Load(); got.Refresh != "rotated" || got.Access != "a" {
		t.Errorf("%+v", got)
	}
	another := autoretouch.Given{Refresh: "second", Store: store}
	if got, _ := another.Load(); got.Refresh != "second" || got.Access != "" {
		t.Errorf("%+v", got)
	}
	store.set(someToken, nil) // a login of a person
	if got, _ := given.Load(); got.Refresh != "first" {
		t.Errorf("%+v", got)
	}
	if strings.Contains(store.token.Origin, "first") {
		t.Error("the origin shows the token")
	}
}
