package watcher_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"hotfolder/watcher"
)

func TestPending(t *testing.T) {
	root := t.TempDir()
	known := map[string]bool{"shoot/known.jpg": true}
	f, err := watcher.New(watcher.Options{
		Root: root, Include: []string{"*.jpg"},
		Unknown: func(files []watcher.File) []watcher.File {
			return slices.DeleteFunc(files, func(f watcher.File) bool { return known[f.Path] })
		},
		Take: nil,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := func(dir string, want bool) {
		t.Helper()
		got, err := f.Pending(dir, func(path string) bool { return path == "shoot/unreadable.jpg" })
		if err != nil || got != want {
			t.Errorf("Pending(%q) = %v, %v, want %v", dir, got, err, want)
		}
	}
	put := func(name string) {
		t.Helper()
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want("shoot", false) // not there
	for _, name := range []string{"shoot/known.jpg", "shoot/unreadable.jpg", "shoot/letter.txt", "shoot/.hidden.jpg", "shoot/sub/new.jpg"} {
		put(name)
	}
	want("shoot", false)
	want(".", false)
	want("shoot/sub", true)
	put("shoot/new.jpg")
	want("shoot", true)
	put("new.jpg")
	want(".", true)
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Pending("shoot", func(string) bool { return false }); err == nil {
		t.Error("nothing is said of a root that is gone")
	}
}
