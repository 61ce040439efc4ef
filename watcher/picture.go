package watcher

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
)

// A Picture is what the bytes of a file say about it.
type Picture struct {
	Type          string // image/jpeg, image/png, image/tiff, image/webp, or "": none of these
	Whole         bool   // nothing is missing at its end; without a Type: no further bytes would make it a picture
	Width, Height int    // in pixels; 0: unknown
	Problem       string // what is wrong with it, for a person; "" for a whole picture
}

// Inspect reads as little as it can to tell a picture's type and whether it is whole: the head and the tail of an ordinary
// picture, all of a JPEG with something after its end. It decodes nothing. Every error is one of reading.
func Inspect(r io.ReaderAt, size int64) (Picture, error) {
	buffer := chunks.Get().(*[chunk]byte)
	defer chunks.Put(buffer)
	w := &window{r: r, size: size, buf: buffer[:0]}
	p := inspect(w)
	if w.err != nil {
		return Picture{}, fmt.Errorf("inspect picture: %w", w.err)
	}
	return p, nil
}

const (
	cutShort   = "the picture is cut short: its end is missing"
	noPicture  = "this is not a JPEG, PNG, TIFF or WebP picture"
	emptyFile  = "the file is empty"
	onlyZeroes = "the file holds no picture: it begins with nothing but zeroes"
)

// formats are tried in turn; magic tells a format by the first bytes, '?' being any byte.
var formats = []struct {
	magic, mime string
	inspect     func(*window, *Picture) (whole bool)
}{
	{"\xff\xd8\xff", "image/jpeg", inspectJPEG},
	{"\x89PNG\r\n\x1a\n", "image/png", inspectPNG},
	{"RIFF????WEBP", "image/webp", inspectWebP},
	{"II\x2a\x00", "image/tiff", inspectTIFF},
	{"MM\x00\x2a", "image/tiff", inspectTIFF},
	{"II\x2b\x00", "image/tiff", inspectTIFF},
	{"MM\x00\x2b", "image/tiff", inspectTIFF},
}

func inspect(w *window) Picture {
	if w.size <= 0 {
		return Picture{Problem: emptyFile}
	}
	head := w.upTo(0, 16)
	if len(bytes.Trim(head, "\x00")) == 0 {
		return Picture{Problem: onlyZeroes} // the room was allotted before the bytes were copied
	}
	for _, f := range formats {
		if !hasMagic(head, f.magic) {
			continue
		}
		if len(head) < len(f.magic) {
			return Picture{Problem: cutShort}
		}
		p := Picture{Type: f.mime}
		if p.Whole = f.inspect(w, &p); !p.Whole {
			p.Problem = cutShort
		}
		return p
	}
	return Picture{Whole: true, Problem: noPicture}
}

// hasMagic reports whether head begins with magic, as far as head goes.
func hasMagic(head []byte, magic string) bool {
	for i := range min(len(head), len(magic)) {
		if head[i] != magic[i] && magic[i] != '?' {
			return false
		}
	}
	return true
}

// A window reads a file in chunks and keeps the last one.
type window struct {
	r    io.ReaderAt
	size int64
	buf  []byte // what is at off
	off  int64
	err  error // the first one but io.EOF
}

const (
	chunk = 32 << 10
	leap  = 1 << 10
)

var chunks = sync.Pool{New: func() any { return new([chunk]byte) }}

// at returns the n bytes at off, nil if the file has them not. n is at most chunk. The bytes are good until the next call.
func (w *window) at(off int64, n int) []byte {
	if b := w.upTo(off, n); len(b) == n {
		return b
	}
	return nil
}

// upTo returns the bytes at off: n if the file has them, at most chunk, and fewer at its end.
func (w *window) upTo(off int64, n int) []byte {
	if off < 0 || off >= w.size || w.err != nil {
		return nil
	}
	n = int(min(int64(n), w.size-off, chunk))
	if len(w.kept(off)) < n {
		w.fill(off, n)
	}
	b := w.kept(off)
	return b[:min(n, len(b))]
}

// some returns bytes at off, as many as are at hand; none only at the end of the file.
func (w *window) some(off int64) []byte {
	w.upTo(off, 1)
	return w.kept(off)
}

func (w *window) kept(off int64) []byte {
	if off < w.off || off > w.off+int64(len(w.buf)) {
		return nil
	}
	return w.buf[off-w.off:]
}

// fill reads a whole chunk where reading goes on, and not much more than is wanted where it leaps, as it does from segment to segment.
func (w *window) fill(off int64, want int) {
	most := chunk
	if off != w.off+int64(len(w.buf)) {
		most = max(want, leap)
	}
	if w.buf == nil {
		w.buf = make([]byte, min(chunk, w.size))
	}
	n, err := w.r.ReadAt(w.buf[:min(int64(most), int64(cap(w.buf)), w.size-off)], off)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	w.buf, w.off = w.buf[:n], off
}
