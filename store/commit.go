package store

import "go.etcd.io/bbolt"

// update is one writer's change, waiting to be committed together with the others that came while the disk was busy.
type update struct {
	fn   func(*bbolt.Tx) error
	err  error
	done bool
}

// maxBatch bounds the changes that share one transaction, and so its dirty pages in memory.
const maxBatch = 1000

// update runs fn in a transaction and returns when it is durable. Writers that come while another one commits wait for the disk;
// the first of them to get it commits for all, so n writers pay for about two fsyncs, and a lone one waits for nobody. fn may
// run more than once, and must not keep state of a run that was not its last.
func (l *Ledger) update(fn func(*bbolt.Tx) error) error {
	u := &update{fn: fn}
	l.mu.Lock()
	l.pending = append(l.pending, u)
	l.mu.Unlock()

	l.disk.Lock()
	defer l.disk.Unlock()
	for !u.done {
		l.mu.Lock()
		n := min(len(l.pending), maxBatch)
		batch := l.pending[:n:n]
		l.pending = l.pending[n:]
		l.mu.Unlock()
		l.commit(batch)
	}
	return u.err
}

// commit commits a batch; a change that fails is taken out and the rest is done anew without it.
func (l *Ledger) commit(batch []*update) {
	for len(batch) > 0 {
		failed := -1
		err := l.db.Update(func(tx *bbolt.Tx) error {
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
				u.err, u.done = err, true
			}
			return
		}
		batch[failed].err, batch[failed].done = err, true
		batch = append(batch[:failed:failed], batch[failed+1:]...)
	}
}
