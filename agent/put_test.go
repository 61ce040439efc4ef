package agent_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestPut(t *testing.T) {
	in(t, studio{}, func(w *world) {
		dir := filepath.Join(w.dir, "reports")
		put := func(content string, replace bool) error { return w.agent.Put(dir, "a.html", []byte(content), replace) }
		if err := put("x", true); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("into a folder that is not there: %v", err)
		}
		w.write("reports/b.html", []byte("another's"))
		for _, step := range []struct {
			content string
			replace bool
			want    error
			there   string
		}{
			{"one", false, nil, "one"},
			{"two", false, fs.ErrExist, "one"},
			{"three", true, nil, "three"},
		} {
			err := put(step.content, step.replace)
			got, _ := os.ReadFile(filepath.Join(dir, "a.html"))
			if !errors.Is(err, step.want) || string(got) != step.there {
				t.Errorf("%q, replace %v: %v, %q is there", step.content, step.replace, err, got)
			}
		}
		if names := slices.Sorted(maps.Keys(w.files("reports"))); !slices.Equal(names, []string{"a.html", "b.html"}) {
			t.Errorf("the folder has %q", names)
		}
		if _, err := os.Stat(filepath.Join(w.dir, "reports", "c")); err == nil {
			t.Error("a folder was made")
		}
	})
}

// A folder that lay on a share is not written to while its share is away.
func TestPutBelowABareMountPoint(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a share that is away has no path there")
	}
	in(t, studio{idle: true}, func(w *world) {
		dir := filepath.Join(w.dir, "reports")
		w.write("reports/old.html", []byte("old"))
		w.write("data/mounts.json", []byte(`{"`+dir+`": "`+dir+`"}`))
		w.start()
		if err := w.agent.Put(dir, "a.html", []byte("x"), false); err == nil || !strings.Contains(err.Error(), "nothing is mounted") {
			t.Error(err)
		}
		if len(w.files("reports")) != 1 {
			t.Errorf("written: %v", w.files("reports"))
		}
	})
}
