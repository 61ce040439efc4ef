package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"hotfolder/private"
)

// Open opens the ledger in file, creating it and its folder when they are missing. It fails with ErrLocked when another process
// has it, ErrNewer when a newer version wrote it, and ErrDamaged when it can't be read, or is missing or empty while there are
// copies of it. Its cost does not grow with the number of jobs, but for the one start in a great many that compacts the file.
func Open(file string) (*Ledger, error) {
	l, err := openWriter(file, false)
	if err != nil {
		return nil, openError(file, err)
	}
	return l, nil
}

// OpenReadOnly opens an existing ledger for looking only. It fails with fs.ErrNotExist when there is none.
func OpenReadOnly(file string) (*Ledger, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	if info.Size() == 0 {
		return nil, openError(file, fmt.Errorf("%w: it is empty", ErrDamaged))
	}
	l := newLedger(file)
	l.readOnly = true
	if err := l.open(); err != nil {
		return nil, openError(file, err)
	}
	if err := l.view(probe); err != nil {
		return nil, errors.Join(openError(file, err), l.Close())
	}
	return l, nil
}

// Exists tells whether there is a ledger in file.
func Exists(file string) bool {
	_, err := os.Stat(file)
	return !errors.Is(err, fs.ErrNotExist)
}

// Close waits for the steps under way and releases the file.
func (l *Ledger) Close() error {
	l.disk <- struct{}{}
	defer func() { <-l.disk }()
	l.use.Lock()
	defer l.use.Unlock()
	if !l.readOnly && l.db != nil {
		forgetHolder(l.path)
	}
	err := l.close()
	l.out = errClosed
	return err
}

var errClosed = errors.New("it is closed")

func newLedger(file string) *Ledger {
	return &Ledger{path: file, full: make(chan struct{}, 1), disk: make(chan struct{}, 1)}
}

func openWriter(file string, fresh bool) (*Ledger, error) {
	if err := private.MkdirAll(filepath.Dir(file)); err != nil {
		return nil, err
	}
	l := newLedger(file)
	if err := l.open(); err != nil {
		return nil, err
	}
	if err := l.begin(fresh); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// begin makes an opened file a ledger in use.
func (l *Ledger) begin(fresh bool) error {
	_ = writeHolder(l.path) // without it the next process says "in use", but not by whom
	var empty bool
	if err := l.view(func(tx *bbolt.Tx) error {
		first, _ := tx.Cursor().First()
		empty = first == nil
		return nil
	}); err != nil {
		return err
	}
	if empty {
		if copies, _ := Copies(l.path); len(copies) > 0 && !fresh {
			return fmt.Errorf("%w: it is empty or was missing, and there are copies of it", ErrDamaged)
		}
		return l.db.Update(create)
	}
	if err := l.view(probe); err != nil {
		return err
	}
	if err := l.view(func(*bbolt.Tx) error { return l.checkHeads() }); err != nil {
		return err
	}
	return l.compact()
}

// open opens l.path and locks it.
func (l *Ledger) open() error {
	o := &bbolt.Options{Timeout: lockWait, ReadOnly: l.readOnly, FreelistType: bbolt.FreelistMapType, PreLoadFreelist: true}
	if runtime.GOOS != "windows" { // where the file would be as large at once
		o.InitialMmapSize = 1 << 30 // or a file that grows waits for its readers, a copy being made among them
	}
	for {
		err := l.openOnce(o)
		if err != nil {
			return err
		}
		opened, err := l.fd.Stat()
		if err != nil {
			return errors.Join(err, l.close())
		}
		if there, err := os.Stat(l.path); err == nil && os.SameFile(opened, there) {
			return nil
		}
		if err := l.close(); err != nil { // somebody compacted it while we waited for the lock
			return err
		}
	}
}

const lockWait = time.Second

func (l *Ledger) openOnce(o *bbolt.Options) (err error) {
	o.OpenFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		f, err := openForOwner(name, flag, mode)
		if err != nil {
			return nil, err
		}
		if err := checkFile(f); err != nil { // before bbolt maps it
			return nil, errors.Join(err, f.Close())
		}
		l.fd = f
		return f, nil
	}
	err = guard(func() error {
		l.db, err = bbolt.Open(l.path, 0o600, o)
		return err
	})
	if err == nil {
		l.db.AllocSize = 256 << 10 // the file grows by so many bytes at a time
		l.out = nil
		return nil
	}
	if l.fd != nil {
		_ = release(l.fd) // bbolt does not when it panics
	}
	l.db, l.fd, l.out = nil, nil, err
	return err
}

// openForOwner opens a file. One that root begins is the folder's owner's: what an administrator mends is the agent's to go on with.
func openForOwner(name string, flag int, mode os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(name, flag, mode)
	if err != nil || flag&os.O_CREATE == 0 {
		return f, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() == 0 {
		err = private.GiveTo(f, filepath.Dir(name))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (l *Ledger) close() error {
	db := l.db
	l.db = nil
	if db == nil {
		return nil
	}
	if errors.Is(l.out, errPanicked) {
		return release(l.fd) // bbolt's own locks are not to be trusted any more
	}
	return db.Close()
}

// errPanicked marks the ErrDamaged of a panic.
var errPanicked = fmt.Errorf("%w: it could not be read", ErrDamaged)

// guard turns bbolt's ways of meeting damage into an ErrDamaged: panics and, since it maps the file, memory faults.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanicked, p)
		}
	}()
	return fn()
}

// openError says what is the matter with the file, and the mend.
func openError(file string, err error) error {
	if errors.Is(err, bolterrors.ErrTimeout) {
		err = fmt.Errorf("%w by %s", ErrLocked, holderOf(file))
	}
	err = damaged(file, asDamage(err))
	if _, told := errors.AsType[*damageError](err); told {
		return err
	}
	return fmt.Errorf("open ledger %s: %w", file, err)
}

// asDamage makes an ErrDamaged of what bbolt says of a file that is no whole ledger. What another program or the disk keeps it from is none.
func asDamage(err error) error {
	if errors.Is(err, bolterrors.ErrInvalid) || errors.Is(err, bolterrors.ErrVersionMismatch) || errors.Is(err, bolterrors.ErrChecksum) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// damaged adds to an ErrDamaged which file it is about and what to do.
func damaged(file string, err error) error {
	if _, told := errors.AsType[*damageError](err); told || !errors.Is(err, ErrDamaged) {
		return err
	}
	return &damageError{file, err}
}

type damageError struct {
	file string
	err  error
}

func (e *damageError) Unwrap() error { return e.err }

func (e *damageError) Error() string {
	mend := "run `hotfolder recover`"
	if copies, _ := Copies(e.file); len(copies) > 0 {
		mend = fmt.Sprintf("put its newest copy %s in its place, or %s", copies[0], mend)
	}
	return fmt.Sprintf("ledger %s: %v: %s", e.file, e.err, mend)
}

func create(tx *bbolt.Tx) error {
	for _, b := range buckets {
		if _, err := tx.CreateBucket(b); err != nil {
			return err
		}
	}
	if err := setReconciled(tx, false); err != nil {
		return err
	}
	return tx.Bucket(bMeta).Put([]byte("schema"), []byte(strconv.Itoa(schema)))
}

// probe looks whether this is a ledger that we can read, and at the ends of all its parts.
func probe(tx *bbolt.Tx) error {
	meta := tx.Bucket(bMeta)
	if meta == nil {
		return fmt.Errorf("%w: another program's file is in its place", ErrDamaged)
	}
	v, err := strconv.Atoi(string(meta.Get([]byte("schema"))))
	switch {
	case err != nil || v < 1:
		return fmt.Errorf("%w: schema %q", ErrDamaged, meta.Get([]byte("schema")))
	case v > schema:
		return fmt.Errorf("%w (its schema is %d, this version knows %d)", ErrNewer, v, schema)
	}
	for _, b := range buckets {
		if tx.Bucket(b) == nil {
			return fmt.Errorf("%w: it lacks the part %q", ErrDamaged, b)
		}
		tx.Bucket(b).Cursor().First()
		tx.Bucket(b).Cursor().Last()
	}
	if last, _ := tx.Bucket(bJobs).Cursor().Last(); last != nil {
		_, err := bySeq(tx, binary.BigEndian.Uint64(last))
		return err
	}
	return nil
}
