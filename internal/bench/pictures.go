package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// makePictures writes n different JPEGs of a size: small pictures, made long by data behind their own, so that they cost no
// image work.
func makePictures(dir string, n, size int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i := range n {
		if err := makePicture(filepath.Join(dir, fmt.Sprintf("picture %05d.jpg", i)), size); err != nil {
			return err
		}
	}
	return nil
}

var random = rand.NewChaCha8([32]byte{1})

// makePicture writes a JPEG of a size that is unlike any other.
func makePicture(file string, size int) error {
	var small bytes.Buffer
	if err := jpeg.Encode(&small, image.NewGray(image.Rect(0, 0, 64, 64)), nil); err != nil {
		return err
	}
	return os.WriteFile(file, lengthen(small.Bytes(), size), 0o644)
}

// lengthen puts random data before the end of a JPEG until it has the size.
func lengthen(picture []byte, size int) []byte {
	end := len(picture) - 2
	data := make([]byte, max(0, size-len(picture)))
	random.Read(data)
	for i, b := range data {
		if b == 0xff { // a marker would follow
			data[i] = 0
		}
	}
	return slices.Concat(picture[:end], data, picture[end:])
}

// flush puts the files of a folder on the disk.
func flush(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		f, err := os.OpenFile(filepath.Join(dir, file.Name()), os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}
