package watcher

import (
	"bytes"
	"encoding/binary"
)

// The markers that matter here (ITU-T T.81, table B.1).
const (
	markerTEM = 0x01
	markerRST = 0xd0 // to 0xd7
	markerSOI = 0xd8
	markerEOI = 0xd9
	markerSOS = 0xda
)

// inspectJPEG goes from marker to marker, so that the thumbnail in a segment, which has an end of its own, is passed over. Once
// it is in the picture's data, where an end marker is no chance, an end marker at the file's end will do. Only what
// comes with padding or other data after its end, or is not whole, is read to the end.
func inspectJPEG(w *window, p *Picture) bool {
	inData := false
	for off := int64(2); ; {
		marker, at := nextMarker(w, off)
		off = at + 2
		switch {
		case marker == 0:
			return false
		case marker == markerTEM, marker == markerSOI, marker&^7 == markerRST:
			continue
		case marker == markerEOI && inData:
			return true
		case marker == markerEOI:
			continue
		}
		b := w.at(off, 2)
		if b == nil {
			return false
		}
		length := int64(binary.BigEndian.Uint16(b))
		if b := w.at(off+3, 4); isFrame(marker) && b != nil {
			p.Height, p.Width = int(binary.BigEndian.Uint16(b)), int(binary.BigEndian.Uint16(b[2:]))
		}
		off += length
		if marker == markerSOS && !inData {
			inData = true
			if end := w.at(w.size-2, 2); off <= w.size-2 && end != nil && end[0] == 0xff && end[1] == markerEOI {
				return true
			}
		}
	}
}

// nextMarker returns the first marker from off on and where it is; 0: there is none. Bytes between segments are skipped, as
// decoders do; in data, 0xff is followed by 0.
func nextMarker(w *window, off int64) (marker byte, at int64) {
	for {
		b := w.some(off)
		i := bytes.IndexByte(b, 0xff)
		switch {
		case len(b) == 0:
			return 0, off
		case i < 0:
			off += int64(len(b))
			continue
		}
		off += int64(i)
		b = w.at(off, 2)
		switch {
		case b == nil:
			return 0, off
		case b[1] == 0:
			off += 2
		case b[1] == 0xff: // fill byte
			off++
		default:
			return b[1], off
		}
	}
}

// isFrame reports a start of frame: 0xc0 to 0xcf but for the tables DHT, JPG and DAC among them.
func isFrame(marker byte) bool {
	return marker&0xf0 == 0xc0 && marker != 0xc4 && marker != 0xc8 && marker != 0xcc
}
