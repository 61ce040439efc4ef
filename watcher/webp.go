package watcher

import (
	"bytes"
	"encoding/binary"
)

// inspectWebP holds the RIFF size against the file's and sees that the chunks fill it (RFC 9649, section 2).
func inspectWebP(w *window, p *Picture) bool {
	end := 8 + int64(binary.LittleEndian.Uint32(w.at(4, 4)))
	off := int64(12)
	webpSize(w, p, off)
	if end > w.size {
		return false
	}
	picture := false
	for range maxParts {
		if off >= end {
			return picture
		}
		head := w.at(off, 8)
		if head == nil || string(head[:4]) == "\x00\x00\x00\x00" {
			return false
		}
		name, size := string(head[:4]), int64(binary.LittleEndian.Uint32(head[4:]))
		data := off + 8
		off = data + size + size&1
		if data+size > end {
			return false
		}
		switch name {
		case "VP8 ", "VP8L":
			picture = !zeroTail(w, data, size)
		case "ANMF":
			picture = true
		}
	}
	return false
}

// zeroTail reports that the coded data at off ends in zeroes for so long that they were allotted but never written.
func zeroTail(w *window, off, size int64) bool {
	const many = 256
	b := w.at(off+size-many, many)
	return size >= 2*many && b != nil && len(bytes.Trim(b, "\x00")) == 0
}

// webpSize reads the size from the first chunk, which is at off.
func webpSize(w *window, p *Picture, off int64) {
	b := w.at(off, 18)
	if b == nil {
		return
	}
	data := b[8:]
	switch string(b[:4]) {
	case "VP8X":
		p.Width, p.Height = 1+uint24(data[4:]), 1+uint24(data[7:])
	case "VP8L":
		bits := binary.LittleEndian.Uint32(data[1:])
		p.Width, p.Height = 1+int(bits&0x3fff), 1+int(bits>>14&0x3fff)
	case "VP8 ":
		p.Width = int(binary.LittleEndian.Uint16(data[6:]) & 0x3fff)
		p.Height = int(binary.LittleEndian.Uint16(data[8:]) & 0x3fff)
	}
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
