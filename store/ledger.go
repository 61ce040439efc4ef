// Package store is the ledger: every job in one bbolt file, with the indexes by which the stages find what is owed next.
//
// Read job.go (what a job is), steps.go (its states and the table of allowed steps), ledger.go (adding, stepping), row.go (a job
// in the file), query.go (finding), orders.go (what is delivered together), commit.go (how concurrent writers share one fsync, and
// what a failed one leaves behind), open.go, and what keeps the file itself: verify.go, copies.go, compact.go. The ledger knows nothing of the API, of folders on
// disk or of time limits; whoever steps a job says why.
package store

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// Errors that callers act on.
var (
	ErrLocked   = errors.New("the ledger is in use")
	ErrNewer    = errors.New("the ledger was written by a newer hotfolder: install that version or a later one")
	ErrDamaged  = errors.New("the ledger is damaged")
	ErrNotFound = errors.New("no such job")
	ErrStep     = errors.New("step not allowed")
	ErrTaken    = errors.New("the output name belongs to another job")
	ErrExists   = errors.New("the ledger has that job already")
)

const schema = 1

// The buckets. All but meta, counts and credits are keyed or valued by a job's seq, 8 bytes big-endian.
var (
	bMeta     = []byte("meta")     // "schema" → decimal; "unreconciled" → see SetReconciled
	bJobs     = []byte("jobs")     // seq → row
	bIDs      = []byte("ids")      // id → seq
	bStates   = []byte("states")   // letter of the state, folder 0 seq → nothing, or of one that is held its number: what is owed, oldest first
	bPaths    = []byte("paths")    // pathKey → seen: the file as last looked at
	bContents = []byte("contents") // first 8 bytes of the hash, seq → nothing
	bOutputs  = []byte("outputs")  // pathKey → seq: who owns a name in an output folder
	bCounts   = []byte("counts")   // state 0 folder → number of jobs
	bCredits  = []byte("credits")  // local day 2006-01-02 → credits charged to executions submitted then
)

var buckets = [][]byte{bMeta, bJobs, bIDs, bStates, bPaths, bContents, bOutputs, bCounts, bCredits}

// Ledger is an open ledger. All methods are safe for concurrent use; those that change something return when it is durable.
// After a failed write (a full disk, say) they return the error, nothing of the change is there, and the next one tries anew.
type Ledger struct {
	path     string
	readOnly bool

	use sync.RWMutex // held while db is used; locked while it is closed or opened anew
	db  *bbolt.DB
	fd  *os.File // db's: closing it releases the lock on the file
	out error    // why db can't be used; nil: it can. Written with disk held, too

	undo int // the transaction to take back before db can be used again; guarded by disk

	mu      sync.Mutex // guards pending
	pending []*update
	full    chan struct{} // rung when there are enough of them
	disk    chan struct{} // filled by the one writer that commits for all
	busy    bool          // the last commit was for several; guarded by disk
}

// Seen is a file as it was last looked at: enough to know at a rescan that nothing has changed.
type Seen struct {
	Size    int64
	ModTime time.Time
}

// Add enters a job into the ledger, in job.State (Queued, or Failed with its Error), and remembers its file as seen. Its history
// begins with that Error, or with the Detail of an event that job.History holds. A job that is there already is returned as it is, with added false; one that was Gone is queued again. What the file held before, if
// nothing was paid for it, becomes Gone.
func (l *Ledger) Add(job Job, seen Seen) (_ Job, added bool, err error) {
	detail := job.Error
	if len(job.History) > 0 {
		detail = job.History[0].Detail
	}
	err = l.update(func(tx *bbolt.Tx) error {
		added = false // the update may run twice
		was, err := byID(tx, job.ID)
		switch {
		case errors.Is(err, ErrNotFound):
			added = true
			job.History = nil
			job.enter(Event{State: job.State, Time: time.Now(), Detail: detail})
			if err := insert(tx, &job); err != nil {
				return err
			}
		case err != nil:
			return err
		case was.State == Gone:
			added = true
			e := Event{State: job.State, Time: time.Now(), Detail: cmp.Or(detail, "the file is back")}
			if err := step(tx, &was, e, func(j *Job) { j.Error = job.Error }); err != nil {
				return err
			}
			job = was
		default:
			job = was
		}
		return see(tx, job, seen)
	})
	return job, added, err
}

func insert(tx *bbolt.Tx, job *Job) error {
	seq, err := tx.Bucket(bJobs).NextSequence()
	if err != nil {
		return err
	}
	job.seq = seq
	if err := tx.Bucket(bIDs).Put([]byte(job.ID), seqKey(seq)); err != nil {
		return err
	}
	if job.SHA256 != "" {
		if err := tx.Bucket(bContents).Put(contentKey(job.SHA256, seq), nil); err != nil {
			return err
		}
	}
	return put(tx, nil, job)
}

// see remembers the file as seen and lets go of the job that its path stood for before.
func see(tx *bbolt.Tx, job Job, seen Seen) error {
	key := pathKey(job.Folder, job.Path)
	if before := tx.Bucket(bPaths).Get(key); before != nil {
		old, err := bySeq(tx, binary.BigEndian.Uint64(before))
		if err != nil {
			return err
		}
		unpaid := old.State == Queued || old.State == Uploaded || old.State == Failed && old.Execution == "" && old.SubmittedAt.IsZero()
		if old.ID != job.ID && unpaid {
			e := Event{State: Gone, Time: time.Now(), Detail: "the file has other content now"}
			if err := step(tx, &old, e, nil); err != nil {
				return err
			}
		}
	}
	return tx.Bucket(bPaths).Put(key, seenValue(job.seq, seen))
}

// Unsee forgets how a file looked when it was last seen, so that it is taken anew at the next look.
func (l *Ledger) Unsee(folder, path string) error {
	key := pathKey(folder, path)
	var unseen bool
	if err := l.view(func(tx *bbolt.Tx) error {
		_, seen, ok := seenFrom(tx.Bucket(bPaths).Get(key))
		unseen = !ok || seen.Size == -1
		return nil
	}); err != nil || unseen {
		return err
	}
	return l.update(func(tx *bbolt.Tx) error {
		paths := tx.Bucket(bPaths)
		seq, seen, ok := seenFrom(paths.Get(key))
		if !ok {
			return nil
		}
		seen.Size = -1
		return paths.Put(key, seenValue(seq, seen))
	})
}

// Step moves a job from the state that the caller knows it in to another; detail goes into its history, change (may be nil) may set
// its other fields. When somebody else has moved it meanwhile, and when the step is not in the table, that is refused with ErrStep,
// an output name that another job owns with ErrTaken: then nothing is written.
func (l *Ledger) Step(known Job, to State, detail string, change func(*Job)) (Job, error) {
	return l.change(known.ID, func(tx *bbolt.Tx, job *Job) error {
		if job.State != known.State {
			return fmt.Errorf("job %s: %w: it is %s, no longer %s", job.ID, ErrStep, job.State, known.State)
		}
		return step(tx, job, Event{State: to, Time: time.Now(), Detail: detail}, change)
	})
}

// Note changes a job's fields but not its state. It fails as Step does.
func (l *Ledger) Note(id string, change func(*Job)) (Job, error) {
	return l.change(id, func(tx *bbolt.Tx, job *Job) error {
		old := *job
		change(job)
		return put(tx, &old, job)
	})
}

func (l *Ledger) change(id string, fn func(*bbolt.Tx, *Job) error) (job Job, err error) {
	err = l.update(func(tx *bbolt.Tx) error {
		if job, err = byID(tx, id); err != nil {
			return err
		}
		return fn(tx, &job)
	})
	if err != nil {
		return Job{}, err
	}
	return job, nil
}

func step(tx *bbolt.Tx, job *Job, e Event, change func(*Job)) error {
	if !May(job.State, e.State) {
		return fmt.Errorf("job %s: %w: %s to %s", job.ID, ErrStep, job.State, e.State)
	}
	old := *job
	if change != nil {
		change(job)
	}
	job.enter(e)
	job.trimHistory()
	return put(tx, &old, job)
}

// put writes a job and whatever of it the indexes hold; old is the job as it was, nil when it is new.
func put(tx *bbolt.Tx, old, job *Job) error {
	if err := putOutput(tx, old, job); err != nil { // first: it may refuse
		return err
	}
	if old == nil || old.State != job.State {
		if old != nil {
			if err := tx.Bucket(bStates).Delete(stateKey(old.State, old.Folder, old.seq)); err != nil {
				return err
			}
			if err := count(tx, bCounts, countKey(old.State, old.Folder), -1); err != nil {
				return err
			}
		}
		if err := tx.Bucket(bStates).Put(stateKey(job.State, job.Folder, job.seq), nil); err != nil {
			return err
		}
		if err := count(tx, bCounts, countKey(job.State, job.Folder), 1); err != nil {
			return err
		}
	}
	if err := putCredits(tx, old, job); err != nil {
		return err
	}
	data, err := job.encode()
	if err != nil {
		return err
	}
	return tx.Bucket(bJobs).Put(seqKey(job.seq), data)
}

func putOutput(tx *bbolt.Tx, old, job *Job) error {
	if old == nil {
		old = &Job{}
	}
	if old.Output == job.Output {
		return nil
	}
	outputs := tx.Bucket(bOutputs)
	if job.Output != "" {
		key := pathKey(job.Folder, job.Output)
		if owner := outputs.Get(key); owner != nil && binary.BigEndian.Uint64(owner) != job.seq {
			return fmt.Errorf("job %s: %w: %s", job.ID, ErrTaken, job.Output)
		}
		if err := outputs.Put(key, seqKey(job.seq)); err != nil {
			return err
		}
	}
	if old.Output != "" {
		return outputs.Delete(pathKey(old.Folder, old.Output))
	}
	return nil
}

func putCredits(tx *bbolt.Tx, old, job *Job) error {
	charged := job.Credits
	if old != nil {
		charged -= old.Credits
	}
	if charged == 0 {
		return nil
	}
	day := job.SubmittedAt
	if day.IsZero() {
		day = time.Now()
	}
	return count(tx, bCredits, dayKey(day), charged)
}

func count(tx *bbolt.Tx, bucket, key []byte, by int) error {
	b := tx.Bucket(bucket)
	return b.Put(key, binary.BigEndian.AppendUint64(nil, uint64(number(b.Get(key))+int64(by))))
}

func number(value []byte) int64 {
	if len(value) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(value))
}
