package agent

import (
	"os"
	"path/filepath"
	"testing"
)

// What has two names in two folders loses one of them with a removal; what is to be seen in two places is gone from both.
func TestIsOneName(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	for _, folder := range []string{"in", "done"} {
		if err := os.Mkdir(at(folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{"in/a.jpg": "a picture", "done/copy.jpg": "a picture"} {
		if err := os.WriteFile(at(name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(at("in/a.jpg"), at("done/a.jpg")); err != nil {
		t.Skip("no links here:", err)
	}
	for name, want := range map[string]bool{
		"in/a.jpg": true, "in/../in/a.jpg": true, "done/a.jpg": false, "done/copy.jpg": false, "done/none.jpg": false,
	} {
		if got := isOneName(at("in/a.jpg"), dir+"/"+name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if err := os.Symlink(at("in"), at("again")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	if !isOneName(at("in/a.jpg"), at("again/a.jpg")) {
		t.Error("one name by way of a link is two")
	}
}
