package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"path"
	"time"

	"go.etcd.io/bbolt"
)

// An order is all jobs of one subfolder of a hot folder, whose results are delivered together. A job whose result is at hand is
// held: it stays Downloading, and its entry in bStates has a number, by which Next passes it over.

// bOrders is folder 0 subfolder → the order's last Release. It is made with the first one.
var bOrders = []byte("orders")

// Hold says that a job that is Downloading waits for the others of its order; why goes into its Error. Any step ends it.
func (l *Ledger) Hold(id, why string) error {
	_, err := l.change(id, func(tx *bbolt.Tx, job *Job) error {
		if job.State != Downloading {
			return fmt.Errorf("job %s: %w: %s is not held", job.ID, ErrStep, job.State)
		}
		n, err := tx.Bucket(bStates).NextSequence()
		if err != nil {
			return err
		}
		return setHeld(tx, job, seqKey(n), why)
	})
	return err
}

// Unhold has Next list a job again that was held.
func (l *Ledger) Unhold(id string) error {
	_, err := l.change(id, func(tx *bbolt.Tx, job *Job) error {
		if job.State != Downloading {
			return nil
		}
		return setHeld(tx, job, nil, "")
	})
	return err
}

func setHeld(tx *bbolt.Tx, job *Job, number []byte, why string) error {
	old := *job
	job.Error = why
	if err := put(tx, &old, job); err != nil {
		return err
	}
	return tx.Bucket(bStates).Put(stateKey(job.State, job.Folder, job.seq), number)
}

// Order is how an order stands in which results are held.
type Order struct {
	Held        int
	First, Last uint64        // the least and the greatest number of those held
	Completed   time.Time     // the earliest of those held
	Found       time.Time     // the latest of its jobs that are held or open
	Open        map[State]int // its other jobs that are not finished
}

// Orders tells how the orders of a hot folder stand in which results are held, by their subfolder. It sees one moment, and reads
// all jobs that are not finished, unless nothing is held.
func (l *Ledger) Orders(folder string) (orders map[string]*Order, err error) {
	orders = map[string]*Order{}
	err = l.view(func(tx *bbolt.Tx) error {
		if err := inState(tx, Downloading, folder, func(job Job, number uint64) {
			if number > 0 {
				o := orders[path.Dir(job.Path)]
				if o == nil {
					o = &Order{First: number, Completed: job.CompletedAt, Open: map[State]int{}}
					orders[path.Dir(job.Path)] = o
				}
				o.Held++
				o.First, o.Last = min(o.First, number), max(o.Last, number)
				o.Completed, o.Found = earlier(o.Completed, job.CompletedAt), later(o.Found, job.DiscoveredAt)
			}
		}); err != nil || len(orders) == 0 {
			return err
		}
		for _, state := range States {
			if state.Final() {
				continue
			}
			if err := inState(tx, state, folder, func(job Job, number uint64) {
				if o := orders[path.Dir(job.Path)]; o != nil && number == 0 {
					o.Open[state]++
					o.Found = later(o.Found, job.DiscoveredAt)
				}
			}); err != nil {
				return err
			}
		}
		return nil
	})
	return orders, err
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// inState calls do for all jobs of a hot folder in a state; number is 0 of one that is not held.
func inState(tx *bbolt.Tx, state State, folder string, do func(job Job, number uint64)) error {
	prefix := stateKey(state, folder, 0)
	prefix = prefix[:len(prefix)-8]
	c := tx.Bucket(bStates).Cursor()
	for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
		job, err := bySeq(tx, binary.BigEndian.Uint64(k[len(prefix):]))
		if err != nil {
			return err
		}
		do(job, uint64(number(v)))
	}
	return nil
}

// Held yields the jobs of an order that are held under numbers up to last, the earliest discovered first. It reads in short
// transactions, so what it yields may be stepped meanwhile.
func (l *Ledger) Held(folder, order string, last uint64) iter.Seq2[Job, error] {
	f := Filter{Folder: folder, State: Downloading}
	return l.inPages(func(tx *bbolt.Tx, seq uint64) (held []Job, next uint64, err error) {
		page, next, err := jobsInState(tx, seq, f)
		for _, job := range page {
			n := number(tx.Bucket(bStates).Get(stateKey(job.State, job.Folder, job.seq)))
			if n > 0 && uint64(n) <= last && path.Dir(job.Path) == order {
				held = append(held, job)
			}
		}
		return held, next, err
	})
}

// Release is a delivery of an order.
type Release struct {
	Last   uint64    // the greatest number of those held that it delivers
	At     time.Time // when it began
	Before time.Time // when the one before it began
	Listed bool      // its list is written
}

// LastRelease returns an order's last delivery; the zero Release when there was none.
func (l *Ledger) LastRelease(folder, order string) (r Release, err error) {
	err = l.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bOrders)
		if b == nil {
			return nil
		}
		v := b.Get(pathKey(folder, order))
		if len(v) != 25 {
			return nil
		}
		at := func(i int) time.Time {
			if ms := int64(binary.BigEndian.Uint64(v[i:])); ms != 0 {
				return time.UnixMilli(ms)
			}
			return time.Time{}
		}
		r = Release{Last: binary.BigEndian.Uint64(v), At: at(8), Before: at(16), Listed: v[24] == 1}
		return nil
	})
	return r, err
}

// SetRelease notes an order's last delivery.
func (l *Ledger) SetRelease(folder, order string, r Release) error {
	return l.update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bOrders)
		if err != nil {
			return err
		}
		v := binary.BigEndian.AppendUint64(nil, r.Last)
		for _, at := range []time.Time{r.At, r.Before} {
			ms := int64(0)
			if !at.IsZero() {
				ms = at.UnixMilli()
			}
			v = binary.BigEndian.AppendUint64(v, uint64(ms))
		}
		listed := byte(0)
		if r.Listed {
			listed = 1
		}
		return b.Put(pathKey(folder, order), append(v, listed))
	})
}
