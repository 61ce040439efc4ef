package store

import (
	"fmt"
	"io/fs"

	"go.etcd.io/bbolt"
)

// Create is Open for a ledger that is lost: it begins an empty one beside the copies that there may be. It fails with fs.ErrExist
// when the file is there.
func Create(file string) (*Ledger, error) {
	if Exists(file) {
		return nil, fmt.Errorf("create ledger %s: %w", file, fs.ErrExist)
	}
	l, err := openWriter(file, true)
	if err != nil {
		return nil, openError(file, err)
	}
	return l, nil
}

// Restore enters a job as it stands, with its history (whose last step is its state), execution, output and credits, and
// remembers its file as seen: what `hotfolder recover` does with what it finds. It fails with ErrExists when there is a job of
// that id, and otherwise as Step does.
func (l *Ledger) Restore(job Job, seen Seen) error {
	if n := len(job.History); n == 0 || job.History[n-1].State != job.State {
		return fmt.Errorf("restore job %s: its history does not end in %s", job.ID, job.State)
	}
	return l.update(func(tx *bbolt.Tx) error {
		job := job
		if tx.Bucket(bIDs).Get([]byte(job.ID)) != nil {
			return fmt.Errorf("%w: %s", ErrExists, job.ID)
		}
		history := job.History
		job.History = nil
		for _, e := range history {
			job.enter(e)
		}
		if err := insert(tx, &job); err != nil {
			return err
		}
		return see(tx, job, seen)
	})
}

var unreconciled = []byte("unreconciled")

// SetReconciled notes whether the ledger is known to agree with the API's books. It is not while it is new, since nobody knows
// whether it is the first, nor in a copy that was put in the ledger's place: what was paid for is not in it, so nothing may be
// spent before that is looked up.
func (l *Ledger) SetReconciled(yes bool) error {
	return l.update(func(tx *bbolt.Tx) error { return setReconciled(tx, yes) })
}

func setReconciled(tx *bbolt.Tx, yes bool) error {
	if yes {
		return tx.Bucket(bMeta).Delete(unreconciled)
	}
	return tx.Bucket(bMeta).Put(unreconciled, []byte{1})
}

// Reconciled tells what SetReconciled noted.
func (l *Ledger) Reconciled() (yes bool, err error) {
	err = l.view(func(tx *bbolt.Tx) error {
		yes = tx.Bucket(bMeta).Get(unreconciled) == nil
		return nil
	})
	return yes, err
}
