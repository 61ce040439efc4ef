package watcher_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"hotfolder/watcher"
)

// watchForReal watches a folder in real time with the OS's own events and without rescans. It returns the folder, and how to
// wait until n files were taken.
func watchForReal(t *testing.T) (root string, wait func(n int)) {
	if runtime.GOOS != "linux" && runtime.GOOS != "windows" {
		t.Skip("no events on this system")
	}
	root = t.TempDir()
	online := make(chan watcher.State, 10)
	taken := make(chan string, 10_000)
	f, err := watcher.New(watcher.Options{
		Root: root, Recursive: true, Settle: 20 * time.Millisecond, Events: watcher.OSEvents,
		State: func(s watcher.State) { online <- s },
		Take:  func(_ context.Context, f watcher.File) error { taken <- f.Path; return nil },
	})
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- f.Run(ctx) }()
	t.Cleanup(func() { stop(); must(t, <-ended) })
	if s := <-online; s.Health != watcher.OK {
		t.Fatalf("state %+v", s)
	}
	seen := map[string]bool{}
	return root, func(n int) {
		t.Helper()
		timeout := time.After(30 * time.Second)
		for len(seen) < n {
			select {
			case name := <-taken:
				seen[name] = true
			case <-timeout:
				t.Fatalf("%d of %d files taken", len(seen), n)
			}
		}
	}
}

// Files in subfolders that appear in the same moment are found, also below a folder that was renamed.
func TestOSEventsSubfolders(t *testing.T) {
	root, wait := watchForReal(t)
	photo := jpegOf(t, 8, 8)
	drop := func(name string) {
		must(t, os.MkdirAll(filepath.Dir(name), 0o755))
		must(t, os.WriteFile(name, photo, 0o644))
	}
	for n := range 100 {
		drop(filepath.Join(root, fmt.Sprint(n%10), fmt.Sprint(n), "deep", "deeper", "a.jpg"))
	}
	wait(100)

	must(t, os.Rename(filepath.Join(root, "3"), filepath.Join(root, "new")))
	wait(110)
	drop(filepath.Join(root, "new", "33", "deep", "b.jpg"))
	drop(filepath.Join(root, "3", "33", "deep", "b.jpg"))
	wait(112)
}

func TestOSEventsManyFiles(t *testing.T) {
	root, wait := watchForReal(t)
	photo := jpegOf(t, 8, 8)
	for n := range 2000 {
		must(t, os.WriteFile(filepath.Join(root, fmt.Sprintf("%04d.jpg.part", n)), photo, 0o644))
		must(t, os.Rename(filepath.Join(root, fmt.Sprintf("%04d.jpg.part", n)), filepath.Join(root, fmt.Sprintf("%04d.jpg", n))))
	}
	wait(2000)
}
