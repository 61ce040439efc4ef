package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// Writers that meet a busy disk share the next commit, and one that is refused spoils nothing for the others.
func TestConcurrentStepsShareACommit(t *testing.T) {
	l, err := Open(filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	before := transactions(l)

	const n = 64
	l.disk <- struct{}{} // the disk is busy until all have come
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() {
			job := Job{ID: fmt.Sprint(i), Folder: "f", Path: fmt.Sprint(i), State: Queued}
			if i == 7 {
				job.SHA256 = "not hex"
			}
			_, _, errs[i] = l.Add(job, Seen{})
		})
	}
	for queued := 0; queued < n; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		queued = len(l.pending)
		l.mu.Unlock()
	}
	<-l.disk
	wg.Wait()

	if got := transactions(l) - before; got != 1 {
		t.Errorf("%d transactions for %d steps, want 1", got, n)
	}
	for i, err := range errs {
		if (err != nil) != (i == 7) {
			t.Errorf("step %d: %v", i, err)
		}
	}
	if counts, _ := l.Counts(); counts["f"][Queued] != n-1 {
		t.Errorf("%d rows, want %d", counts["f"][Queued], n-1)
	}
	if _, err := l.Get("7"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the refused row: %v", err)
	}
}

func transactions(l *Ledger) (id int) {
	_ = l.db.View(func(tx *bbolt.Tx) error {
		id = tx.ID()
		return nil
	})
	return id
}

func BenchmarkStep(b *testing.B) {
	for _, workers := range []int{1, 64} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			l, err := Open(filepath.Join(b.TempDir(), "ledger.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			work := make(chan int)
			var wg sync.WaitGroup
			for w := range workers {
				wg.Go(func() {
					id := fmt.Sprint("job", w)
					job, _, err := l.Add(Job{ID: id, Folder: "f", Path: id, State: Queued}, Seen{})
					if err != nil {
						b.Error(err)
					}
					to := []State{Uploaded, Queued}
					for i := 0; ; i++ {
						if _, ok := <-work; !ok {
							return
						}
						if job, err = l.Step(job, to[i%2], "", nil); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for i := 0; b.Loop(); i++ {
				work <- i
			}
			close(work)
			wg.Wait()
		})
	}
}
