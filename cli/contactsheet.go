package cli

import (
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"strings"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)

// beforeAfter is one line of the contact sheet: a picture and what a workflow made of it.
type beforeAfter struct {
	before, after string // files
	name          string // of the picture, for people
	workflow      string // its name
}

// The contact sheet's measures in pixels and its colours.
const (
	sheetMargin  = 40
	sheetHeader  = 110 // title and column heads
	frameWidth   = 330
	frameHeight  = 236
	frameGap     = 12 // between before and after
	captionSpace = 66
	columnGap    = 44
)

var (
	paper = color.RGBA{0xfa, 0xf9, 0xf6, 0xff}
	mat   = color.RGBA{0xe8, 0xe6, 0xe0, 0xff} // around the pictures, so that a white background shows
	ink   = color.RGBA{0x26, 0x26, 0x24, 0xff}
	faint = color.RGBA{0x80, 0x7d, 0x76, 0xff}
)

// contactSheet draws each pair side by side, before on the left and after on the right, in one column or two of pairs.
// It holds one picture at a time.
func contactSheet(title, subtitle string, pairs []beforeAfter) (image.Image, error) {
	columns := min(2, max(1, len(pairs)))
	rows := (len(pairs) + columns - 1) / columns
	const pairWidth = 2*frameWidth + frameGap
	s, err := newSheet(
		2*sheetMargin+columns*pairWidth+(columns-1)*columnGap,
		sheetMargin+sheetHeader+rows*(frameHeight+captionSpace))
	if err != nil {
		return nil, err
	}
	s.write(s.title, ink, sheetMargin, sheetMargin+22, s.Rect.Dx()-2*sheetMargin, title)
	s.write(s.text, faint, sheetMargin, sheetMargin+48, s.Rect.Dx()-2*sheetMargin, subtitle)
	for i := range columns {
		x := sheetMargin + i*(pairWidth+columnGap)
		s.write(s.text, faint, x, sheetMargin+sheetHeader-14, frameWidth, "Before")
		s.write(s.text, faint, x+frameWidth+frameGap, sheetMargin+sheetHeader-14, frameWidth, "After")
	}
	for i, p := range pairs {
		x := sheetMargin + i%columns*(pairWidth+columnGap)
		y := sheetMargin + sheetHeader + i/columns*(frameHeight+captionSpace)
		if err := s.picture(x, y, p.before, p.name); err != nil {
			return nil, err
		}
		if err := s.picture(x+frameWidth+frameGap, y, p.after, p.workflow); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// sheet is the contact sheet while it is drawn.
type sheet struct {
	*image.RGBA
	title, bold, text font.Face
}

func newSheet(width, height int) (*sheet, error) {
	s := &sheet{RGBA: image.NewRGBA(image.Rect(0, 0, width, height))}
	draw.Draw(s, s.Rect, image.NewUniform(paper), image.Point{}, draw.Src)
	for _, f := range []struct {
		face *font.Face
		ttf  []byte
		size float64
	}{{&s.title, gobold.TTF, 26}, {&s.bold, gobold.TTF, 15}, {&s.text, goregular.TTF, 14}} {
		parsed, err := opentype.Parse(f.ttf)
		if err != nil {
			return nil, fmt.Errorf("contact sheet: %w", err)
		}
		if *f.face, err = opentype.NewFace(parsed, &opentype.FaceOptions{Size: f.size, DPI: 72}); err != nil {
			return nil, fmt.Errorf("contact sheet: %w", err)
		}
	}
	return s, nil
}

// picture puts the picture of a file into the frame at x, y, with the label and the picture's measures below.
func (s *sheet) picture(x, y int, file, label string) error {
	img, err := openPicture(file)
	if err != nil {
		return fmt.Errorf("contact sheet: %w", err)
	}
	about, err := describe(file)
	if err != nil {
		return fmt.Errorf("contact sheet: %w", err)
	}
	frame := image.Rect(x, y, x+frameWidth, y+frameHeight)
	draw.Draw(s, frame, image.NewUniform(mat), image.Point{}, draw.Src)
	place := fit(img.Bounds().Size(), frame.Inset(8))
	s.checker(place)
	draw.CatmullRom.Scale(s, place, img, img.Bounds(), draw.Over, nil)
	s.write(s.bold, ink, x, frame.Max.Y+20, frameWidth, label)
	s.write(s.text, faint, x, frame.Max.Y+39, frameWidth, about)
	return nil
}

// fit returns the largest place of the picture's proportions in the middle of the frame.
func fit(picture image.Point, frame image.Rectangle) image.Rectangle {
	w, h := frame.Dx(), picture.Y*frame.Dx()/picture.X
	if h > frame.Dy() {
		w, h = picture.X*frame.Dy()/picture.Y, frame.Dy()
	}
	w, h = max(w, 1), max(h, 1)
	corner := frame.Min.Add(image.Pt((frame.Dx()-w)/2, (frame.Dy()-h)/2))
	return image.Rectangle{corner, corner.Add(image.Pt(w, h))}
}

// checker draws the pattern by which people know what is transparent.
func (s *sheet) checker(r image.Rectangle) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			shade := uint8(0xff)
			if ((x-r.Min.X)/9+(y-r.Min.Y)/9)%2 == 1 {
				shade = 0xee
			}
			s.SetRGBA(x, y, color.RGBA{shade, shade, shade, 0xff})
		}
	}
}

// write puts a line of text with its base at y, shortened at its end to the width.
func (s *sheet) write(face font.Face, c color.Color, x, y, width int, text string) {
	d := font.Drawer{Dst: s, Src: image.NewUniform(c), Face: face, Dot: fixed.P(x, y)}
	for line := []rune(text); d.MeasureString(text) > fixed.I(width) && len(line) > 0; {
		line = line[:len(line)-1]
		text = string(line) + "…"
	}
	d.DrawString(text)
}

// openPicture decodes a picture file of one of the types that AutoRetouch takes.
func openPicture(file string) (image.Image, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, _, err := image.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return img, nil
}

// describe tells a picture file's measures, type and size, as in "600 × 400 JPEG, 73 kB".
func describe(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	c, format, err := image.DecodeConfig(f)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", file, err)
	}
	return fmt.Sprintf("%d × %d %s, %s", c.Width, c.Height, strings.ToUpper(format), size(info.Size())), nil
}
