package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// What bbolt takes on trust in its file, checked here. The layout is that of bbolt's internal/common (page.go, meta.go), in the
// byte order of the machine.

// head is a page's header.
type head struct {
	ID       uint64
	Flags    uint16
	Count    uint16
	Overflow uint32
}

// The kinds of pages.
const (
	metaPage     = 0x04
	freelistPage = 0x10
)

// meta is the state after a transaction. The first two pages of the file hold the two latest in turn.
type meta struct {
	Head                            head
	Magic, Version, PageSize, Flags uint32
	Root, Sequence                  uint64
	Freelist                        uint64 // its page
	Pages                           uint64 // number of them in the file, whole
	Tx                              uint64
	Sum                             uint64
}

func (m *meta) encode() []byte {
	b, _ := binary.Append(nil, binary.NativeEndian, m)
	sum := fnv.New64a()
	sum.Write(b[16 : len(b)-8])
	binary.NativeEndian.PutUint64(b[len(b)-8:], sum.Sum64())
	return b
}

// readMeta returns the meta page at off, nil when it is no valid one.
func readMeta(f io.ReaderAt, off int64) *meta {
	var m meta
	b := make([]byte, binary.Size(m))
	if _, err := f.ReadAt(b, off); err != nil {
		return nil
	}
	if _, err := binary.Decode(b, binary.NativeEndian, &m); err != nil || m.Magic != 0xED0CDAED || !bytes.Equal(m.encode(), b) {
		return nil
	}
	return &m
}

// readMetas returns both meta pages, the newer first; nil for one that is damaged.
func readMetas(f io.ReaderAt) (newer, older *meta) {
	size := int64(os.Getpagesize())
	newer = readMeta(f, 0)
	if newer != nil {
		size = int64(newer.PageSize)
	}
	older = readMeta(f, size)
	if newer == nil || older != nil && older.Tx > newer.Tx {
		newer, older = older, newer
	}
	return newer, older
}

// checkFile tells whether a file that is not empty is a whole one, with a sound list of free pages: over another one bbolt panics
// with the file mapped, and Windows keeps everybody from a mapped file. Another process may be writing to it.
func checkFile(f *os.File) error {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	for {
		m, _ := readMetas(f)
		if m == nil {
			return fmt.Errorf("%w: its head is not that of a ledger", ErrDamaged)
		}
		if info, err = f.Stat(); err != nil { // again: it grows before its meta page says so
			return err
		}
		if want := int64(m.Pages) * int64(m.PageSize); info.Size() < want {
			return fmt.Errorf("%w: it is cut short to %d of %d bytes", ErrDamaged, info.Size(), want)
		}
		err := checkFreelist(f, m)
		if now, _ := readMetas(f); err == nil || now == nil || now.Tx == m.Tx {
			return err
		} // else it was overtaken
	}
}

// checkHeads tells whether both meta pages are sound.
func (l *Ledger) checkHeads() error {
	f, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer f.Close()
	if m, older := readMetas(f); m == nil || older == nil {
		return fmt.Errorf("%w: one of its two heads is unreadable, so that its last step may be lost", ErrDamaged)
	}
	return nil
}

// checkFreelist tells whether the list of the pages that will be written to next is sound.
func checkFreelist(f io.ReaderAt, m *meta) error {
	if m.Freelist >= m.Pages {
		return fmt.Errorf("%w: its list of free pages is on page %d of %d", ErrDamaged, m.Freelist, m.Pages)
	}
	page := io.NewSectionReader(f, int64(m.Freelist)*int64(m.PageSize), int64(m.Pages-m.Freelist)*int64(m.PageSize))
	return checkFreePages(page, m)
}

func checkFreePages(page io.Reader, m *meta) error {
	var h head
	if err := binary.Read(page, binary.NativeEndian, &h); err != nil {
		return err
	}
	if h.ID != m.Freelist || h.Flags != freelistPage {
		return fmt.Errorf("%w: its list of free pages is unreadable", ErrDamaged)
	}
	n := uint64(h.Count)
	if n == 0xFFFF { // the number is too large for its place and stands before the list
		if err := binary.Read(page, binary.NativeEndian, &n); err != nil {
			return err
		}
	}
	if n > m.Pages {
		return fmt.Errorf("%w: %d of its %d pages are said to be free", ErrDamaged, n, m.Pages)
	}
	free := make([]uint64, n)
	if err := binary.Read(page, binary.NativeEndian, free); err != nil {
		return err
	}
	last := uint64(1) // pages 0 and 1 are the meta pages
	for _, id := range free {
		if id <= last || id >= m.Pages {
			return fmt.Errorf("%w: page %d of %d is said to be free after page %d", ErrDamaged, id, m.Pages, last)
		}
		last = id
	}
	return nil
}

// takeBack makes the transaction before tx the last one in the file, durably, should it hold tx.
func takeBack(file string, tx int) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	m, before := readMetas(f)
	if m == nil || before == nil || m.Tx != uint64(tx) {
		return f.Sync()
	}
	again := *before
	again.Head.ID, again.Tx = m.Head.ID, before.Tx-1
	if _, err := f.WriteAt(again.encode(), int64(m.Head.ID)*int64(m.PageSize)); err != nil {
		return err
	}
	return f.Sync()
}
