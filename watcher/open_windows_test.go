package watcher_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hotfolder/watcher"
)

// What the agent reads can be renamed, replaced and deleted by others, as on other systems.
func TestWhatIsReadIsNobodysHindrance(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.jpg")
	if err := os.WriteFile(file, []byte("picture"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := watcher.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Rename(file, file+".bak"); err != nil {
		t.Errorf("rename: %v", err)
	}
	if err := os.Remove(file + ".bak"); err != nil {
		t.Errorf("delete: %v", err)
	}
	if got, err := io.ReadAll(f); string(got) != "picture" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestOpenALongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 40), strings.Repeat("path", 40))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "a.jpg")
	if err := os.WriteFile(file, []byte("picture"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := watcher.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}
