package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
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
	return each(dir, func(file string) error {
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}

// read reads the files of a folder.
func read(dir string) error {
	return each(dir, func(file string) error {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, f)
		return errors.Join(err, f.Close())
	})
}

// empty empties the files of a folder, so that their memory and disk are free for the next round. They are not removed: a file system may
// remember for minutes what was, and take several times as long to make a file meanwhile.
func empty(dir string) error {
	return each(dir, func(file string) error { return os.Truncate(file, 0) })
}

// each does something to each file of a folder.
func each(dir string, do func(file string) error) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := do(filepath.Join(dir, file.Name())); err != nil {
			return err
		}
	}
	return nil
}
