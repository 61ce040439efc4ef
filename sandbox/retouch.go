package sandbox

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"os"

	"golang.org/x/image/draw"
)

// recipe is the image work of a workflow.
type recipe struct {
	background background
	crop       bool // to the subject, with a margin
	longSide   int  // at most, in pixels
	png        bool // otherwise JPEG
}

type background int

const (
	untouched background = iota
	white
	transparent
)

// pixelsAtOnce bounds the memory of all workers together: the largest picture by itself, or several smaller ones.
const pixelsAtOnce = maxSide * maxSide

// retouch makes the result of a picture and stores it on disk. The same picture and recipe make the same bytes.
func (s *Server) retouch(ctx context.Context, in *storedImage, r recipe) (*storedImage, error) {
	weight := min(int64(in.width)*int64(in.height), pixelsAtOnce)
	if err := s.pixels.Acquire(ctx, weight); err != nil {
		return nil, err
	}
	defer s.pixels.Release(weight)
	img, err := load(in, r)
	if err != nil {
		return nil, err
	}
	level(img)
	if r.background != untouched {
		img = isolate(img, r)
	}
	return s.export(img, r.png)
}

// load decodes a picture, turned upright and scaled down to the recipe's size, on white unless it shall be transparent.
func load(in *storedImage, r recipe) (*image.RGBA, error) {
	src, turn, err := decode(in)
	if err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	from := src.Bounds()
	scale := min(1, float64(r.longSide)/float64(max(from.Dx(), from.Dy())))
	w, h := max(1, int(float64(from.Dx())*scale)), max(1, int(float64(from.Dy())*scale))
	if turn.swapsSides() {
		w, h = h, w
	}
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	if r.background != transparent {
		draw.Draw(img, img.Rect, image.White, image.Point{}, draw.Src)
	}
	if turn == upright && scale == 1 {
		draw.Draw(img, img.Rect, src, from.Min, draw.Over)
	} else {
		draw.ApproxBiLinear.Transform(img, turn.matrix(from, w, h), src, from, draw.Over, nil)
	}
	return img, nil
}

func decode(in *storedImage) (image.Image, orientation, error) {
	body, _, err := in.content.open()
	if err != nil {
		return nil, upright, err
	}
	defer body.Close()
	r, turn := io.Reader(body), upright
	if in.contentType == "image/jpeg" { // a TIFF is better read from the file, where its decoder can jump about
		buffered := bufio.NewReaderSize(body, exifWithin)
		head, _ := buffered.Peek(exifWithin) // as much as there is
		r, turn = buffered, orientationOf(head)
	}
	c, _ := codecOf(in.contentType)
	img, err := c.decode(r)
	return img, turn, err
}

// export encodes a picture to disk under its hash.
func (s *Server) export(img *image.RGBA, asPNG bool) (*storedImage, error) {
	f, err := os.CreateTemp(s.dir, "result-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name()) // nothing once it is kept
	sum := sha256.New()
	w := io.MultiWriter(f, sum)
	contentType := "image/jpeg"
	if asPNG {
		contentType = "image/png"
		err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(w, img)
	} else {
		err = jpeg.Encode(w, img, &jpeg.Options{Quality: 90})
	}
	size, _ := f.Seek(0, io.SeekCurrent)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	out := &storedImage{
		hash: hex.EncodeToString(sum.Sum(nil)), contentType: contentType, size: size,
		width: img.Rect.Dx(), height: img.Rect.Dy(), names: map[string]bool{},
	}
	out.content.path, err = s.keep(f.Name(), out.hash)
	return out, err
}

// level stretches the tones so that nearly black becomes black and nearly white becomes white.
func level(img *image.RGBA) {
	var histogram [256]int
	for i := 0; i < len(img.Pix); i += 4 {
		p := img.Pix[i : i+4 : i+4]
		histogram[luma(p[0], p[1], p[2])]++
	}
	ignored := len(img.Pix) / 4 / 200 // half a percent at each end
	low, high := 0, 255
	for n := histogram[0]; n <= ignored && low < 254; n += histogram[low] {
		low++
	}
	for n := histogram[255]; n <= ignored && high > low+1; n += histogram[high] {
		high--
	}
	low, high = min(low, 64), max(high, 160) // a dark or pale picture stays one
	var curve [256]uint8
	for v := range curve {
		curve[v] = uint8(min(max((v-low)*255/(high-low), 0), 255))
	}
	for i := 0; i < len(img.Pix); i += 4 {
		p := img.Pix[i : i+4 : i+4]
		p[0], p[1], p[2] = curve[p[0]], curve[p[1]], curve[p[2]]
	}
}

func luma(r, g, b uint8) uint8 { return uint8((299*int(r) + 587*int(g) + 114*int(b)) / 1000) }
