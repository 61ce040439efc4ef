package sandbox

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// maxSide is the largest width and height of an upload in pixels.
const maxSide = 10_000

// imageKey names a stored picture: what one organization has uploaded is not there for another.
type imageKey struct{ organization, hash string }

// storedImage is a picture that the API holds: an upload or a result. It is never changed once it is stored, but for names.
type storedImage struct {
	hash          string
	contentType   string
	size          int64
	width, height int
	content       content
	names         map[string]bool // under which it can be downloaded
}

// codec is how one picture format is told apart and read.
type codec struct {
	contentType string
	extension   string
	magics      []string // how its files begin; "?" is any byte
	config      func(io.Reader) (image.Config, error)
	decode      func(io.Reader) (image.Image, error)
}

var codecs = []codec{
	{"image/jpeg", ".jpg", []string{"\xff\xd8\xff"}, jpeg.DecodeConfig, jpeg.Decode},
	{"image/png", ".png", []string{"\x89PNG\r\n\x1a\n"}, png.DecodeConfig, png.Decode},
	{"image/tiff", ".tif", []string{"II*\x00", "MM\x00*"}, tiff.DecodeConfig, tiff.Decode},
	{"image/webp", ".webp", []string{"RIFF????WEBP"}, webp.DecodeConfig, webp.Decode},
}

func codecOf(contentType string) (codec, bool) {
	for _, c := range codecs {
		if c.contentType == contentType {
			return c, true
		}
	}
	return codec{}, false
}

// upload stores a picture and answers with its hash.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) error {
	img, _, err := s.receive(r)
	if err != nil {
		return err
	}
	return writeText(w, http.StatusCreated, img.hash)
}

// haveUpload answers HEAD /upload.
func (s *Server) haveUpload(w http.ResponseWriter, r *http.Request) error {
	hash := r.URL.Query().Get("contentHash")
	if !isHash(hash) {
		return refusef(http.StatusBadRequest, "Parameter 'contentHash' must be a SHA-256 in lower-case hex")
	}
	if s.image(r.URL.Query().Get("organization"), hash) == nil {
		return refusef(http.StatusNotFound, "Image not found")
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

var hashPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

func isHash(s string) bool { return hashPattern.MatchString(s) }

func (s *Server) image(org, hash string) *storedImage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.images[imageKey{org, hash}]
}

// RemoveImage forgets a picture, as the API does after a while: HEAD and downloads answer 404, creating with it too.
func (s *Server) RemoveImage(hash string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range organizations {
		delete(s.images, imageKey{o.ID, hash})
	}
}

// pieces is how many bytes of an upload are read and written at once. The multipart reader's own are of 4 KiB.
const pieces = 128 << 10

var (
	readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, pieces) }}
	writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, pieces) }}
)

// receive reads a multipart upload to disk, checks and stores the picture and returns the name it was sent under.
func (s *Server) receive(r *http.Request) (*storedImage, string, error) {
	in := readers.Get().(*bufio.Reader)
	defer readers.Put(in)
	in.Reset(r.Body)
	r.Body = struct {
		io.Reader
		io.Closer
	}{in, r.Body}
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, "", refusef(http.StatusBadRequest, "Current request is not a multipart request")
	}
	var (
		got      *received
		filesize = int64(-1)
	)
	defer func() { got.discard() }()
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, "", refusef(http.StatusBadRequest, "Malformed multipart body: %v", err)
		}
		switch name := part.FormName(); {
		case name == "file" && got == nil:
			if got, err = s.receiveFile(part); err != nil {
				return nil, "", err
			}
		case name == "filesize" && filesize < 0:
			text, _ := io.ReadAll(io.LimitReader(part, 32))
			if filesize, err = strconv.ParseInt(string(text), 10, 64); err != nil || filesize < 0 {
				return nil, "", refusef(http.StatusBadRequest, "Part 'filesize' is not a size: %q", text)
			}
		default:
			return nil, "", refusef(http.StatusBadRequest, "Unexpected part %q", name)
		}
	}
	switch {
	case got == nil:
		return nil, "", refusef(http.StatusBadRequest, "Required part 'file' is not present")
	case filesize >= 0 && filesize != got.size:
		return nil, "", refusef(http.StatusBadRequest, "The file has %d bytes, 'filesize' says %d", got.size, filesize)
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(r.Body, maxBody)); err != nil { // what follows the last part
		return nil, "", refusef(http.StatusBadRequest, "Malformed multipart body: %v", err)
	}
	img, err := got.check()
	if err != nil {
		return nil, "", err
	}
	if img.content.path, err = s.keep(got.path, img.hash); err != nil {
		return nil, "", err
	}
	return s.storeUpload(r.URL.Query().Get("organization"), img, got.name), got.name, nil
}

// received is a file part on disk, not yet checked.
type received struct {
	path        string
	name        string
	contentType string
	size        int64
	hash        string
}

// receiveFile streams a file part to disk.
func (s *Server) receiveFile(part *multipart.Part) (*received, error) {
	got := &received{name: part.FileName(), contentType: mediaType(part.Header.Get("Content-Type"))}
	if got.name == "" {
		return nil, refusef(http.StatusBadRequest, "Part 'file' has no file name")
	}
	if _, ok := codecOf(got.contentType); !ok {
		return nil, refusef(http.StatusUnprocessableEntity, "Content type %q is not supported: JPEG, PNG, TIFF and WebP are",
			part.Header.Get("Content-Type"))
	}
	f, err := os.CreateTemp(s.dir, "part-")
	if err != nil {
		return nil, err
	}
	got.path = f.Name()
	sum := sha256.New()
	file := writers.Get().(*bufio.Writer)
	defer writers.Put(file)
	file.Reset(io.MultiWriter(f, sum))
	got.size, err = io.Copy(file, io.LimitReader(part, s.opts.MaxUpload+1))
	err = cmp.Or(err, file.Flush())
	got.hash = hex.EncodeToString(sum.Sum(nil))
	closeErr := f.Close()
	switch {
	case err != nil:
		got.discard()
		return nil, refusef(http.StatusBadRequest, "The file did not arrive: %v", err)
	case closeErr != nil:
		got.discard()
		return nil, closeErr
	case got.size > s.opts.MaxUpload:
		got.discard()
		return nil, refusef(http.StatusUnprocessableEntity, "The file is larger than %d bytes", s.opts.MaxUpload)
	}
	return got, nil
}

// discard removes the file, if it was not kept.
func (g *received) discard() {
	if g != nil {
		_ = os.Remove(g.path)
	}
}

// check reads the picture's header and holds it against what was said of it.
func (g *received) check() (*storedImage, error) {
	f, err := os.Open(g.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 16)
	n, _ := io.ReadFull(f, head)
	c, _ := codecOf(g.contentType)
	if !slices.ContainsFunc(c.magics, func(m string) bool { return begins(head[:n], m) }) {
		return nil, refusef(http.StatusUnprocessableEntity, "The file is not of the content type %s", g.contentType)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	size, err := c.config(f)
	if err != nil {
		return nil, refusef(http.StatusUnprocessableEntity, "The image cannot be read: %v", err)
	}
	if size.Width < 1 || size.Height < 1 || size.Width > maxSide || size.Height > maxSide {
		return nil, refusef(http.StatusUnprocessableEntity, "The image has %d x %d pixels; at most %d x %d are possible",
			size.Width, size.Height, maxSide, maxSide)
	}
	return &storedImage{
		hash: g.hash, contentType: g.contentType, size: g.size, width: size.Width, height: size.Height, names: map[string]bool{},
	}, nil
}

func begins(head []byte, magic string) bool {
	if len(head) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '?' && magic[i] != head[i] {
			return false
		}
	}
	return true
}

// keep moves a finished file to its place among the contents, where it may be already.
func (s *Server) keep(path, hash string) (string, error) {
	final := filepath.Join(s.dir, hash)
	if _, err := os.Stat(final); err == nil {
		return final, nil
	}
	if err := os.Rename(path, final); err != nil {
		if _, there := os.Stat(final); there != nil { // not put there by another call meanwhile, either
			return "", fmt.Errorf("keep upload: %w", err)
		}
	}
	return final, nil
}

func (s *Server) storeUpload(org string, img *storedImage, name string) *storedImage {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.books.Uploads = append(s.books.Uploads, UploadRecord{
		At: time.Now(), Organization: org, Name: name, Hash: img.hash, ContentType: img.contentType, Size: img.size,
	})
	return s.storeLocked(org, img, name)
}

// storeLocked adds a picture, or a name to one that is there.
func (s *Server) storeLocked(org string, img *storedImage, name string) *storedImage {
	key := imageKey{org, img.hash}
	if there := s.images[key]; there != nil {
		img = there
	}
	img.names[name] = true
	s.images[key] = img
	return img
}

// content is the bytes of a stored picture: a file, or a file with some bytes put in.
type content struct {
	path   string
	at     int64  // where
	insert []byte // what; nil for a file as it is
}

// open returns the bytes and their number.
func (c content) open() (io.ReadCloser, int64, error) {
	f, err := os.Open(c.path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	if c.insert == nil {
		return f, info.Size(), nil
	}
	r := io.MultiReader(
		io.NewSectionReader(f, 0, c.at),
		bytes.NewReader(c.insert),
		io.NewSectionReader(f, c.at, info.Size()-c.at),
	)
	return struct {
		io.Reader
		io.Closer
	}{r, f}, info.Size() + int64(len(c.insert)), nil
}

// withExtension replaces the extension of a file name.
func withExtension(name, extension string) string {
	return strings.TrimSuffix(name, filepath.Ext(name)) + extension
}
