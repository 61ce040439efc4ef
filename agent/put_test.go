package agent_test

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hotfolder/agent"
	"hotfolder/watcher"
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

const statusPage = "_STATUS.html"

func (w *world) notice() string {
	s, err := w.agent.Status(context.Background())
	if err != nil {
		w.Fatal(err)
	}
	return s.Folders[0].Notice
}

// The page is no picture, whatever is included, and nobody waits for it.
func TestPutInput(t *testing.T) {
	in(t, studio{folder: "include: [\"*\"]\n"}, func(w *world) {
		w.until("the input to be known", time.Minute, func() bool { return w.agent.PutInput("packshots", statusPage, []byte("page 1"), isPage) == nil })
		if err := w.agent.PutInput("packshots", statusPage, []byte("page 2"), isPage); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		if got, err := os.ReadFile(filepath.Join(w.dir, "in", statusPage)); string(got) != "page 2" {
			t.Errorf("%q, %v", got, err)
		}
		if n := len(w.counts()); n > 0 || w.notice() != "" || len(w.files("in")) != 1 {
			t.Errorf("%v, %q, %v", w.counts(), w.notice(), w.files("in"))
		}
		a := w.agent
		w.halt()
		if err := a.PutInput("packshots", statusPage, []byte("page 3"), isPage); err != nil { // it has ended: stopped
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(w.dir, "in", ".hotfolder-lock")); err == nil {
			t.Error("the folder is still claimed")
		}
		w.write("in/.hotfolder-lock", []byte(`{"host":"other","pid":1,"owner":"/other","token":"x"}`))
		if err := a.PutInput("packshots", statusPage, []byte("page 4"), isPage); !errors.Is(err, watcher.ErrClaimed) {
			t.Errorf("in another agent's folder: %v", err)
		}
		if got, _ := os.ReadFile(filepath.Join(w.dir, "in", statusPage)); string(got) != "page 3" {
			t.Errorf("%q", got)
		}
	})
}

func TestPutInputOfAnothersFolder(t *testing.T) {
	in(t, studio{idle: true}, func(w *world) {
		w.write("in/.hotfolder-lock", []byte(`{"host":"other","pid":1,"owner":"/other","token":"x"}`))
		w.start()
		for range 50 {
			if err := w.agent.PutInput("packshots", statusPage, []byte("page"), isPage); err == nil {
				t.Error("written")
			}
			time.Sleep(time.Second)
		}
		if len(w.files("in")) > 0 || w.notice() != "" {
			t.Errorf("%v, notice %q", w.files("in"), w.notice())
		}
	})
}

func TestPutInputThatIsAway(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.until("the input to be known", time.Minute, func() bool { return w.agent.PutInput("packshots", statusPage, []byte("page 1"), isPage) == nil })
		away := filepath.Join(w.dir, "away")
		if err := os.Rename(filepath.Join(w.dir, "in"), away); err != nil {
			t.Fatal(err)
		}
		for range 30 {
			if err := w.agent.PutInput("packshots", statusPage, []byte("page 2"), isPage); err == nil {
				t.Error("written")
			}
			time.Sleep(time.Second)
		}
		if _, err := os.Stat(filepath.Join(w.dir, "in")); err == nil {
			t.Error("the input was made")
		}
	})
}

// isPage tells the agent's own pages in these tests.
func isPage(beginning []byte) bool { return strings.HasPrefix(string(beginning), "page") }

// What somebody else put there under the name of the agent's page stays, and people are told until it is gone.
func TestPutInputInPlaceOfAnother(t *testing.T) {
	in(t, studio{idle: true}, func(w *world) {
		page := filepath.Join(w.dir, "in", statusPage)
		others := map[string]func() error{
			"a person's page": func() error { return os.WriteFile(page, []byte("opening hours"), 0o644) },
			"an empty file":   func() error { return os.WriteFile(page, nil, 0o644) },
			"a folder":        func() error { return os.Mkdir(page, 0o755) },
		}
		if runtime.GOOS != "windows" {
			w.write("elsewhere", []byte("page of the agent's, elsewhere"))
			others["a link"] = func() error { return os.Symlink(filepath.Join(w.dir, "elsewhere"), page) }
		}
		w.start()
		time.Sleep(time.Minute)
		for what, put := range others {
			if err := put(); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(page)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.agent.PutInput("packshots", statusPage, []byte("page"), isPage); err == nil {
				t.Errorf("%s: no error", what)
			}
			if after, err := os.Lstat(page); err != nil || !os.SameFile(before, after) || after.Size() != before.Size() {
				t.Errorf("%s did not stay: %v", what, err)
			}
			const want = "_STATUS.html cannot be written to the input folder: something else has that name; rename it"
			if !strings.Contains(w.notice(), want) || len(w.troubles()) > 0 {
				t.Errorf("%s: notice %q, troubles %v", what, w.notice(), w.troubles())
			}
			if err := os.Remove(page); err != nil {
				t.Fatal(err)
			}
			if err := w.agent.PutInput("packshots", statusPage, []byte("page"), isPage); err != nil || w.notice() != "" {
				t.Errorf("after %s: %v, notice %q", what, err, w.notice())
			}
			if err := os.Remove(page); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A folder that can't be written to works as well without the page; people are told in the status alone.
func TestPutInputReadOnly(t *testing.T) {
	in(t, studio{idle: true}, func(w *world) {
		var writable atomic.Bool
		w.disk = func(d agent.Disk) agent.Disk {
			return watchedDisk{Disk: d, before: func(op, what string) error {
				if strings.HasPrefix(what, filepath.Join(w.dir, "in")) && !writable.Load() {
					return &fs.PathError{Op: op, Path: what, Err: syscall.EROFS}
				}
				return nil
			}}
		}
		w.start()
		time.Sleep(time.Minute)
		if err := w.agent.PutInput("packshots", statusPage, []byte("page"), isPage); !errors.Is(err, syscall.EROFS) {
			t.Error(err)
		}
		if !strings.Contains(w.notice(), "_STATUS.html cannot be written to the input folder") || len(w.troubles()) > 0 {
			t.Errorf("notice %q, troubles %v", w.notice(), w.troubles())
		}
		writable.Store(true)
		if err := w.agent.PutInput("packshots", statusPage, []byte("page"), isPage); err != nil || w.notice() != "" {
			t.Errorf("%v, notice %q", err, w.notice())
		}
	})
}

// What is removed is surely the agent's own, in a folder that is there and nobody else's.
func TestRemoveInput(t *testing.T) {
	in(t, studio{idle: true}, func(w *world) {
		page := filepath.Join(w.dir, "in", statusPage)
		remove := func() error {
			return w.agent.RemoveInput("packshots", statusPage, func(b []byte) bool { return strings.HasPrefix(string(b), "ours") })
		}
		there := func() bool { _, err := os.Lstat(page); return err == nil }
		w.write("in/"+statusPage, []byte("ours"))
		w.write("in/.hotfolder-lock", []byte(`{"host":"other","pid":1,"owner":"/other","token":"x"}`))
		w.start()
		for range 50 {
			if err := remove(); err == nil || !there() {
				t.Fatalf("in another agent's folder: %v", err)
			}
			time.Sleep(time.Second)
		}
		if err := os.Remove(filepath.Join(w.dir, "in", ".hotfolder-lock")); err != nil {
			t.Fatal(err)
		}
		w.until("the input to be known", 10*time.Minute, func() bool { return remove() == nil })
		if there() {
			t.Error("it is still there")
		}
		if err := remove(); err != nil {
			t.Errorf("where there is none: %v", err)
		}
		w.write("in/"+statusPage, []byte("a person's, not ours"))
		if err := remove(); err != nil || !there() {
			t.Errorf("a person's: %v", err)
		}
		if err := os.Remove(page); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(page, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := remove(); err != nil || !there() {
			t.Errorf("a folder: %v", err)
		}
		if err := os.Remove(page); err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" {
			w.write("elsewhere", []byte("ours"))
			if err := os.Symlink(filepath.Join(w.dir, "elsewhere"), page); err != nil {
				t.Fatal(err)
			}
			if err := remove(); err != nil || !there() {
				t.Errorf("a link: %v", err)
			}
			if err := os.Remove(page); err != nil {
				t.Fatal(err)
			}
		}
		w.write("in/"+statusPage, []byte("ours"))
		away := filepath.Join(w.dir, "away")
		if err := os.Rename(filepath.Join(w.dir, "in"), away); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := remove(); err == nil {
			t.Error("removed from a folder that is away")
		}
		if _, err := os.Stat(filepath.Join(away, statusPage)); err != nil {
			t.Error(err)
		}
	})
}

func TestRemoveInputReadOnly(t *testing.T) {
	in(t, studio{idle: true}, func(w *world) {
		w.disk = func(d agent.Disk) agent.Disk {
			return watchedDisk{Disk: d, before: func(op, what string) error {
				if filepath.Base(what) == statusPage {
					return &fs.PathError{Op: op, Path: what, Err: syscall.EROFS}
				}
				return nil
			}}
		}
		w.write("in/"+statusPage, []byte("ours"))
		w.start()
		time.Sleep(time.Minute)
		if err := w.agent.RemoveInput("packshots", statusPage, func([]byte) bool { return true }); !errors.Is(err, syscall.EROFS) {
			t.Error(err)
		}
		if !strings.Contains(w.notice(), "_STATUS.html cannot be removed from the input folder") || len(w.troubles()) > 0 {
			t.Errorf("notice %q, troubles %v", w.notice(), w.troubles())
		}
	})
}
