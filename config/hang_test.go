package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
)

// A folder on a share that hangs is taken as it is written, and the others as they are.
func TestFolderThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		defer close(hang)
		got, silent := realPaths([]string{"/share", "/link"}, func(path string) string {
			if path == "/share" {
				<-hang
			}
			return "/elsewhere"
		})
		if got["/share"] != "/share" || got["/link"] != "/elsewhere" {
			t.Errorf("%v", got)
		}
		if !slices.Equal(silent, []string{"/share"}) {
			t.Errorf("silent: %v", silent)
		}
	})
}

// Glance does not look where a link leads, Load does.
func TestGlance(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(".", filepath.Join(dir, "link")); err != nil {
		t.Skip(err)
	}
	file := filepath.Join(dir, "hotfolder.yaml")
	text := fmt.Sprintf("folders: [{name: a, input: %[1]q, output: %[2]q, workflow: a0f0b604-85c0-45fd-85cf-4428bb3941ba}]\n",
		filepath.Join(dir, "in"), filepath.Join(dir, "link", "in"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	if c, err := Glance(file, os.Getenv); err != nil || len(c.Folders) != 1 {
		t.Errorf("Glance: %v", err)
	}
	if _, err := Load(file, os.Getenv); err == nil {
		t.Error("Load does not see that the output is the input")
	}
}
