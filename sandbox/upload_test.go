package sandbox_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
	"testing"

	"hotfolder/sandbox"

	"golang.org/x/image/tiff"
)

// pngHeader is a PNG that claims a size and has no pixels.
func pngHeader(w, h uint32) []byte {
	ihdr := []byte("IHDR")
	ihdr = binary.BigEndian.AppendUint32(ihdr, w)
	ihdr = binary.BigEndian.AppendUint32(ihdr, h)
	ihdr = append(ihdr, 8, 2, 0, 0, 0)
	b := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), ihdr...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(ihdr))
}

func tiffOf(t *testing.T) []byte {
	var b bytes.Buffer
	if err := tiff.Encode(&b, packshot(40, 30, 0), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestUpload(t *testing.T) {
	jpg, png := jpegOf(packshot(40, 30, 0)), pngOf(packshot(40, 30, 1))
	sumOf := func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }
	for _, tt := range []struct {
		name  string
		parts []part
		want  int
		hash  string
	}{
		{"JPEG", []part{file("file", "a.jpg", "image/jpeg", jpg)}, 201, sumOf(jpg)},
		{"PNG", []part{file("file", "a.png", "image/png", png)}, 201, sumOf(png)},
		{"TIFF", []part{file("file", "a.tif", "image/tiff", tiffOf(t))}, 201, sumOf(tiffOf(t))},
		{"size before", []part{field("filesize", fmt.Sprint(len(jpg))), file("file", "a.jpg", "image/jpeg", jpg)}, 201, sumOf(jpg)},
		{"size after", []part{file("file", "a.jpg", "image/jpeg", jpg), field("filesize", fmt.Sprint(len(jpg)))}, 201, sumOf(jpg)},
		{"a wrong name is no matter", []part{file("file", "a.png", "image/jpeg", jpg)}, 201, sumOf(jpg)},
		{"the largest sides", []part{file("file", "a.png", "image/png", pngHeader(10_000, 10_000))}, 201, sumOf(pngHeader(10_000, 10_000))},
		{"cut short", []part{file("file", "a.jpg", "image/jpeg", jpg[:len(jpg)-20])}, 201, sumOf(jpg[:len(jpg)-20])},

		{"too wide", []part{file("file", "a.png", "image/png", pngHeader(10_001, 1))}, 422, ""},
		{"too high", []part{file("file", "a.png", "image/png", pngHeader(1, 10_001))}, 422, ""},
		{"wrong size", []part{field("filesize", "7"), file("file", "a.jpg", "image/jpeg", jpg)}, 400, ""},
		{"size no number", []part{field("filesize", "big"), file("file", "a.jpg", "image/jpeg", jpg)}, 400, ""},
		{"no file", []part{field("filesize", "7")}, 400, ""},
		{"nothing", nil, 400, ""},
		{"two files", []part{file("file", "a.jpg", "image/jpeg", jpg), file("file", "b.png", "image/png", png)}, 400, ""},
		{"another part", []part{file("image", "a.jpg", "image/jpeg", jpg)}, 400, ""},
		{"no file name", []part{file("file", "", "image/jpeg", jpg)}, 400, ""},
		{"no content type", []part{file("file", "a.jpg", "", jpg)}, 422, ""},
		{"text", []part{file("file", "a.txt", "text/plain", []byte("hello"))}, 422, ""},
		{"text as JPEG", []part{file("file", "a.jpg", "image/jpeg", []byte("hello"))}, 422, ""},
		{"PNG as JPEG", []part{file("file", "a.jpg", "image/jpeg", png)}, 422, ""},
		{"empty", []part{file("file", "a.jpg", "image/jpeg", nil)}, 422, ""},
		{"header only", []part{file("file", "a.jpg", "image/jpeg", jpg[:20])}, 422, ""},
		{"WebP without a picture", []part{file("file", "a.webp", "image/webp", []byte("RIFF\x04\x00\x00\x00WEBP"))}, 422, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			s, c := open(t, sandbox.Options{Dir: dir})
			body, contentType := form(tt.parts...)
			a := c.do("POST", org("/v1/upload"), body, "Content-Type", contentType).want(t, tt.want)
			files, _ := os.ReadDir(dir)
			if tt.want != 201 {
				if len(files) != 0 || len(s.Books().Uploads) != 0 {
					t.Errorf("a refused upload left %v, books %+v", files, s.Books().Uploads)
				}
				return
			}
			if a.body != tt.hash || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
				t.Errorf("answer %q as %s", a.body, a.header.Get("Content-Type"))
			}
			c.do("HEAD", org("/upload?contentHash="+a.body), nil).want(t, 200)
			c.do("HEAD", "/upload?contentHash="+a.body+"&organization="+sandbox.OtherOrganization, nil).want(t, 404)
			if len(files) != 1 {
				t.Errorf("%d files on disk", len(files))
			}
		})
	}
}

func TestUploadTwiceIsStoredOnce(t *testing.T) {
	dir := t.TempDir()
	s, c := open(t, sandbox.Options{Dir: dir})
	jpg := jpegOf(packshot(40, 30, 0))
	hash := c.upload("a.jpg", "image/jpeg", jpg)
	c.upload("b.jpg", "image/jpeg", jpg)
	if files, _ := os.ReadDir(dir); len(files) != 1 || len(s.Books().Uploads) != 2 {
		t.Errorf("%d files, %d uploads in the books", len(files), len(s.Books().Uploads))
	}
	for name, want := range map[string]int{"a.jpg": 200, "b.jpg": 200, "c.jpg": 404} {
		c.get("/v1/image/"+hash+"/"+name).want(t, want)
	}
	s.RemoveImage(hash)
	c.do("HEAD", org("/upload?contentHash="+hash), nil).want(t, 404)
	c.get("/v1/image/"+hash+"/a.jpg").want(t, 404)
	c.json(creating(sandbox.FastCheck), order("a.jpg", "image/jpeg", hash)).want(t, 404)
	c.upload("a.jpg", "image/jpeg", jpg)
	c.do("HEAD", org("/upload?contentHash="+hash), nil).want(t, 200)
}

func TestUploadLimitAndBrokenBody(t *testing.T) {
	dir := t.TempDir()
	s, c := open(t, sandbox.Options{Dir: dir, MaxUpload: 1000})
	body, contentType := form(file("file", "a.jpg", "image/jpeg", append(jpegOf(packshot(10, 10, 0)), make([]byte, 1000)...)))
	c.do("POST", org("/upload"), bytes.NewReader(body.Bytes()), "Content-Type", contentType).want(t, 422)
	c.do("POST", org("/upload"), io.LimitReader(body, 300), "Content-Type", contentType).want(t, 400)
	if files, _ := os.ReadDir(dir); len(files) != 0 || len(s.Books().Uploads) != 0 {
		t.Errorf("left %v", files)
	}
}
