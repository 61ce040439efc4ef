package sandbox_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"slices"
	"strings"
	"testing"

	"hotfolder/sandbox"

	"golang.org/x/image/tiff"
)

// result runs a picture through a workflow.
func (c *client) result(workflow, contentType string, content []byte) (image.Image, answer) {
	c.t.Helper()
	hash := c.upload("in", contentType, content)
	d := c.wait(c.create(workflow, "in", contentType, hash), "COMPLETED")
	a := c.get("/v1"+escaped(*d.ResultPath)).want(c.t, 200)
	if a.header.Get("Content-Type") != *d.ResultContentType {
		c.t.Errorf("served as %s, said to be %s", a.header.Get("Content-Type"), *d.ResultContentType)
	}
	img, format, err := image.Decode(strings.NewReader(a.body))
	if err != nil || "image/"+format != *d.ResultContentType {
		c.t.Fatalf("the result is %s: %v", format, err)
	}
	return img, a
}

// like tells whether a pixel is nearly of a colour.
func like(img image.Image, x, y int, want color.NRGBA) bool {
	p := color.NRGBAModel.Convert(img.At(img.Bounds().Min.X+x, img.Bounds().Min.Y+y)).(color.NRGBA)
	near := func(a, b uint8) bool { return a-b < 40 || b-a < 40 }
	return near(p.A, want.A) && (want.A == 0 || near(p.R, want.R) && near(p.G, want.G) && near(p.B, want.B))
}

var (
	white       = color.NRGBA{255, 255, 255, 255}
	transparent = color.NRGBA{}
	red         = color.NRGBA{225, 0, 0, 255}
)

func TestWorkflows(t *testing.T) {
	in := jpegOf(packshot(800, 600, 0)) // a disc of 300 pixels across in the middle
	for _, tt := range []struct {
		name, workflow string
		w, h           int
		corner         color.NRGBA
	}{
		{"packshot", sandbox.PackshotWhite, 338, 338, white}, // the disc and 6 % around it
		{"catalogue", sandbox.CatalogueJPEG, 800, 600, color.NRGBA{150, 150, 150, 255}},
		{"cut-out", sandbox.TransparentCut, 800, 600, transparent},
		{"check", sandbox.FastCheck, 512, 384, color.NRGBA{150, 150, 150, 255}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				_, c := open(t, sandbox.Options{})
				img, _ := c.result(tt.workflow, "image/jpeg", in)
				size := img.Bounds().Size()
				if d := size.Sub(image.Pt(tt.w, tt.h)); max(d.X, -d.X, d.Y, -d.Y) > 24 {
					t.Errorf("size %v", size)
				}
				if !like(img, 3, 3, tt.corner) || !like(img, size.X/2, size.Y/2, red) {
					t.Errorf("corner %v, middle %v", img.At(3, 3), img.At(size.X/2, size.Y/2))
				}
			})
		})
	}
}

func TestFormats(t *testing.T) {
	deep := image.NewNRGBA64(image.Rect(0, 0, 60, 40))
	grey := image.NewGray16(image.Rect(0, 0, 60, 40))
	for y := range 40 {
		for x := range 60 {
			deep.SetNRGBA64(x, y, color.NRGBA64{58000, 0, 0, 65535})
			grey.SetGray16(x, y, color.Gray16{40000})
		}
	}
	var tif, deepTIFF bytes.Buffer
	tiff.Encode(&tif, packshot(60, 40, 0), &tiff.Options{Compression: tiff.Deflate, Predictor: true})
	tiff.Encode(&deepTIFF, deep, nil)
	webp, _ := base64.StdEncoding.DecodeString("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA")
	cut := image.NewNRGBA(image.Rect(0, 0, 60, 40)) // wholly transparent

	for _, tt := range []struct {
		name, contentType string
		content           []byte
	}{
		{"TIFF", "image/tiff", tif.Bytes()},
		{"16-bit TIFF", "image/tiff", deepTIFF.Bytes()},
		{"16-bit PNG", "image/png", pngOf(deep)},
		{"16-bit grey PNG", "image/png", pngOf(grey)},
		{"transparent PNG", "image/png", pngOf(cut)},
		{"WebP", "image/webp", webp},
		{"one pixel", "image/png", pngOf(packshot(1, 1, 0))},
		{"a line", "image/png", pngOf(packshot(3000, 1, 0))},
	} {
		for _, workflow := range []string{sandbox.PackshotWhite, sandbox.CatalogueJPEG, sandbox.TransparentCut} {
			t.Run(tt.name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					_, c := open(t, sandbox.Options{})
					c.result(workflow, tt.contentType, tt.content)
				})
			})
		}
	}
}

func TestSameInputSameResult(t *testing.T) {
	for _, passThrough := range []bool{false, true} {
		var results []string
		for range 2 {
			bubble(t, func(t *testing.T) {
				_, c := open(t, sandbox.Options{PassThrough: passThrough})
				_, a := c.result(sandbox.PackshotWhite, "image/png", pngOf(packshot(300, 200, 0)))
				results = append(results, a.body)
			})
		}
		if results[0] != results[1] {
			t.Errorf("pass through %v: two results of the same picture differ", passThrough)
		}
	}
}

func TestPassThroughStaysThePicture(t *testing.T) {
	pic := packshot(60, 40, 7)
	var tif bytes.Buffer
	tiff.Encode(&tif, pic, nil)
	for contentType, in := range map[string][]byte{"image/png": pngOf(pic), "image/jpeg": jpegOf(pic), "image/tiff": tif.Bytes()} {
		bubble(t, func(t *testing.T) {
			_, c := open(t, sandbox.Options{PassThrough: true})
			out, a := c.result(sandbox.PackshotWhite, contentType, in)
			before, _, _ := image.Decode(bytes.NewReader(in))
			if a.body == string(in) || len(a.body) > len(in)+200 || out.Bounds() != before.Bounds() || out.At(30, 20) != before.At(30, 20) {
				t.Errorf("%s: %d bytes of %d, %v", contentType, len(a.body), len(in), out.Bounds())
			}
			again, _ := c.result(sandbox.FastCheck, contentType, []byte(a.body)) // a result as the next input
			if again.Bounds() != before.Bounds() {
				t.Errorf("%s: again %v", contentType, again.Bounds())
			}
		})
	}
}

func TestLargePicturesAreScaledDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, c := open(t, sandbox.Options{})
		wide := image.NewGray(image.Rect(0, 0, 8192, 64))
		img, _ := c.result(sandbox.TransparentCut, "image/png", pngOf(wide))
		if img.Bounds().Dx() != 4096 || img.Bounds().Dy() != 32 {
			t.Errorf("%v", img.Bounds())
		}
	})
}

// turned is a JPEG whose EXIF says how the camera was held.
func turned(img image.Image, orientation uint16) []byte {
	var b bytes.Buffer
	jpeg.Encode(&b, img, &jpeg.Options{Quality: 95})
	exif := []byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01")
	exif = binary.BigEndian.AppendUint16(exif, orientation)
	exif = append(exif, 0, 0, 0, 0, 0, 0)
	segment := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(2+len(exif)))
	return slices.Concat(b.Bytes()[:2], segment, exif, b.Bytes()[2:])
}

// TestOrientation stores one picture in the eight ways that a camera may; each must come out the same: 90 x 60, red in
// the upper left.
func TestOrientation(t *testing.T) {
	const w, h = 90, 60
	upright := func(x, y int) color.Color {
		if x < w/2 && y < h/2 {
			return color.NRGBA{225, 0, 0, 255}
		}
		return color.NRGBA{255, 255, 255, 255}
	}
	// Where the stored pixel (x, y) of a picture of the stored size belongs in the upright one.
	places := map[uint16]func(x, y int) (int, int){
		1: func(x, y int) (int, int) { return x, y },
		2: func(x, y int) (int, int) { return w - 1 - x, y },
		3: func(x, y int) (int, int) { return w - 1 - x, h - 1 - y },
		4: func(x, y int) (int, int) { return x, h - 1 - y },
		5: func(x, y int) (int, int) { return y, x },
		6: func(x, y int) (int, int) { return w - 1 - y, x },
		7: func(x, y int) (int, int) { return w - 1 - y, h - 1 - x },
		8: func(x, y int) (int, int) { return y, h - 1 - x },
	}
	for o, place := range places {
		sw, sh := w, h
		if o >= 5 {
			sw, sh = h, w
		}
		stored := image.NewNRGBA(image.Rect(0, 0, sw, sh))
		for y := range sh {
			for x := range sw {
				stored.Set(x, y, upright(place(x, y)))
			}
		}
		bubble(t, func(t *testing.T) {
			_, c := open(t, sandbox.Options{})
			img, _ := c.result(sandbox.CatalogueJPEG, "image/jpeg", turned(stored, o))
			if img.Bounds().Dx() != w || img.Bounds().Dy() != h || !like(img, 20, 15, red) || !like(img, 70, 15, white) || !like(img, 20, 45, white) || !like(img, 70, 45, white) {
				t.Errorf("orientation %d: %v, %v %v %v %v", o, img.Bounds(), img.At(20, 15), img.At(70, 15), img.At(20, 45), img.At(70, 45))
			}
		})
	}
}

func FuzzOrientation(f *testing.F) {
	whole := turned(packshot(16, 16, 0), 6)
	f.Add(whole[:60])
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x02"))
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x00\xff"))
	f.Fuzz(func(t *testing.T, exif []byte) {
		sandbox.OrientationOf(exif) // no panic
	})
}
