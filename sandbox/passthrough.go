package sandbox

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"io"
	"slices"
)

// passThrough makes a result without image work and without a copy on disk: the input with the mark as a comment, where
// its format has a place for one. It is still a whole picture of the same format, and the same input and mark make the
// same result.
func passThrough(in *storedImage, mark string) (*storedImage, error) {
	out := *in
	out.names = map[string]bool{}
	at, insert := comment(in, mark)
	out.content = content{path: in.content.path, at: at, insert: slices.Concat(insert, in.content.insert)} // of a result: after its own
	body, size, err := out.content.open()
	if err != nil {
		return nil, err
	}
	defer body.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, body); err != nil {
		return nil, err
	}
	out.hash, out.size = hex.EncodeToString(sum.Sum(nil)), size
	return &out, nil
}

// comment returns bytes that hold the text and the place where they belong.
func comment(img *storedImage, text string) (at int64, insert []byte) {
	switch img.contentType {
	case "image/jpeg": // a COM segment after SOI
		insert = binary.BigEndian.AppendUint16([]byte{0xff, 0xfe}, uint16(2+len(text)))
		return 2, append(insert, text...)
	case "image/png": // a tEXt chunk after signature and IHDR
		data := "tEXtComment\x00" + text
		insert = binary.BigEndian.AppendUint32(nil, uint32(len(data)-4))
		insert = append(insert, data...)
		return 33, binary.BigEndian.AppendUint32(insert, crc32.ChecksumIEEE([]byte(data)))
	default: // TIFF, WebP: after the end, where readers do not look
		return img.size - int64(len(img.content.insert)), []byte(text)
	}
}
