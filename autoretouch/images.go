package autoretouch

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// Image is a picture to upload.
type Image struct {
	Name        string // of the file, without folders
	ContentType string // of the content: image/jpeg, image/png, image/tiff, image/webp
	Size        int64  // bytes
}

// HasImage reports whether the API holds the content with this hash already.
func (c *Client) HasImage(ctx context.Context, hash string) (bool, error) {
	r := request{
		op: "look up image", method: http.MethodHead, path: "/upload",
		query: url.Values{"contentHash": {hash}},
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, noAnswer(c.timeout))
	defer cancel()
	resp, err := c.do(ctx, r)
	if notFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer drain(resp.Body)
	if isPage(resp) {
		return false, r.unreadable("the API's")
	}
	return true, nil
}

// Upload streams the picture and returns the hash under which the API holds it, lower-case hex SHA-256. open is called
// again when the access token had to be renewed; what it returned is closed when Upload returns. An error of open or of
// reading is in the chain of Upload's, and so is ErrSize; a read that hangs keeps Upload from returning. 400, 413, 415
// and 422 are Input, 404 is Config (the organization).
func (c *Client) Upload(ctx context.Context, img Image, open func() (io.ReadCloser, error)) (string, error) {
	r := request{op: "upload", method: http.MethodPost, path: "/upload", refused: Input, missing: Config}
	ctx, dog, stop := watch(ctx, c.stall)
	defer stop()
	head, tail, contentType := envelope(img)

	var sending *upload // the last one opened
	defer func() { sending.Close() }()
	r.body = &payload{
		contentType: contentType,
		length:      int64(len(head)) + img.Size + int64(len(tail)),
		open: func() (io.ReadCloser, error) {
			sending.Close()
			file, err := open()
			if err != nil {
				return nil, err
			}
			sending = newUpload(ctx, file, img.Size, head, tail, dog, c.uploads)
			return sending, nil
		},
	}
	resp, err := c.do(ctx, r)
	if broken := sending.failure(); err != nil && broken != nil {
		return "", &Error{Op: r.op, Err: broken}
	}
	if err != nil {
		return "", err
	}
	dog.wait()
	answer, err := r.read(ctx, resp, maxLine)
	if err != nil {
		return "", err
	}
	hash, ok := parseHash(string(answer))
	if !ok {
		return "", r.unreadable("a SHA-256")
	}
	return hash, nil
}

// envelope is what stands before and after the picture in the multipart body, and the body's content type.
func envelope(img Image) (head, tail []byte, contentType string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	header := textproto.MIMEHeader{}
	header.Set("Content-Disposition", multipart.FileContentDisposition("file", headerName(img.Name)))
	header.Set("Content-Type", headerType(img.ContentType))
	w.CreatePart(header) // a bytes.Buffer takes everything
	n := b.Len()
	w.Close()
	return b.Bytes()[:n:n], b.Bytes()[n:], w.FormDataContentType()
}

// headerName is a file name fit for a header: valid UTF-8, no control characters.
func headerName(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
}

func headerType(contentType string) string {
	if t, _, err := mime.ParseMediaType(contentType); err == nil {
		return t
	}
	return "application/octet-stream"
}

// parseHash reads a SHA-256 in hex, as every example shows it, or in base64, as the API's overview calls it.
func parseHash(s string) (string, bool) {
	s = strings.Trim(s, "\" \t\r\n")
	if b, err := hex.DecodeString(s); err == nil && len(b) == 32 {
		return strings.ToLower(s), true
	}
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	if b, err := base64.RawStdEncoding.DecodeString(s); err == nil && len(b) == 32 {
		return hex.EncodeToString(b), true
	}
	return "", false
}

// Download writes the result at resultPath (Execution.ResultPath) to w and returns its length; whether it is the right
// one, by its hash, is for the caller to check. 404 is Transient with ErrNotFound. An error of w is in the chain.
func (c *Client) Download(ctx context.Context, resultPath string, w io.Writer) (int64, error) {
	r := request{op: "download result", method: http.MethodGet}
	path, err := escapePath(resultPath)
	if err != nil {
		return 0, &Error{Class: Input, Op: r.op, Err: err, unhandled: true}
	}
	r.path = path
	ctx, dog, stop := watch(ctx, c.stall)
	defer stop()
	resp, err := c.do(ctx, r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if isPage(resp) {
		return 0, r.unreadable("a picture")
	}
	if resp.ContentLength > c.maxResult {
		return 0, r.tooLong(resp, c.maxResult)
	}
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	n, err := io.CopyBuffer(onlyWriter{w}, io.LimitReader(watchedReader{resp.Body, dog}, c.maxResult+1), *buffer)
	switch {
	case n > c.maxResult:
		return n, r.tooLong(resp, c.maxResult)
	case err == nil && resp.ContentLength >= 0 && n != resp.ContentLength:
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return n, r.failed(ctx, fmt.Errorf("after %d bytes: %w", n, err))
	}
	return n, nil
}

// buffers are those that results pass through: large ones, since each piece costs two calls of the system.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 128<<10)
	return &b
}}

// onlyWriter keeps io.CopyBuffer from leaving the buffer unused.
type onlyWriter struct{ io.Writer }

// tooLong is Input: another attempt would only fetch as much again.
func (r request) tooLong(resp *http.Response, limit int64) error {
	return &Error{Class: Input, Op: r.op, Status: resp.StatusCode, Err: fmt.Errorf("the result is longer than %d bytes", limit)}
}

// escapePath makes the path of a request of a result path (/image/HASH/NAME, below /v1, unescaped). It refuses every
// other path: what the server sends must not choose another endpoint. A NAME with dots that would lead elsewhere, as of
// a result that is called ../../evil, is escaped as the one name that it is.
func escapePath(resultPath string) (string, error) {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(resultPath, "/v1"), "/image/")
	hash, name, _ := strings.Cut(rest, "/")
	if !ok || leads(hash) || leads(name) {
		return "", fmt.Errorf("result path %q is not /image/HASH/NAME", resultPath)
	}
	segments := strings.Split(name, "/")
	if slices.ContainsFunc(segments, leads) {
		segments = []string{name}
	}
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return "/v1/image/" + url.PathEscape(hash) + "/" + strings.Join(segments, "/"), nil
}

// leads reports whether a segment of a path is none of its own.
func leads(segment string) bool { return segment == "" || segment == "." || segment == ".." }
