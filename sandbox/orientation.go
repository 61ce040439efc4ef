package sandbox

import (
	"bytes"
	"encoding/binary"
	"image"

	"golang.org/x/image/math/f64"
)

// orientation is the EXIF tag 0x0112: how a camera was held. 1 is upright; 2, 4, 5 and 7 are mirrored; from 5 on the
// sides are swapped.
type orientation int

const upright orientation = 1

// exifWithin is how many bytes of a JPEG are searched for its orientation.
const exifWithin = 128 << 10

func (o orientation) swapsSides() bool { return o >= 5 }

// matrix maps the pixels of src to an upright picture of w x h pixels.
func (o orientation) matrix(src image.Rectangle, w, h int) f64.Aff3 {
	x0, y0 := float64(src.Min.X), float64(src.Min.Y)
	fw, fh := float64(w), float64(h)
	sx, sy := fw/float64(src.Dx()), fh/float64(src.Dy())
	if o.swapsSides() {
		sx, sy = fh/float64(src.Dx()), fw/float64(src.Dy())
	}
	// A point (u, v) of the source, scaled, with u up to its width and v up to its height, lands at:
	m := map[orientation]f64.Aff3{
		1: {1, 0, 0, 0, 1, 0},     // (u, v)
		2: {-1, 0, fw, 0, 1, 0},   // (w-u, v)
		3: {-1, 0, fw, 0, -1, fh}, // (w-u, h-v)
		4: {1, 0, 0, 0, -1, fh},   // (u, h-v)
		5: {0, 1, 0, 1, 0, 0},     // (v, u)
		6: {0, -1, fw, 1, 0, 0},   // (w-v, u)
		7: {0, -1, fw, -1, 0, fh}, // (w-v, h-u)
		8: {0, 1, 0, -1, 0, fh},   // (v, h-u)
	}[o]
	return f64.Aff3{
		m[0] * sx, m[1] * sy, m[2] - m[0]*sx*x0 - m[1]*sy*y0,
		m[3] * sx, m[4] * sy, m[5] - m[3]*sx*x0 - m[4]*sy*y0,
	}
}

// orientationOf looks for the tag in the first bytes of a JPEG.
func orientationOf(jpeg []byte) orientation {
	for rest := jpeg[min(2, len(jpeg)):]; len(rest) >= 4 && rest[0] == 0xff; {
		length := 2 + int(binary.BigEndian.Uint16(rest[2:]))
		if rest[1] == 0xda || length > len(rest) { // the picture begins, or the segment is not all here
			break
		}
		if exif, ok := bytes.CutPrefix(rest[4:max(length, 4)], []byte("Exif\x00\x00")); ok && rest[1] == 0xe1 {
			return orientationIn(exif)
		}
		rest = rest[length:]
	}
	return upright
}

// orientationIn looks for the tag in the first directory of a TIFF structure.
func orientationIn(tiff []byte) orientation {
	if len(tiff) < 8 {
		return upright
	}
	var order binary.ByteOrder = binary.LittleEndian
	if tiff[0] == 'M' {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return upright
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			break
		}
		if o := orientation(order.Uint16(entries[8:])); order.Uint16(entries) == 0x0112 && o >= 1 && o <= 8 {
			return o
		}
		entries = entries[12:]
	}
	return upright
}
