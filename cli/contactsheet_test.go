package cli

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

// onePlain writes a picture of one colour.
func onePlain(t *testing.T, name string, c color.Color, width, height int) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.Set(x, y, c)
		}
	}
	file := filepath.Join(t.TempDir(), name)
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestContactSheetHoldsThePictures(t *testing.T) {
	red, green := color.RGBA{200, 0, 0, 255}, color.RGBA{0, 200, 0, 255}
	wide, tall := onePlain(t, "wide.png", red, 400, 10), onePlain(t, "tall.png", green, 30, 600)
	clear := onePlain(t, "clear.png", color.Transparent, 50, 50)
	pairs := []beforeAfter{
		{before: wide, after: tall, name: "wide", workflow: "Tall"},
		{before: tall, after: wide, name: "a very long name that must not run into the picture beside it, however long it is", workflow: "Wide"},
		{before: wide, after: clear, name: "wide", workflow: "Clear"},
	}
	img, err := contactSheet("Title", "Subtitle", pairs)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := img.Bounds().Size(), image.Pt(1468, 754); got != want {
		t.Errorf("size %v, want %v", got, want)
	}
	middle := func(pair int, after bool) color.Color {
		x := sheetMargin + pair%2*(2*frameWidth+frameGap+columnGap) + frameWidth/2
		if after {
			x += frameWidth + frameGap
		}
		return img.At(x, sheetMargin+sheetHeader+pair/2*(frameHeight+captionSpace)+frameHeight/2)
	}
	for pair, want := range [][2]color.Color{{red, green}, {green, red}, {red, nil}} {
		for i, c := range want {
			if got := middle(pair, i == 1); c != nil && got != c {
				t.Errorf("pair %d, picture %d: %v in its middle, want %v", pair, i, got, c)
			}
		}
	}
	if c := middle(2, true).(color.RGBA); c.R < 0xe0 || c.R != c.G {
		t.Errorf("what is transparent shows as %v, want nearly white", c)
	}
	gap := sheetMargin + 3*frameWidth + frameGap + columnGap + frameGap/2 // between the second pair's pictures
	for y := range img.Bounds().Dy() {
		if img.At(gap, y) != paper {
			t.Fatalf("something runs over the gap in line %d", y)
		}
	}
}

func TestContactSheetNamesABadPicture(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.jpg")
	if err := os.WriteFile(bad, []byte("no picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := contactSheet("Title", "", []beforeAfter{{bad, bad, "bad", "None"}})
	if err == nil {
		t.Fatal("no error")
	}
	if want := "contact sheet: read " + bad + ": image: unknown format"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}
