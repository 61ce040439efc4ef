package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"iter"
	"math"
	"path"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// view runs fn in a transaction that sees one moment and holds nobody up.
func (l *Ledger) view(fn func(*bbolt.Tx) error) error {
	l.use.RLock()
	defer l.use.RUnlock()
	if l.out != nil {
		return damaged(l.path, fmt.Errorf("the ledger cannot be used now: %w", l.out))
	}
	return damaged(l.path, guard(func() error { return l.db.View(fn) }))
}

// Get returns a job; ErrNotFound when there is none of that id.
func (l *Ledger) Get(id string) (job Job, err error) {
	err = l.view(func(tx *bbolt.Tx) error {
		job, err = byID(tx, id)
		return err
	})
	return job, err
}

// Find returns the job whose id begins with prefix; ErrNotFound when it is none or more than one.
func (l *Ledger) Find(prefix string) (job Job, err error) {
	err = l.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bIDs).Cursor()
		k, v := c.Seek([]byte(prefix))
		if prefix == "" || !bytes.HasPrefix(k, []byte(prefix)) {
			return fmt.Errorf("%w: %s", ErrNotFound, prefix)
		}
		if next, _ := c.Next(); bytes.HasPrefix(next, []byte(prefix)) {
			return ambiguous(prefix)
		}
		job, err = bySeq(tx, binary.BigEndian.Uint64(v))
		return err
	})
	return job, err
}

// ambiguous is an ErrNotFound: the prefix of more than one id.
type ambiguous string

func (a ambiguous) Error() string      { return "more than one job's id begins with " + string(a) }
func (ambiguous) Is(target error) bool { return target == ErrNotFound }

// Known calls ask with what tells whether a file of the hot folder was seen as it is now, so that nothing is to be done about it. An
// answer costs the reading of one small row.
func (l *Ledger) Known(folder string, ask func(known func(path string, is Seen) bool)) {
	_ = l.view(func(tx *bbolt.Tx) error { // a closed ledger knows nothing
		c := tx.Bucket(bPaths).Cursor()
		ask(func(path string, is Seen) bool {
			key := pathKey(folder, path)
			k, v := c.Seek(key)
			_, was, ok := seenFrom(v)
			return ok && bytes.Equal(k, key) && was.Size == is.Size && was.ModTime.Equal(is.ModTime)
		})
		return nil
	})
}

// ByPath returns the job of the file's content as last seen; ErrNotFound when the file was never seen.
func (l *Ledger) ByPath(folder, path string) (job Job, err error) {
	err = l.view(func(tx *bbolt.Tx) error {
		seq, _, ok := seenFrom(tx.Bucket(bPaths).Get(pathKey(folder, path)))
		if !ok {
			return fmt.Errorf("%w: %s in %s", ErrNotFound, path, folder)
		}
		job, err = bySeq(tx, seq)
		return err
	})
	return job, err
}

// OwnerOf returns the job to which a name in a hot folder's output belongs; ErrNotFound when it is nobody's.
func (l *Ledger) OwnerOf(folder, output string) (job Job, err error) {
	err = l.view(func(tx *bbolt.Tx) error {
		seq := tx.Bucket(bOutputs).Get(pathKey(folder, output))
		if seq == nil {
			return fmt.Errorf("%w: nobody owns %s in %s", ErrNotFound, output, folder)
		}
		job, err = bySeq(tx, binary.BigEndian.Uint64(seq))
		return err
	})
	return job, err
}

// SameContent finds a job of the same content (hex SHA-256) for which want is true, the earliest first.
func (l *Ledger) SameContent(sha string, want func(Job) bool) (found Job, ok bool, err error) {
	err = l.view(func(tx *bbolt.Tx) error {
		prefix := contentKey(sha, 0)[:8]
		c := tx.Bucket(bContents).Cursor()
		for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
			job, err := bySeq(tx, binary.BigEndian.Uint64(k[8:]))
			if err != nil {
				return err
			}
			if job.SHA256 == sha && want(job) {
				found, ok = job, true
				return nil
			}
		}
		return nil
	})
	return found, ok, err
}

// Next returns up to most jobs of a hot folder in a state, the earliest discovered first, leaving out those that are held and
// those to skip.
func (l *Ledger) Next(state State, folder string, most int, skip func(id string) bool) (jobs []Job, err error) {
	err = l.view(func(tx *bbolt.Tx) error {
		prefix := stateKey(state, folder, 0)
		prefix = prefix[:len(prefix)-8]
		c := tx.Bucket(bStates).Cursor()
		for k, held := c.Seek(prefix); len(jobs) < most && bytes.HasPrefix(k, prefix); k, held = c.Next() {
			if len(held) > 0 {
				continue
			}
			seq := k[len(prefix):]
			row := tx.Bucket(bJobs).Get(seq)
			if skip(rowID(row)) {
				continue
			}
			job, err := jobIn(row, binary.BigEndian.Uint64(seq))
			if err != nil {
				return err
			}
			jobs = append(jobs, job)
		}
		return nil
	})
	return jobs, err
}

// Latest returns up to most jobs of a hot folder in a state, the last discovered first.
func (l *Ledger) Latest(state State, folder string, most int) (jobs []Job, err error) {
	err = l.view(func(tx *bbolt.Tx) error {
		past := stateKey(state, folder, math.MaxUint64)
		prefix := past[:len(past)-8]
		c := tx.Bucket(bStates).Cursor()
		k, _ := c.Seek(past)
		if k == nil { // nothing lies behind
			k, _ = c.Last()
		} else {
			k, _ = c.Prev()
		}
		for ; len(jobs) < most && bytes.HasPrefix(k, prefix); k, _ = c.Prev() {
			job, err := bySeq(tx, binary.BigEndian.Uint64(k[len(prefix):]))
			if err != nil {
				return err
			}
			jobs = append(jobs, job)
		}
		return nil
	})
	return jobs, err
}

// Counts tells how many jobs each hot folder has in each state. Its cost does not grow with the number of jobs.
func (l *Ledger) Counts() (counts map[string]map[State]int, err error) {
	counts = map[string]map[State]int{}
	err = l.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(bCounts).ForEach(func(k, v []byte) error {
			state, folder, _ := strings.Cut(string(k), "\x00")
			if counts[folder] == nil {
				counts[folder] = map[State]int{}
			}
			if n := number(v); n > 0 {
				counts[folder][State(state)] = int(n)
			}
			return nil
		})
	})
	return counts, err
}

// Credits returns what the executions submitted on that local day cost.
func (l *Ledger) Credits(day time.Time) (credits int, err error) {
	err = l.view(func(tx *bbolt.Tx) error {
		credits = int(number(tx.Bucket(bCredits).Get(dayKey(day))))
		return nil
	})
	return credits, err
}

// Filter chooses jobs; what is left empty chooses all.
type Filter struct {
	State  State     `json:"state,omitempty"`
	Folder string    `json:"folder,omitempty"`
	Path   string    `json:"path,omitempty"` // the file's path, or a folder of it
	Since  time.Time `json:"since,omitzero"` // something happened to it then or later

	Unfinished bool `json:"unfinished,omitempty"` // with Since: also what is not finished, however long nothing happened to it
}

// Match tells whether the filter chooses the job.
func (f Filter) Match(j Job) bool {
	return (f.State == "" || j.State == f.State) &&
		(f.Folder == "" || j.Folder == f.Folder) &&
		(f.Path == "" || j.Path == f.Path || strings.HasPrefix(j.Path, strings.TrimSuffix(f.Path, "/")+"/")) &&
		(f.Since.IsZero() || f.Unfinished && !j.State.Final() || !j.History[len(j.History)-1].Time.Before(f.Since))
}

// Jobs yields the jobs that the filter chooses, the earliest discovered first. It reads in short transactions, so it neither
// holds writers up nor sees one moment only. Those of one state in one hot folder are found without reading the others.
func (l *Ledger) Jobs(f Filter) iter.Seq2[Job, error] {
	from := jobsFrom
	if f.State != "" && f.Folder != "" {
		from = jobsInState
	}
	return l.inPages(func(tx *bbolt.Tx, seq uint64) ([]Job, uint64, error) { return from(tx, seq, f) })
}

// inPages yields the jobs that read returns page by page, each in a transaction of its own. Where to go on is 0 at first and, as next, at
// the end.
func (l *Ledger) inPages(read func(tx *bbolt.Tx, seq uint64) (page []Job, next uint64, err error)) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		for next := uint64(0); ; {
			var page []Job
			err := l.view(func(tx *bbolt.Tx) (err error) {
				page, next, err = read(tx, next)
				return err
			})
			for _, job := range page {
				if !yield(job, nil) {
					return
				}
			}
			if err != nil {
				yield(Job{}, err)
				return
			}
			if next == 0 {
				return
			}
		}
	}
}

// pageRows is how many rows are read in one transaction of Jobs.
const pageRows = 1000

// jobsFrom reads some rows from seq on and returns the jobs chosen and where to go on, 0 at the end.
func jobsFrom(tx *bbolt.Tx, seq uint64, f Filter) (jobs []Job, next uint64, err error) {
	c := tx.Bucket(bJobs).Cursor()
	n := 0
	for k, v := c.Seek(seqKey(seq)); k != nil; k, v = c.Next() {
		if n++; n > pageRows {
			return jobs, binary.BigEndian.Uint64(k), nil
		}
		job, err := decodeJob(binary.BigEndian.Uint64(k), v)
		if err != nil {
			return jobs, 0, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if f.Match(job) {
			jobs = append(jobs, job)
		}
	}
	return jobs, 0, nil
}

// jobsInState is jobsFrom for a filter with State and Folder, by their index.
func jobsInState(tx *bbolt.Tx, seq uint64, f Filter) (jobs []Job, next uint64, err error) {
	prefix := stateKey(f.State, f.Folder, 0)
	prefix = prefix[:len(prefix)-8]
	c := tx.Bucket(bStates).Cursor()
	n := 0
	for k, _ := c.Seek(stateKey(f.State, f.Folder, seq)); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		seq := binary.BigEndian.Uint64(k[len(prefix):])
		if n++; n > pageRows {
			return jobs, seq, nil
		}
		job, err := bySeq(tx, seq)
		if err != nil {
			return jobs, 0, err
		}
		if f.Match(job) {
			jobs = append(jobs, job)
		}
	}
	return jobs, 0, nil
}

func byID(tx *bbolt.Tx, id string) (Job, error) {
	seq := tx.Bucket(bIDs).Get([]byte(id))
	if seq == nil {
		return Job{}, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return bySeq(tx, binary.BigEndian.Uint64(seq))
}

func bySeq(tx *bbolt.Tx, seq uint64) (Job, error) {
	return jobIn(tx.Bucket(bJobs).Get(seqKey(seq)), seq)
}

// jobIn is the job in a row as the ledger has it; nil: it has none.
func jobIn(row []byte, seq uint64) (Job, error) {
	if row == nil {
		return Job{}, fmt.Errorf("%w: row %d is missing", ErrDamaged, seq)
	}
	job, err := decodeJob(seq, row)
	if err != nil {
		return Job{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return job, nil
}

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

func stateKey(state State, folder string, seq uint64) []byte {
	key := append([]byte{letters[state]}, folder...)
	return binary.BigEndian.AppendUint64(append(key, 0), seq)
}

// dayKey stands for the local day, wherever the time is from.
func dayKey(t time.Time) []byte { return []byte(t.Local().Format(time.DateOnly)) }

func countKey(state State, folder string) []byte { return []byte(string(state) + "\x00" + folder) }

// pathKey stands for a path in a hot folder's input or output. It ends in 12 bytes of a hash, so that two paths never share one
// and long paths cost nothing, and begins with 4 bytes for its directory, so that a walk through that reads few pages.
func pathKey(folder, name string) []byte {
	var room [256]byte // of which most need no more, as a rescan asks for the key of every file
	in := append(append(room[:0], folder...), 0)
	dir := sha256.Sum256(append(in, path.Dir(name)...))
	sum := sha256.Sum256(append(in, name...))
	return append(dir[:4:4], sum[:12]...)
}

func contentKey(sha string, seq uint64) []byte {
	sum, _ := hex.DecodeString(sha) // encode has refused what is not hex
	var prefix [8]byte
	copy(prefix[:], sum)
	return binary.BigEndian.AppendUint64(prefix[:], seq)
}

func seenValue(seq uint64, s Seen) []byte {
	v := binary.BigEndian.AppendUint64(seqKey(seq), uint64(s.Size))
	return binary.BigEndian.AppendUint64(v, uint64(s.ModTime.UnixNano()))
}

func seenFrom(v []byte) (seq uint64, s Seen, ok bool) {
	if len(v) != 24 {
		return 0, Seen{}, false
	}
	return binary.BigEndian.Uint64(v), Seen{
		Size:    int64(binary.BigEndian.Uint64(v[8:])),
		ModTime: time.Unix(0, int64(binary.BigEndian.Uint64(v[16:]))),
	}, true
}
