package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"hotfolder/store"
)

// realistic is a job as a studio's hot folder gives it.
func realistic(i int) store.Job {
	sum := fmt.Sprintf("%08x%056x", uint32(i)*2654435761, i)
	path := fmt.Sprintf("2026-11-23/shoot-%04d/IMG_%013d.jpg", i/500, i)
	return store.Job{ID: store.NewID("packshots", path, sum), Folder: "packshots", Path: path, SHA256: sum, Size: 5_000_000 + int64(i),
		State: store.Queued, ContentType: "image/jpeg"}
}

// deliver takes a job through its whole life, as the agent's stages do.
func deliver(l *store.Ledger, job store.Job) error {
	job, _, err := l.Add(job, store.Seen{Size: job.Size, ModTime: time.Now()})
	if err != nil {
		return err
	}
	result := fmt.Sprintf("%056x%08x", job.Size, uint32(job.Size)*2654435761)
	for _, s := range []struct {
		to     store.State
		detail string
		change func(*store.Job)
	}{
		{store.Uploaded, "", nil},
		{store.Submitting, "", nil},
		{store.Processing, "execution created", func(j *store.Job) {
			j.Workflow, j.Batch = "a0f0b604-85c0-45fd-85cf-4428bb3941ba", "5e0c4f7e-7a43-4a25-a27c-0a43c2d7d3f1"
			j.Execution, j.Attempts = fmt.Sprintf("%s-%s-4000-8000-%s", result[:8], result[8:12], result[52:]), 1
		}},
		{store.Downloading, "", func(j *store.Job) {
			j.Credits, j.Version = 10, "7b1c2f4e-2a43-4a25-a27c-0a43c2d7d3f1"
			j.Result = store.Result{Path: "/image/" + result + "/" + filepath.Base(j.Path), SHA256: result, ContentType: "image/png", Name: filepath.Base(j.Path)}
		}},
		{store.Delivered, "", func(j *store.Job) { j.Output = j.Path[:len(j.Path)-3] + "png" }},
	} {
		if job, err = l.Step(job, s.to, s.detail, s.change); err != nil {
			return err
		}
	}
	return nil
}

// each runs do for 0 to n-1 on 64 goroutines.
func each(t testing.TB, n int, do func(i int) error) {
	t.Helper()
	next := make(chan int)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for i := range next {
				if err := do(i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// The file takes at most 1 KiB a delivered job, whether the pictures come one by one or are dropped all at once.
func TestSizeOfTheFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("bbolt makes the file as large as its map there, which doubles when it is full")
	}
	for _, atOnce := range []bool{false, true} {
		t.Run(fmt.Sprintf("at once=%v", atOnce), func(t *testing.T) { sizeOfTheFile(t, 3000, atOnce) })
	}
}

func sizeOfTheFile(t testing.TB, n int, atOnce bool) (perJob float64) {
	file := filepath.Join(t.TempDir(), "ledger.db")
	l, err := store.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.NoSync()
	if atOnce {
		each(t, n, func(i int) error { _, _, err := l.Add(realistic(i), store.Seen{}); return err })
	}
	each(t, n, func(i int) error { return deliver(l, realistic(i)) })
	copied, err := l.Backup(t.Context(), 1) // which lacks the room that the file has to grow, 256 KiB at most
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(copied)
	if err != nil {
		t.Fatal(err)
	}
	perJob = float64(info.Size()) / float64(n)
	if perJob > 1024 {
		t.Errorf("%.0f bytes a job", perJob)
	}
	return perJob
}

// BenchmarkSize measures what TestSizeOfTheFile tests, with a year's jobs.
func BenchmarkSize(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(sizeOfTheFile(b, 100_000, false), "bytes/job")
	}
}

// After most of it was thrown away the file is made small again at the next start, with all that is in it.
func TestAMostlyEmptyFileIsCompacted(t *testing.T) {
	file := filled(t, 5)
	bloat(t, file)
	size := func() int64 {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	before := size()
	l, err := store.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if after := size(); after > before/4 {
		t.Errorf("%d bytes, %d before", after, before)
	}
	if err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if job := add(t, l, newJob("new.jpg", sha)); job.ID == "" {
		t.Error("nothing can be added")
	}
	if counts, err := l.Counts(); counts["packshots"][store.Queued] != 6 {
		t.Errorf("%v, %v", counts, err)
	}
	if _, err := store.Open(file); !errors.Is(err, store.ErrLocked) {
		t.Errorf("the new file is not locked: %v", err)
	}
}

// bloat makes a ledger one that is compacted at the next start.
func bloat(t *testing.T, file string) {
	t.Helper()
	junk := []byte("junk")
	change(t, file, func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket(junk)
		if err != nil {
			return err
		}
		return b.Put(junk, make([]byte, 12<<20))
	})
	change(t, file, func(tx *bbolt.Tx) error { return tx.DeleteBucket(junk) })
}

// A file that grows under a reader that takes its time, as a copy does, waits for nobody.
func TestAReaderHoldsNoWriterUp(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there the file would have to be as large from the start")
	}
	l := open(t)
	for i := range 20 {
		add(t, l, newJob(fmt.Sprint(i), sha))
	}
	read := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		_, _, _ = l.SameContent(sha, func(store.Job) bool { <-read; return true }) // in its transaction until read is closed
	})
	defer reader.Wait()
	defer close(read)
	l.NoSync()
	written := make(chan struct{})
	go func() {
		defer close(written)
		each(t, 2000, func(i int) error { _, _, err := l.Add(realistic(i), store.Seen{}); return err })
	}()
	select {
	case <-written:
	case <-time.After(20 * time.Second):
		t.Error("the writers wait")
	}
}
