package watcher_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"slices"
	"testing"

	"golang.org/x/image/tiff"
)

// photo is a small picture with something in it.
func photo(w, h int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.RGBA{uint8(x*7 ^ y*3), uint8(x * y), uint8(255 - x*y%251), 255})
		}
	}
	return m
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func jpegOf(t testing.TB, w, h int) []byte {
	var b bytes.Buffer
	must(t, jpeg.Encode(&b, photo(w, h), nil))
	return b.Bytes()
}

// withThumbnail is a JPEG with another one in its APP1 segment, as cameras make them.
func withThumbnail(t testing.TB) []byte {
	outer, thumb := jpegOf(t, 40, 30), jpegOf(t, 8, 6)
	app1 := append([]byte("Exif\x00\x00"), thumb...)
	head := []byte{0xff, 0xd8, 0xff, 0xe1, 0, 0}
	binary.BigEndian.PutUint16(head[4:], uint16(2+len(app1)))
	return slices.Concat(head, app1, outer[2:])
}

func pngOf(t testing.TB, w, h int) []byte {
	var b bytes.Buffer
	must(t, png.Encode(&b, photo(w, h)))
	return b.Bytes()
}

func tiffOf(t testing.TB, c tiff.CompressionType) []byte {
	var b bytes.Buffer
	must(t, tiff.Encode(&b, photo(20, 10), &tiff.Options{Compression: c}))
	return b.Bytes()
}

// bigTIFF is a BigTIFF, big-endian, of one grey strip behind its directory.
func bigTIFF() []byte {
	be := binary.BigEndian
	b := []byte("MM\x00\x2b\x00\x08\x00\x00")
	b = be.AppendUint64(b, 16)
	entries := [][3]uint64{{256, 3, 4}, {257, 3, 2}, {259, 3, 1}, {273, 16, 0}, {279, 4, 8}}
	data := uint64(16 + 8 + 20*len(entries) + 8)
	b = be.AppendUint64(b, uint64(len(entries)))
	for _, e := range entries {
		b = be.AppendUint16(b, uint16(e[0]))
		b = be.AppendUint16(b, uint16(e[1]))
		b = be.AppendUint64(b, 1)
		switch e[1] {
		case 3:
			b = append(be.AppendUint16(b, uint16(e[2])), 0, 0, 0, 0, 0, 0)
		case 4:
			b = append(be.AppendUint32(b, uint32(e[2])), 0, 0, 0, 0)
		case 16:
			b = be.AppendUint64(b, data)
		}
	}
	b = be.AppendUint64(b, 0)
	return append(b, 1, 2, 3, 4, 5, 6, 7, 8)
}

// webp puts chunks (name, content) in a RIFF.
func webp(chunks ...string) []byte {
	body := []byte("WEBP")
	for i := 0; i < len(chunks); i += 2 {
		body = append(body, chunks[i]...)
		body = binary.LittleEndian.AppendUint32(body, uint32(len(chunks[i+1])))
		body = append(body, chunks[i+1]...)
		if len(chunks[i+1])%2 == 1 {
			body = append(body, 0)
		}
	}
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

// lossless is VP8L content of 21 × 11 pixels, its coded data being made up.
var lossless = "\x2f" + string(binary.LittleEndian.AppendUint32(nil, 20|10<<14)) + "made-up data"

// lossy is VP8 content of 33 × 17 pixels, its coded data being made up.
const lossy = "\x10\x02\x00\x9d\x01\x2a\x21\x00\x11\x00 made-up data"

const extended = "\x10\x00\x00\x00\x2b\x01\x00\xc7\x00\x00" // VP8X of 300 × 200 pixels

// smallPictures are whole and end where their files end.
func smallPictures(t testing.TB) map[string][]byte {
	return map[string][]byte{
		"jpeg":            jpegOf(t, 33, 17),
		"jpeg, thumbnail": withThumbnail(t),
		"png":             pngOf(t, 33, 17),
		"tiff":            tiffOf(t, tiff.Uncompressed),
		"tiff, deflate":   tiffOf(t, tiff.Deflate),
		"bigtiff":         bigTIFF(),
		"webp, lossy":     webp("VP8 ", lossy),
		"webp, lossless":  webp("VP8L", lossless),
		"webp, extended":  webp("VP8X", extended, "VP8L", lossless, "EXIF", "odd"),
	}
}
