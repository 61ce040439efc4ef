package store

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"

	"go.etcd.io/bbolt"
)

// worthCompacting is the size, in bytes, below which a ledger is left as it is.
const worthCompacting = 4 << 20

// compact rewrites a ledger that is more than half empty, before anyone uses it. When it can't, on a full disk for example, the
// ledger stays as it is until the next start.
func (l *Ledger) compact() error {
	var size int64
	if err := l.view(func(tx *bbolt.Tx) error { size = tx.Size(); return nil }); err != nil {
		return err
	}
	free := int64(l.db.Stats().FreePageN) * int64(l.db.Info().PageSize)
	if size < worthCompacting || free < size/2 {
		return nil
	}
	part := l.path + ".compact"
	defer os.Remove(part) // nothing after the rename
	if err := guard(func() error { return compactTo(part, l.db) }); err != nil {
		if errors.Is(err, ErrDamaged) {
			return err
		}
		return nil
	}
	return l.replaceBy(part)
}

func compactTo(part string, src *bbolt.DB) error {
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	dst, err := bbolt.Open(part, 0o600, &bbolt.Options{Timeout: lockWait, FreelistType: bbolt.FreelistMapType, NoSync: true, OpenFile: openForOwner})
	if err != nil {
		return err
	}
	dst.AllocSize = 1 << 20
	err = bbolt.Compact(dst, src, 1<<20)
	if err == nil {
		err = dst.Sync()
	}
	return errors.Join(err, dst.Close())
}

// replaceBy puts part in the ledger's place and opens that. Where a file in use can be renamed over, it is while it is locked:
// who waits for the lock finds out in open that it got that of a file no longer there.
func (l *Ledger) replaceBy(part string) error {
	l.use.Lock()
	defer l.use.Unlock()
	if runtime.GOOS != "windows" {
		if err := os.Rename(part, l.path); err != nil {
			return err
		}
		if err := errors.Join(syncFolder(filepath.Dir(l.path)), l.close()); err != nil {
			return err
		}
		return l.open()
	}
	if err := l.close(); err != nil {
		return err
	}
	_ = os.Rename(part, l.path) // or another process took it just now
	return l.open()
}
