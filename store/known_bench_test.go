package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"hotfolder/store"
)

// BenchmarkKnown asks about 64 files of a folder at once, as a rescan does.
func BenchmarkKnown(b *testing.B) {
	const files = 100_000
	l, err := store.Open(filepath.Join(b.TempDir(), "ledger.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	l.NoSync()
	at := time.Unix(1_700_000_000, 0)
	path := func(n int) string { return fmt.Sprintf("%03d/%05d/IMG_%06d.JPG", n/1000, n/100, n) }
	names := make([]string, files)
	for i := range names {
		names[i] = path(i)
	}
	each(b, files, func(i int) error {
		job := newJob(names[i], sha)
		_, _, err := l.Add(job, store.Seen{Size: 1, ModTime: at})
		return err
	})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l.Known("packshots", func(known func(string, store.Seen) bool) {
			for n := range 64 {
				if name := names[(i*64+n)%files]; !known(name, store.Seen{Size: 1, ModTime: at}) {
					b.Fatal(name)
				}
			}
		})
	}
}
