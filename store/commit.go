package store

import (
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// update is one writer's change, waiting to be committed together with the others that came while the disk was busy.
type update struct {
	fn   func(*bbolt.Tx) error
	err  error
	done chan struct{} // closed when it is durable, or refused
}

func (u *update) end(err error) {
	u.err = err
	close(u.done)
}

// A commit costs two syncs, however many changes it holds. While several come at once it waits a little for more.
const (
	gatherFor = 5 * time.Millisecond
	enough    = 32   // to wait no longer
	maxBatch  = 1000 // that may share one transaction, and so its dirty pages in memory
)

// update runs fn in a transaction and returns when it is durable. Writers that come while another one commits wait for the disk;
// the first of them to get it commits for all, and a lone one waits for nobody. fn may run more than once, and must not keep state of
// a run that was not its last.
func (l *Ledger) update(fn func(*bbolt.Tx) error) error {
	u := &update{fn: fn, done: make(chan struct{})}
	l.mu.Lock()
	if l.pending = append(l.pending, u); len(l.pending) == enough {
		select {
		case l.full <- struct{}{}:
		default:
		}
	}
	l.mu.Unlock()

	select {
	case <-u.done:
		return u.err
	case l.disk <- struct{}{}:
	}
	defer func() { <-l.disk }()
	for {
		select {
		case <-u.done:
			return u.err
		default:
			l.commitPending()
		}
	}
}

func (l *Ledger) commitPending() {
	if l.busy {
		l.gather()
	}
	l.mu.Lock()
	n := min(len(l.pending), maxBatch)
	batch := l.pending[:n:n]
	l.pending = l.pending[n:]
	l.mu.Unlock()
	l.busy = n > 1
	l.commit(batch)
}

func (l *Ledger) gather() {
	t := time.NewTimer(gatherFor)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.full: // or was before the last commit: then this one does not wait
	}
}

// commit commits a batch; a change that fails is taken out and the rest is done anew without it.
func (l *Ledger) commit(batch []*update) {
	for len(batch) > 0 {
		failed := -1
		err := l.transact(func(tx *bbolt.Tx) error {
			tx.Bucket(bJobs).FillPercent = 0.9 // rows come in order, see minRow
			for i, u := range batch {
				if err := u.fn(tx); err != nil {
					failed = i
					return err
				}
			}
			return nil
		})
		if failed < 0 { // committed, or the disk refused them all
			for _, u := range batch {
				u.end(err)
			}
			return
		}
		batch[failed].end(err)
		batch = append(batch[:failed:failed], batch[failed+1:]...)
	}
}

// transact runs fn in a transaction. When it fails nothing of it is to be seen, now or after a crash. l.disk is held.
func (l *Ledger) transact(fn func(*bbolt.Tx) error) error {
	if err := l.settle(); err != nil {
		return damaged(l.path, err)
	}
	id := 0
	err := guard(func() error {
		return l.db.Update(func(tx *bbolt.Tx) error {
			id = tx.ID()
			return fn(tx)
		})
	})
	if err != nil && !l.tookBack(id, err) {
		l.use.Lock()
		l.out, l.undo = err, id
		l.use.Unlock()
		_ = l.settle() // or else at the next transaction
	}
	return damaged(l.path, err)
}

// tookBack tells whether bbolt itself took a failed transaction back, as it does unless it panicked, lost its mapping of the file
// (on Windows by a full disk), or failed in the very last step, syncing the meta page.
func (l *Ledger) tookBack(id int, err error) bool {
	if errors.Is(err, errPanicked) {
		return false
	}
	last := 0
	err = guard(func() error {
		return l.db.View(func(tx *bbolt.Tx) error {
			last = tx.ID()
			return nil
		})
	})
	return err == nil && (id == 0 || last < id)
}

// settle makes the ledger usable again after a transaction that bbolt did not take back. Left alone, bbolt would go on from it as
// if it were durable, which after a failed fsync nobody knows, and write over pages that the state before still needs.
func (l *Ledger) settle() error {
	if l.out == nil || errors.Is(l.out, errPanicked) || errors.Is(l.out, errClosed) {
		return l.out
	}
	l.use.Lock()
	defer l.use.Unlock()
	if l.db != nil {
		if err := takeBack(l.path, l.undo); err != nil {
			return fmt.Errorf("take back a failed write: %w", err)
		}
		if err := l.close(); err != nil {
			return err
		}
	}
	if err := l.open(); err != nil {
		l.out = openError(l.path, err)
		return l.out
	}
	return nil
}
