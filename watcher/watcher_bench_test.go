package watcher_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"hotfolder/watcher"
)

// BenchmarkRescan is one look at 100,000 known files in 1,000 folders, to be held against `find DIR -printf '%s %T@ %p'`.
func BenchmarkRescan(b *testing.B) {
	const files = 100_000
	root := b.TempDir()
	var first string
	for n := range files {
		name := filepath.Join(root, fmt.Sprint(n/1000), fmt.Sprint(n/100), fmt.Sprintf("IMG_%06d.JPG", n))
		if n%1000 == 0 {
			first = name
		}
		if n%100 == 0 {
			must(b, os.MkdirAll(filepath.Dir(name), 0o755))
		}
		if n%1000 == 0 {
			must(b, os.WriteFile(name, nil, 0o644))
			continue
		}
		must(b, os.Link(first, name))
	}
	known := 0
	f, err := watcher.New(watcher.Options{
		Root: root, Recursive: true, Once: true,
		Include: []string{"*.jpg", "*.jpeg", "*.png", "*.tif", "*.tiff", "*.webp"},
		Unknown: func(files []watcher.File) []watcher.File { known += len(files); return nil },
		Take:    func(context.Context, watcher.File) error { panic("all are known") },
	})
	must(b, err)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		must(b, f.Run(context.Background()))
		n++
	}
	if known != n*files {
		b.Fatalf("%d files a look", known/n)
	}
}
