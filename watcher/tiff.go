package watcher

import (
	"bytes"
	"cmp"
	"encoding/binary"
)

// The tags that matter here (TIFF 6.0, section 8; SubIFDs: TIFF Technical Note 1).
const (
	tagWidth       = 256
	tagHeight      = 257
	tagCompression = 259
	tagStrips      = 273
	tagStripSizes  = 279
	tagTiles       = 324
	tagTileSizes   = 325
	tagSubIFDs     = 330
	tagEXIF        = 34665
	tagGPS         = 34853
)

const (
	maxDirectories = 1000 // in one file; pages, previews, metadata
	maxEntries     = 4096 // in one directory
)

// inspectTIFF sees that all directories, values, strips and tiles lie within the file.
func inspectTIFF(w *window, p *Picture) bool {
	t := &tiff{window: w, parts: maxParts}
	head := w.upTo(0, 16)
	t.order = binary.ByteOrder(binary.LittleEndian)
	if head[0] == 'M' {
		t.order = binary.BigEndian
	}
	t.big = t.order.Uint16(head[2:]) == 43
	first, ok := t.first(head)
	if !ok {
		return false
	}
	seen := map[uint64]bool{0: true}
	for todo := []uint64{first}; len(todo) > 0; {
		at := todo[0]
		todo = todo[1:]
		if seen[at] {
			continue
		}
		if seen[at] = true; len(seen) > maxDirectories {
			return false
		}
		d, ok := t.directory(at)
		if at == first {
			p.Width, p.Height = d.width, d.height
		}
		if !ok {
			return false
		}
		todo = append(todo, d.next...)
	}
	return first != 0
}

// A tiff reads the directories of a TIFF or BigTIFF file.
type tiff struct {
	*window
	order binary.ByteOrder
	big   bool
	parts int // that may still be looked at
}

// A directory is what matters of an image file directory (IFD).
type directory struct {
	next          []uint64 // directories it leads to
	width, height int
}

// first is the offset of the first directory.
func (t *tiff) first(head []byte) (at uint64, ok bool) {
	if !t.big {
		if len(head) < 8 {
			return 0, false
		}
		return uint64(t.order.Uint32(head[4:])), true
	}
	if len(head) < 16 || t.order.Uint16(head[4:]) != 8 {
		return 0, false
	}
	return t.order.Uint64(head[8:]), true
}

// directory reads the one at an offset; not ok: something of it, or of what it leads to, is not within the file.
func (t *tiff) directory(at uint64) (d directory, ok bool) {
	countSize, entrySize := uint64(2), uint64(12)
	if t.big {
		countSize, entrySize = 8, 20
	}
	n, ok := t.number(at, countSize)
	if !ok || n == 0 || n > maxEntries {
		return d, false
	}
	var compression uint64
	var starts, sizes values
	for i := range n {
		tag, v, ok := t.entry(at + countSize + i*entrySize)
		if !ok {
			return d, false
		}
		switch tag {
		case tagWidth:
			d.width = dimension(uint32(t.value(v, 0)))
		case tagHeight:
			d.height = dimension(uint32(t.value(v, 0)))
		case tagCompression:
			compression = t.value(v, 0)
		case tagStrips, tagTiles:
			starts = v
		case tagStripSizes, tagTileSizes:
			sizes = v
		case tagSubIFDs, tagEXIF, tagGPS:
			for i := range min(v.count, maxDirectories) {
				d.next = append(d.next, t.value(v, i))
			}
		}
	}
	next, ok := t.number(at+countSize+n*entrySize, t.offsetSize())
	d.next = append(d.next, next)
	return d, ok && t.hasData(starts, sizes, compression)
}

func (t *tiff) offsetSize() uint64 {
	if t.big {
		return 8
	}
	return 4
}

// values is an array in the file.
type values struct {
	at, count, size uint64 // size of one value in bytes
}

// sizes of the value types 1 to 18 (TIFF 6.0, section 2; BigTIFF adds 16 to 18).
var typeSizes = [19]uint64{0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8}

// entry reads the directory entry at an offset and sees that its values are within the file.
func (t *tiff) entry(at uint64) (tag uint16, v values, ok bool) {
	head := t.at(int64(at), 4)
	if head == nil {
		return 0, v, false
	}
	tag, kind := t.order.Uint16(head), t.order.Uint16(head[2:])
	inline := t.offsetSize()
	v.count, ok = t.number(at+4, inline)
	if !ok || t.at(int64(at+4+inline), int(inline)) == nil {
		return 0, v, false
	}
	v.at = at + 4 + inline
	if int(kind) < len(typeSizes) {
		v.size = typeSizes[kind]
	}
	if v.size == 0 || v.count == 0 { // a type of the future: passed over
		return tag, values{}, true
	}
	if v.count > inline/v.size {
		v.at, _ = t.number(v.at, inline)
	}
	return tag, v, t.within(v.at, v.count, v.size)
}

// hasData sees that every strip or tile is within the file, and that the last one was written, where its coding shows that.
func (t *tiff) hasData(starts, sizes values, compression uint64) bool {
	if t.parts -= int(min(starts.count, maxParts+1)); t.parts < 0 {
		return false
	}
	other := &tiff{window: &window{r: t.r, size: t.size}, order: t.order} // so that two long arrays do not share a window
	var last, end uint64
	for i := range starts.count {
		start, size := t.value(starts, i), uint64(1)
		if i < sizes.count {
			size = other.value(sizes, i)
		}
		if size > 0 && !t.within(start, size, 1) {
			return false
		}
		if size > 0 && start+size > end {
			last, end = start, start+size
		}
	}
	t.err = cmp.Or(t.err, other.err)
	switch compression {
	case 5, 7, 8, 32946: // LZW, JPEG, Deflate: none begins with zeroes
		head := t.upTo(int64(last), int(min(end-last, 16)))
		return len(bytes.Trim(head, "\x00")) > 0
	}
	return true
}

// within reports whether count values of a size are in the file.
func (t *tiff) within(at, count, size uint64) bool {
	all := uint64(t.size)
	return at <= all && count <= (all-at)/size
}

// value reads the i-th value; 0 if there is none, or it is no whole number.
func (t *tiff) value(v values, i uint64) uint64 {
	if i >= v.count {
		return 0
	}
	n, _ := t.number(v.at+i*v.size, v.size)
	return n
}

// number reads an unsigned number of 1, 2, 4 or 8 bytes.
func (t *tiff) number(at, size uint64) (n uint64, ok bool) {
	if !t.within(at, 1, size) {
		return 0, false
	}
	b := t.at(int64(at), int(size))
	if b == nil {
		return 0, false
	}
	switch size {
	case 1:
		return uint64(b[0]), true
	case 2:
		return uint64(t.order.Uint16(b)), true
	case 4:
		return uint64(t.order.Uint32(b)), true
	default:
		return t.order.Uint64(b), true
	}
}
