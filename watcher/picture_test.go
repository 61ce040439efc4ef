package watcher_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/tiff"

	"hotfolder/watcher"
)

func inspect(t testing.TB, b []byte) watcher.Picture {
	t.Helper()
	p, err := watcher.Inspect(bytes.NewReader(b), int64(len(b)))
	must(t, err)
	return p
}

func TestInspect(t *testing.T) {
	jpg, png := jpegOf(t, 33, 17), pngOf(t, 33, 17)
	deflated := tiffOf(t, tiff.Deflate)
	directory := int(binary.LittleEndian.Uint32(deflated[4:]))
	zeroes := func(n int) []byte { return make([]byte, n) }
	blank := func(b []byte, from int) []byte { return slices.Concat(b[:from], zeroes(len(b)-from)) }
	long := "VP8 data" + strings.Repeat("x", 2000)
	tests := map[string]struct {
		bytes         []byte
		mime          string
		whole         bool
		width, height int
	}{
		"jpeg":                     {jpg, "image/jpeg", true, 33, 17},
		"jpeg with thumbnail":      {withThumbnail(t), "image/jpeg", true, 40, 30},
		"jpeg, padded":             {slices.Concat(jpg, zeroes(70_000)), "image/jpeg", true, 33, 17},
		"jpeg, second picture":     {slices.Concat(jpg, jpegOf(t, 8, 8), []byte("more")), "image/jpeg", true, 33, 17},
		"jpeg, tail not copied":    {blank(jpg, len(jpg)/2), "image/jpeg", false, 0, 0},
		"jpeg, thumbnail only":     {withThumbnail(t)[:12+len(jpegOf(t, 8, 6))], "image/jpeg", false, 0, 0},
		"jpeg without data":        {[]byte("\xff\xd8\xff\xd9"), "image/jpeg", false, 0, 0},
		"png":                      {png, "image/png", true, 33, 17},
		"png, padded":              {slices.Concat(png, zeroes(100)), "image/png", true, 33, 17},
		"png, tail not copied":     {blank(png, len(png)-1), "image/png", false, 33, 17},
		"tiff":                     {tiffOf(t, tiff.Uncompressed), "image/tiff", true, 20, 10},
		"tiff, deflate":            {deflated, "image/tiff", true, 20, 10},
		"tiff, tail not copied":    {blank(deflated, 8), "image/tiff", false, 0, 0},
		"tiff, strip not copied":   {slices.Concat(deflated[:8], zeroes(directory-8), deflated[directory:]), "image/tiff", false, 20, 10},
		"tiff without directory":   {[]byte("II\x2a\x00\x00\x00\x00\x00"), "image/tiff", false, 0, 0},
		"tiff, endless directory":  {tiffLoop(), "image/tiff", true, 5, 5},
		"bigtiff":                  {bigTIFF(), "image/tiff", true, 4, 2},
		"webp, lossy":              {webp("VP8 ", lossy), "image/webp", true, 33, 17},
		"webp, lossless":           {webp("VP8L", lossless), "image/webp", true, 21, 11},
		"webp, extended":           {webp("VP8X", extended, "ALPH", "a", "VP8 ", lossy), "image/webp", true, 300, 200},
		"webp, animated":           {webp("VP8X", extended, "ANIM", "123456", "ANMF", "frame"), "image/webp", true, 300, 200},
		"webp, padded":             {slices.Concat(webp("VP8 ", lossy), zeroes(9)), "image/webp", true, 33, 17},
		"webp, no picture":         {webp("VP8X", extended), "image/webp", false, 300, 200},
		"webp, tail not copied":    {blank(webp("VP8 ", long), 1000), "image/webp", false, 0, 0},
		"webp, chunk not copied":   {blank(webp("VP8 ", lossy, "EXIF", "abcdefgh"), 46), "image/webp", false, 33, 17},
		"empty":                    {nil, "", false, 0, 0},
		"nothing copied":           {zeroes(5000), "", false, 0, 0},
		"text":                     {[]byte("Not a picture at all."), "", true, 0, 0},
		"gif":                      {[]byte("GIF89a\x01\x00\x01\x00"), "", true, 0, 0},
		"sound":                    {[]byte("RIFF\x00\x01\x00\x00WAVEfmt "), "", true, 0, 0},
		"begins like a picture":    {[]byte("RIFF\x00\x01"), "", false, 0, 0},
		"begins like a tiff":       {[]byte("I"), "", false, 0, 0},
		"begins like none of them": {[]byte("X"), "", true, 0, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := inspect(t, tt.bytes)
			if p.Type != tt.mime || p.Whole != tt.whole || tt.width > 0 && (p.Width != tt.width || p.Height != tt.height) {
				t.Errorf("got %+v, want %q, whole %v, %d × %d", p, tt.mime, tt.whole, tt.width, tt.height)
			}
			if good := p.Type != "" && p.Whole; good != (p.Problem == "") {
				t.Errorf("problem is %q of %+v", p.Problem, p)
			}
		})
	}
}

// tiffLoop is a TIFF whose only directory says that it is followed by itself.
func tiffLoop() []byte {
	le := binary.LittleEndian
	b := []byte("II\x2a\x00\x08\x00\x00\x00\x02\x00")
	for tag := uint16(256); tag <= 257; tag++ {
		b = le.AppendUint16(b, tag)
		b = le.AppendUint16(b, 3)
		b = le.AppendUint32(b, 1)
		b = le.AppendUint32(b, 5)
	}
	return le.AppendUint32(b, 8)
}

// A whole picture is not whole without its last byte, nor without any more of its end.
func TestInspectCutAnywhere(t *testing.T) {
	for name, b := range smallPictures(t) {
		if p := inspect(t, b); !p.Whole || p.Problem != "" {
			t.Errorf("%s: %+v", name, p)
		}
		for n := range len(b) {
			if p := inspect(t, b[:n]); p.Whole {
				t.Errorf("%s: whole with %d of %d bytes", name, n, len(b))
			}
		}
	}
}

// Real photographs are whole, and are not when cut.
func TestInspectPhotographs(t *testing.T) {
	photographs := 0
	err := filepath.WalkDir("../testdata/photos", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains([]string{".jpg", ".png", ".tif", ".webp"}, filepath.Ext(name)) {
			return err
		}
		photographs++
		b, err := os.ReadFile(name)
		must(t, err)
		if p := inspect(t, b); !p.Whole || p.Width == 0 || p.Height == 0 {
			t.Errorf("%s: %+v", name, p)
		}
		for i := range 100 {
			if n := len(b) * i / 100; inspect(t, b[:n]).Whole {
				t.Errorf("%s: whole with %d of %d bytes", name, n, len(b))
			}
		}
		return nil
	})
	must(t, err)
	if photographs == 0 {
		t.Error("no photographs")
	}
}

type broken struct{ error }

func (b broken) ReadAt([]byte, int64) (int, error) { return 0, b.error }

func TestInspectReadError(t *testing.T) {
	bad := errors.New("bad sector")
	if _, err := watcher.Inspect(broken{bad}, 100); !errors.Is(err, bad) {
		t.Errorf("got error %v, want %v", err, bad)
	}
	if p, err := watcher.Inspect(broken{io.EOF}, 100); err != nil || p.Whole {
		t.Errorf("a file that shrank: %+v, %v", p, err)
	}
}

// counter counts what is read.
type counter struct {
	io.ReaderAt
	n int
}

func (c *counter) ReadAt(b []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(b, off)
	c.n += n
	return n, err
}

// FuzzInspect: nothing panics, nothing that is cut is whole, and hostile bytes do not cost more than a few readings of the file.
func FuzzInspect(f *testing.F) {
	for _, b := range smallPictures(f) {
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Add(tiffLoop())
	f.Fuzz(func(t *testing.T, b []byte) {
		r := &counter{ReaderAt: bytes.NewReader(b)}
		p, err := watcher.Inspect(r, int64(len(b)))
		must(t, err)
		if (p.Type != "" && p.Whole) != (p.Problem == "") || p.Width < 0 || p.Height < 0 {
			t.Errorf("%+v", p)
		}
		if len(b) < 32<<10 && r.n > 4*len(b)+64 {
			t.Errorf("read %d of %d bytes", r.n, len(b))
		}
	})
}
