package watcher

import (
	"encoding/binary"
	"math"
)

// iend is the last chunk of every PNG: no length, its name, its checksum (W3C PNG, 11.2.5).
const iend = "\x00\x00\x00\x00IEND\xae\x42\x60\x82"

func inspectPNG(w *window, p *Picture) bool {
	if b := w.at(16, 8); b != nil {
		p.Width, p.Height = dimension(binary.BigEndian.Uint32(b)), dimension(binary.BigEndian.Uint32(b[4:]))
	}
	if string(w.at(w.size-int64(len(iend)), len(iend))) == iend {
		return true
	}
	off := int64(8)
	for range maxParts {
		b := w.at(off, 8)
		if b == nil || !isChunkName(b[4:]) {
			return false
		}
		if string(b[4:]) == "IEND" {
			return string(w.at(off, len(iend))) == iend
		}
		off += 12 + int64(binary.BigEndian.Uint32(b))
	}
	return false
}

// maxParts bounds the work on a file made to cost much: chunks of a PNG or WebP, strips and tiles of a TIFF.
const maxParts = 1 << 20

func isChunkName(b []byte) bool {
	for _, c := range b {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return false
		}
	}
	return true
}

// dimension is n where it can be one, otherwise 0.
func dimension(n uint32) int {
	if n > math.MaxInt32 {
		return 0
	}
	return int(n)
}
