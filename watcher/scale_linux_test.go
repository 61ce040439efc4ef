package watcher_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"hotfolder/watcher"
)

const queueLimit = "/proc/sys/fs/inotify/max_queued_events"

// overflowing are the OS's events with a queue of so few that it overflows all the time. The limit is what it is when the
// queue is made.
func overflowing(t *testing.T) func() (watcher.Events, error) {
	limit, err := os.ReadFile(queueLimit)
	must(t, err)
	if err := os.WriteFile(queueLimit, limit, 0o644); err != nil {
		t.Skip("the length of the queue can't be set:", err)
	}
	return func() (watcher.Events, error) {
		defer os.WriteFile(queueLimit, limit, 0o644)
		if err := os.WriteFile(queueLimit, []byte("8"), 0o644); err != nil {
			return nil, err
		}
		return watcher.OSEvents()
	}
}

// A count is of the files that were taken.
type count struct {
	mu    sync.Mutex
	names map[string]int
	first chan struct{}
	all   chan struct{}
}

// watchAndCount watches a folder in real time until n files were taken.
func watchAndCount(t *testing.T, o watcher.Options, n int) *count {
	c := &count{names: map[string]int{}, first: make(chan struct{}), all: make(chan struct{})}
	o.Recursive, o.Settle = true, 20*time.Millisecond
	o.Unknown = func(files []watcher.File) []watcher.File {
		c.mu.Lock()
		defer c.mu.Unlock()
		return slices.DeleteFunc(files, func(f watcher.File) bool { return c.names[f.Path] > 0 })
	}
	o.Take = func(_ context.Context, f watcher.File) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.names[f.Path]++
		switch {
		case c.names[f.Path] > 1:
			t.Errorf("%q taken %d times", f.Path, c.names[f.Path])
		case len(c.names) == n:
			close(c.all)
		case len(c.names) == 1:
			close(c.first)
		}
		return nil
	}
	f, err := watcher.New(o)
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	t.Cleanup(func() { stop(); must(t, <-ended) })
	return c
}

func (c *count) wait(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(60 * time.Second):
		c.mu.Lock()
		defer c.mu.Unlock()
		t.Fatalf("%d files taken", len(c.names))
	}
}

// Of 5,000 files dropped at once none is missed, be it that the queue of events overflows or that there are none.
func TestFloodOfFiles(t *testing.T) {
	photo := filepath.Join(t.TempDir(), "photo.jpg") // to which the files are links, since they are far quicker made
	must(t, os.WriteFile(photo, jpegOf(t, 8, 8), 0o644))
	for name, o := range map[string]watcher.Options{
		"overflow":  {Events: overflowing(t)},
		"no events": {Rescan: 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			o.Root = t.TempDir()
			const files = 5000
			c := watchAndCount(t, o, files)
			for n := range files {
				must(t, os.MkdirAll(filepath.Join(o.Root, fmt.Sprint(n%10)), 0o755))
				must(t, os.Link(photo, filepath.Join(o.Root, fmt.Sprintf("%d/%d.jpg", n%10, n))))
			}
			c.wait(t, c.all)
		})
	}
}

// The queue of the test above does overflow.
func TestOverflow(t *testing.T) {
	events, err := overflowing(t)()
	must(t, err)
	defer events.Close()
	root := t.TempDir()
	must(t, events.Add(root))
	a, b := filepath.Join(root, "a"), filepath.Join(root, "b")
	must(t, os.WriteFile(a, nil, 0o644))
	for range 2000 {
		must(t, os.Rename(a, b))
		a, b = b, a
	}
	timeout := time.After(10 * time.Second)
	for {
		select {
		case <-events.Events():
		case err := <-events.Errors():
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				t.Error(err)
			}
			return
		case <-timeout:
			t.Fatal("no overflow")
		}
	}
}

// Files in 5,000 new subfolders are found, those that come after the first look too.
func TestManySubfolders(t *testing.T) {
	root := t.TempDir()
	const folders = 5000
	file := filepath.Join(t.TempDir(), "a.jpg")
	must(t, os.WriteFile(file, []byte("text"), 0o644))
	drop := func(from, to int) {
		for n := from; n < to; n++ {
			dir := filepath.Join(root, fmt.Sprint(n%70), fmt.Sprint(n))
			must(t, os.MkdirAll(dir, 0o755))
			must(t, os.Link(file, filepath.Join(dir, "a.jpg")))
		}
	}
	drop(0, folders/2)
	c := watchAndCount(t, watcher.Options{Root: root, Events: watcher.OSEvents}, folders)
	c.wait(t, c.first)
	drop(folders/2, folders)
	c.wait(t, c.all)
}

// 50,000 files in one folder take no more memory than those that may settle at once.
func TestBoundedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	root := t.TempDir()
	const files = 50_000
	first := filepath.Join(root, "first.jpg")
	must(t, os.WriteFile(first, []byte("text"), 0o644))
	for n := range files - 1 {
		must(t, os.Link(first, filepath.Join(root, fmt.Sprintf("%06d.jpg", n))))
	}
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var mu sync.Mutex
	taken, most := 0, uint64(0)
	f, err := watcher.New(watcher.Options{Root: root, Recursive: true, Once: true, Settle: 20 * time.Millisecond,
		Take: func(context.Context, watcher.File) error {
			mu.Lock()
			defer mu.Unlock()
			if taken++; taken%10_000 == 0 {
				runtime.GC()
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapAlloc)
			}
			return nil
		}})
	must(t, err)
	must(t, f.Run(t.Context()))
	if taken != files {
		t.Errorf("%d files taken", taken)
	}
	if grown := int64(most) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Errorf("%d bytes of memory", grown)
	}
}
