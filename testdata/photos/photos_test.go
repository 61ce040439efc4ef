package photos_test

import (
	"image"
	_ "image/jpeg"
	_ "image/png"
	"io/fs"
	"os"
	"strings"
	"testing"

	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"

	"hotfolder/testdata/photos"
)

func TestEachIsAPictureWithALicence(t *testing.T) {
	licences, err := os.ReadFile("LICENCES.md")
	if err != nil {
		t.Fatal(err)
	}
	formats := map[string]int{}
	err = fs.WalkDir(photos.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := photos.FS.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, format, err := image.Decode(f); err != nil {
			t.Errorf("%s: %v", path, err)
		} else {
			formats[format]++
		}
		if !strings.Contains(string(licences), "`"+path+"`") {
			t.Errorf("%s is not in LICENCES.md", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"jpeg", "png", "tiff", "webp"} {
		if formats[format] == 0 {
			t.Errorf("no %s among %v", format, formats)
		}
	}
}
