package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hotfolder/cli"
)

func TestReferenceIsUpToDate(t *testing.T) {
	got, err := os.ReadFile("../../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := reference(cli.Root()); strings.ReplaceAll(string(got), "\r\n", "\n") != want {
		t.Error("docs/commands.md is not what the commands say: go run ./cli/manual --markdown docs/commands.md")
	}
}

// There is a page for each command, which man can show.
func TestManPages(t *testing.T) {
	dir := t.TempDir()
	if err := manPages(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hotfolder.1", "hotfolder-run.1", "hotfolder-service-install.1"} {
		page, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(page), ".SH SYNOPSIS") {
			t.Errorf("%s: %v\n%s", name, err, page)
		}
	}
	man, err := exec.LookPath("man")
	if err != nil {
		t.Skip("no man here to try them")
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(man, append([]string{"--warnings", "-l"}, pages...)...)
	cmd.Env = append(os.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8", "PAGER=cat")
	var warnings strings.Builder
	cmd.Stderr = &warnings
	if err := cmd.Run(); err != nil || warnings.Len() > 0 {
		t.Errorf("%v: %s", err, warnings.String())
	}
}
