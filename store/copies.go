package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// Backup copies the ledger, as it is at one moment, into the folder "copies" beside it and removes the oldest copies beyond keep.
// Writers go on meanwhile, and memory does not grow with the ledger. The copy is verified first: a damaged ledger gives
// ErrDamaged and costs no older copy. Put in the ledger's place, a copy is not reconciled.
func (l *Ledger) Backup(ctx context.Context, keep int) (file string, err error) {
	folder, stem, ext := copiesOf(l.path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("copy the ledger: %w", err)
	}
	file = filepath.Join(folder, stem+time.Now().Format(copyTime)+ext)
	part := filepath.Join(folder, stem+"part")
	defer os.Remove(part) // nothing after the rename
	if err := l.copyTo(ctx, part); err != nil {
		return "", fmt.Errorf("copy the ledger: %w", err)
	}
	if err := os.Rename(part, file); err != nil {
		return "", fmt.Errorf("copy the ledger: %w", err)
	}
	copies, err := Copies(l.path)
	if err == nil {
		err = syncFolder(folder)
	}
	for _, old := range copies[min(max(keep, 1), len(copies)):] {
		_ = os.Remove(old) // one that another program has open goes with the next copy: this one is made all the same
	}
	return file, err
}

// File is the ledger's file.
func (l *Ledger) File() string { return l.path }

// copyTime is the time in a copy's name, by the clock on the wall.
const copyTime = "2006-01-02T150405"

// Copies returns the copies of the ledger in file, the newest first. Those from the future, made while the clock was ahead, come last.
func Copies(file string) (copies []string, err error) {
	folder, stem, ext := copiesOf(file)
	entries, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, stem) && strings.HasSuffix(name, ext) {
			copies = append(copies, filepath.Join(folder, name))
		}
	}
	slices.Reverse(copies) // ReadDir sorts by name, and the name is the time
	now := filepath.Join(folder, stem+time.Now().Format(copyTime)+ext)
	past := slices.IndexFunc(copies, func(copied string) bool { return copied <= now })
	if past < 0 {
		return copies, err
	}
	return slices.Concat(copies[past:], copies[:past]), err
}

// LastCopy is when the newest copy of the ledger in file was made, by its name; ok is false when there is none, but from the future.
func LastCopy(file string) (at time.Time, ok bool) {
	copies, err := Copies(file)
	if err != nil || len(copies) == 0 {
		return time.Time{}, false
	}
	_, stem, ext := copiesOf(file)
	name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(copies[0]), stem), ext)
	at, err = time.ParseInLocation(copyTime, name, time.Local)
	return at, err == nil && !at.After(time.Now())
}

func copiesOf(file string) (folder, stem, ext string) {
	ext = filepath.Ext(file)
	return filepath.Join(filepath.Dir(file), "copies"), strings.TrimSuffix(filepath.Base(file), ext) + "-", ext
}

// copyTo makes a verified, durable copy that is not reconciled.
func (l *Ledger) copyTo(ctx context.Context, part string) error {
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = l.view(func(tx *bbolt.Tx) error {
		w := &untilDone{ctx: ctx, w: f}
		_, err := tx.WriteTo(w)
		return cmp.Or(w.err, err) // bbolt hides what it wraps
	})
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return damaged(l.path, guard(func() error {
		db, err := bbolt.Open(part, 0o600, &bbolt.Options{Timeout: lockWait, FreelistType: bbolt.FreelistMapType, NoSync: true})
		if err != nil {
			return asDamage(err)
		}
		err = db.View(func(tx *bbolt.Tx) error { return verify(ctx, tx) })
		if err == nil {
			err = db.Update(func(tx *bbolt.Tx) error { return setReconciled(tx, false) })
		}
		if err == nil {
			err = db.Sync()
		}
		return errors.Join(err, db.Close())
	}))
}

// untilDone writes until its context is done, and keeps its first error.
type untilDone struct {
	ctx context.Context
	w   io.Writer
	err error
}

func (u *untilDone) Write(b []byte) (n int, err error) {
	if u.err = u.ctx.Err(); u.err == nil {
		n, u.err = u.w.Write(b)
	}
	return n, u.err
}

// syncFolder makes a rename in a folder durable. Windows has no such call for folders, and journals names itself.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
