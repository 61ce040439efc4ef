package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.etcd.io/bbolt"

	"hotfolder/store"
)

const page = 4096

// filled makes a closed ledger of n jobs.
func filled(t testing.TB, n int) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "ledger.db")
	l, err := store.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	l.NoSync()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if _, _, err := l.Add(newJob(fmt.Sprintf("%d.jpg", i), fmt.Sprintf("%08x%056x", i*7919, i)), store.Seen{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

// change changes a closed ledger behind its back.
func change(t testing.TB, file string, fn func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(file, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(fn), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// readAll does what an agent does with a ledger, and returns the first error.
func readAll(file string) error {
	l, err := store.Open(file)
	if err != nil {
		return err
	}
	defer l.Close()
	var first error
	for _, err := range l.Jobs(store.Filter{}) {
		if err != nil {
			first = err
		}
	}
	return errors.Join(first, l.Verify(context.Background()))
}

// Damage is told at once where it is seen at a start, and otherwise when it is met; either way as ErrDamaged with the file and
// the mend, never as a crash, and never as other rows than were written.
func TestDamageIsTold(t *testing.T) {
	const seed = 7
	random := rand.New(rand.NewPCG(seed, seed))
	garbage := func(b []byte) {
		for i := range b {
			b[i] = byte(random.Uint32())
		}
	}
	file := filled(t, 200)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	used := bytes.LastIndex(whole, []byte("packshots"))/page + 1
	atStart := map[string]func([]byte) []byte{
		"cut short to half":      func(d []byte) []byte { return d[:used/2*page] },
		"cut short by a page":    func(d []byte) []byte { return d[:(used-2)*page] },
		"cut within the head":    func(d []byte) []byte { return d[:100] },
		"zeroed head":            func(d []byte) []byte { clear(d[:2*page]); return d },
		"zeroed first page":      func(d []byte) []byte { clear(d[:page]); return d },
		"zeroed":                 func(d []byte) []byte { clear(d); return d },
		"zeroed after its head":  func(d []byte) []byte { clear(d[2*page:]); return d },
		"garbage":                func(d []byte) []byte { garbage(d); return d },
		"garbage after its head": func(d []byte) []byte { garbage(d[2*page:]); return d },
		"another file":           func([]byte) []byte { return bytes.Repeat([]byte("holiday pictures"), 4*page) },
		"a short text":           func([]byte) []byte { return []byte("x") },
	}
	for name, spoil := range atStart {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "ledger.db")
			if err := os.WriteFile(file, spoil(bytes.Clone(whole)), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, open := range []func(string) (*store.Ledger, error){store.Open, store.OpenReadOnly} {
				l, err := open(file)
				if l != nil {
					l.Close()
				}
				if name == "zeroed first page" && err == nil {
					continue // whoever only looks is content with the other head
				}
				wantDamage(t, file, err)
			}
		})
	}
	for n := range used {
		for _, kind := range []string{"zeroed", "garbage", "half garbage"} {
			t.Run(fmt.Sprintf("page %d %s", n, kind), func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "ledger.db")
				data := bytes.Clone(whole)
				switch p := data[n*page : (n+1)*page]; kind {
				case "zeroed":
					clear(p)
				case "garbage":
					garbage(p)
				case "half garbage":
					garbage(p[page/2:])
				}
				if err := os.WriteFile(file, data, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := readAll(file); err != nil { // nil: a free page, or the free end of one
					wantDamage(t, file, err)
				} else if kind == "garbage" && n < 2 {
					t.Error("an unreadable head was passed over")
				}
			})
		}
	}
}

func wantDamage(t *testing.T, file string, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrDamaged) {
		t.Fatalf("got %v, want ErrDamaged", err)
	}
	for _, want := range []string{file, "hotfolder recover"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func TestAnotherProgramsDatabaseIsLeftAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ledger.db")
	change(t, file, func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("raft")); return err })
	_, err := store.Open(file)
	wantDamage(t, file, err)
}

func TestAPartThatIsMissing(t *testing.T) {
	for _, part := range []string{"meta", "jobs", "ids", "states", "paths", "contents", "outputs", "counts", "credits"} {
		file := filled(t, 3)
		change(t, file, func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(part)) })
		_, err := store.Open(file)
		wantDamage(t, file, err)
	}
}

// A crash in the middle of the very first start leaves an empty file: that is a fresh start, unless there are copies.
func TestAnEmptyFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ledger.db")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := store.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	add(t, l, newJob("a.jpg", sha))
	copied, err := l.Backup(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for _, lose := range []func() error{func() error { return os.Truncate(file, 0) }, func() error { return os.Remove(file) }} {
		if err := lose(); err != nil {
			t.Fatal(err)
		}
		_, err := store.Open(file)
		wantDamage(t, file, err)
		if !strings.Contains(err.Error(), copied) {
			t.Errorf("%q does not name the copy %s", err, copied)
		}
	}
}

// What is wrong between the parts, though bbolt finds the file sound.
func TestVerifyFindsWhatDoesNotAgree(t *testing.T) {
	bucketOf := func(tx *bbolt.Tx, name string) *bbolt.Bucket { return tx.Bucket([]byte(name)) }
	dropFirst := func(name string) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			k, _ := bucketOf(tx, name).Cursor().First()
			return bucketOf(tx, name).Delete(k)
		}
	}
	double := func(name string) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			k, v := bucketOf(tx, name).Cursor().First()
			k = bytes.Clone(k)
			k[0]++
			return bucketOf(tx, name).Put(k, bytes.Clone(v))
		}
	}
	changes := map[string]func(*bbolt.Tx) error{
		"a bit of a row": func(tx *bbolt.Tx) error {
			k, v := bucketOf(tx, "jobs").Cursor().First()
			v = bytes.Clone(v)
			v[20] ^= 1
			return bucketOf(tx, "jobs").Put(k, v)
		},
		"a count": func(tx *bbolt.Tx) error {
			k, _ := bucketOf(tx, "counts").Cursor().First()
			return bucketOf(tx, "counts").Put(k, []byte{0, 0, 0, 0, 0, 0, 0, 9})
		},
		"credits": func(tx *bbolt.Tx) error {
			return bucketOf(tx, "credits").Put([]byte("2026-11-23"), []byte{0, 0, 0, 0, 0, 0, 0, 9})
		},
	}
	for _, name := range []string{"jobs", "ids", "states", "paths", "contents", "outputs", "counts"} {
		changes["one less in "+name] = dropFirst(name)
		changes["one more in "+name] = double(name)
	}
	for name, wrong := range changes {
		t.Run(name, func(t *testing.T) {
			file := filled(t, 5)
			l, err := store.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			for job := range l.Jobs(store.Filter{}) {
				if _, err := l.Note(job.ID, func(j *store.Job) { j.Output = j.Path }); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.Verify(t.Context()); err != nil {
				t.Fatalf("before: %v", err)
			}
			l.Close()
			change(t, file, wrong)
			wantDamage(t, file, readAll(file))
		})
	}
}

func TestVerifyStopsWhenAsked(t *testing.T) {
	l, err := store.Open(filled(t, 1500))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Verify(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
