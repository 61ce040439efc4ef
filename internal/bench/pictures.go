package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// makePictures writes n different JPEGs of a size: small pictures, made long by comments, so that they cost no image work.
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

// lengthen puts random comments behind the beginning of a JPEG until it has the size.
func lengthen(picture []byte, size int) []byte {
	out := append(make([]byte, 0, size), picture[:2]...)
	for missing := size - len(picture); missing > 4; {
		n := min(missing, 65535)
		comment := make([]byte, n-4)
		random.Read(comment)
		out = binary.BigEndian.AppendUint16(append(out, 0xff, 0xfe), uint16(n-2))
		out = append(out, comment...)
		missing -= n
	}
	return append(out, picture[2:]...)
}
