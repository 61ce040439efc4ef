package autoretouch_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/autoretouch"
)

func TestHasImage(t *testing.T) {
	for status, want := range map[int]bool{200: true, 204: true, 404: false} {
		w := &world{api: func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) }}
		got, err := newClient(t, options(w)).HasImage(t.Context(), hash)
		if got != want || err != nil {
			t.Errorf("%d: %v, %v", status, got, err)
		}
		if r := w.seen[0]; r.Method != "HEAD" || r.URL.String() != apiURL+"/upload?contentHash="+hash+"&organization=org-1" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
	}
}

// upload is what the API got, read strictly.
type upload struct {
	name, contentType, content string
	parts                      int
}

func (u *upload) server(t *testing.T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.ContentLength != int64(len(body)) {
			t.Errorf("Content-Length %d, body %d", r.ContentLength, len(body))
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		parts, err := r.MultipartReader()
		if err != nil {
			t.Error(err)
			return
		}
		for {
			p, err := parts.NextPart()
			if err != nil {
				break
			}
			u.parts++
			content, _ := io.ReadAll(p)
			_, params, _ := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
			u.name, u.contentType, u.content = params["filename"], p.Header.Get("Content-Type"), string(content)
			if p.FormName() != "file" || len(p.Header) != 2 {
				t.Errorf("part %v", p.Header)
			}
		}
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, hash)
	}
}

func TestUpload(t *testing.T) {
	for name, test := range map[string]struct{ name, contentType, wantName, wantType string }{
		"plain":             {"a.jpg", "image/jpeg", "a.jpg", "image/jpeg"},
		"spaces and umlaut": {"Grüße aus Köln 😀.png", "image/png", "Grüße aus Köln 😀.png", "image/png"},
		"quotes":            {`a"b\c.jpg`, "image/jpeg", `a"b\c.jpg`, "image/jpeg"},
		"line breaks":       {"a\r\nX-Evil: 1\r\n\r\nb.jpg", "image/jpeg\r\nX-Evil: 1", "a__X-Evil: 1____b.jpg", "application/octet-stream"},
		"NUL, not UTF-8":    {"a\x00\xffb.jpg", "", "a__b.jpg", "application/octet-stream"},
		"long":              {strings.Repeat("ü", 127) + ".", "image/webp", strings.Repeat("ü", 127) + ".", "image/webp"},
	} {
		got := &upload{}
		img, open := picture("the picture")
		img.Name, img.ContentType = test.name, test.contentType
		h, err := newClient(t, options(&world{api: got.server(t)})).Upload(t.Context(), img, open)
		if h != hash || err != nil {
			t.Errorf("%s: %q, %v", name, h, err)
		}
		if want := (upload{test.wantName, test.wantType, "the picture", 1}); *got != want {
			t.Errorf("%s: got %+v, want %+v", name, *got, want)
		}
	}
}

func TestUploadAnswers(t *testing.T) {
	raw, _ := hex.DecodeString(hash)
	for name, body := range map[string]string{
		"hex": hash, "upper case": strings.ToUpper(hash), "line": hash + "\n", "JSON": `"` + hash + `"`,
		"base64": base64.StdEncoding.EncodeToString(raw), "base64, for URLs": base64.RawURLEncoding.EncodeToString(raw),
	} {
		img, open := picture("x")
		if got, err := answering(t, 201, body).Upload(t.Context(), img, open); got != hash || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, body := range []string{"", "ok", hash[:63], hash + "0", "<html>", strings.Repeat("é", 32), strings.Repeat("0", 5000)} {
		img, open := picture("x")
		if got, err := answering(t, 201, body).Upload(t.Context(), img, open); err == nil || autoretouch.ClassOf(err) != transient {
			t.Errorf("%.40q: %q, %v", body, got, err)
		}
	}
}

// The body is opened again, and the first one closed, when the token is refused after it was sent.
func TestUploadWithRenewal(t *testing.T) {
	got := &upload{}
	w := &world{api: got.server(t)}
	o := options(w)
	o.Credentials = &memory{token: autoretouch.Token{Refresh: "r", Access: "refused"}}
	img, _ := picture("the picture")
	var files []*closing
	h, err := newClient(t, o).Upload(t.Context(), img, func() (io.ReadCloser, error) {
		files = append(files, &closing{Reader: strings.NewReader("the picture")})
		return files[len(files)-1], nil
	})
	if h != hash || err != nil || got.content != "the picture" || len(files) != 2 {
		t.Errorf("%q, %v, %+v, opened %d times", h, err, got, len(files))
	}
	for i, f := range files {
		if f.closed != 1 {
			t.Errorf("file %d closed %d times", i, f.closed)
		}
	}
}

type closing struct {
	io.Reader
	closed int
}

func (c *closing) Close() error { c.closed++; return nil }

// Trouble of the file is told as the file's, and never fails the picture as the API's refusal would.
func TestUploadFileTrouble(t *testing.T) {
	broken := errors.New("share is gone")
	for name, test := range map[string]struct {
		open func() (io.ReadCloser, error)
		want error
	}{
		"cannot be opened": {func() (io.ReadCloser, error) { return nil, broken }, broken},
		"breaks off": {func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("12345"), failing{broken})), nil
		}, broken},
		"breaks at once": {func() (io.ReadCloser, error) { return io.NopCloser(failing{broken}), nil }, broken},
		"shrunk":         {func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("12345")), nil }, autoretouch.ErrSize},
		"grown":          {func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("12345678901")), nil }, autoretouch.ErrSize},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
		o := options(nil)
		o.URL, o.AuthURL = server.URL, server.URL
		o.Credentials = &memory{token: autoretouch.Token{Refresh: "r", Access: "a"}}
		_, err := newClient(t, o).Upload(t.Context(), autoretouch.Image{Name: "a.jpg", Size: 10}, test.open)
		if !errors.Is(err, test.want) || autoretouch.ClassOf(err) != transient {
			t.Errorf("%s: %v", name, err)
		}
		server.Close()
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// stalling is a network on which after n bytes of the request nothing moves.
func stalling(w *world, n int64) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		if r.URL.Host == "auth.test" {
			return w.RoundTrip(r)
		}
		defer r.Body.Close()
		io.CopyN(io.Discard, r.Body, n)
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
}

func TestUploadStalls(t *testing.T) {
	for name, after := range map[string]int64{"at once": 0, "half way": 50_000, "before the answer": 1 << 30} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := options(stalling(&world{}, after))
				o.Stall = 30 * time.Second
				img, open := picture(strings.Repeat("x", 100_000))
				begin := time.Now()
				_, err := newClient(t, o).Upload(t.Context(), img, open)
				within(t, begin, 30*time.Second, 0)
				if want := "upload: no byte moved for 30s"; err == nil || err.Error() != want || autoretouch.ClassOf(err) != transient {
					t.Errorf("%v, want %s", err, want)
				}
			})
		})
	}
}

// A slow file, a slow network or a rate may take as long as they like while bytes move.
func TestSlowUploadDoesNotStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := &upload{}
		o := options(&world{api: got.server(t)})
		o.Stall = 30 * time.Second
		img, _ := picture(strings.Repeat("x", 10))
		left := strings.NewReader(strings.Repeat("x", 10))
		slow := readerFunc(func(p []byte) (int, error) {
			time.Sleep(5 * time.Minute) // a share that takes its time is not the network
			return left.Read(p[:1])
		})
		if _, err := newClient(t, o).Upload(t.Context(), img, func() (io.ReadCloser, error) { return io.NopCloser(slow), nil }); err != nil {
			t.Error(err)
		}
	})
}

func TestUploadRate(t *testing.T) {
	const rate, size, uploads = 1 << 20, 5 << 20, 4
	synctest.Test(t, func(t *testing.T) {
		o := options(&world{api: func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			io.WriteString(w, hash)
		}})
		o.UploadRate = rate
		c := newClient(t, o)
		content := strings.Repeat("x", size)
		begin := time.Now()
		var all sync.WaitGroup
		for range uploads {
			all.Go(func() {
				img, open := picture(content)
				if _, err := c.Upload(t.Context(), img, open); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		within(t, begin, uploads*size/rate*time.Second, uploads*size/rate*time.Second/20)
	})
}

// A large picture is never in memory. 200 MB over loopback.
func TestUploadMemory(t *testing.T) {
	const size = 200 << 20
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, hash)
	}))
	defer server.Close()
	o := options(nil)
	o.URL, o.AuthURL = server.URL, server.URL
	o.Credentials = &memory{token: autoretouch.Token{Refresh: "r", Access: "a"}}
	c := newClient(t, o)
	zeros := func() (io.ReadCloser, error) { return io.NopCloser(io.LimitReader(zero{}, size)), nil }

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := c.Upload(t.Context(), autoretouch.Image{Name: "a.tif", ContentType: "image/tiff", Size: size}, zeros); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	t.Logf("%d KiB allocated for %d MiB", allocated>>10, size>>20)
	if allocated > 2<<20 {
		t.Errorf("%d bytes allocated", allocated)
	}
}

type zero struct{}

func (zero) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestDownload(t *testing.T) {
	content := make([]byte, 3<<20)
	rand.NewChaCha8([32]byte{}).Read(content)
	w := &world{api: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		w.Write(content)
	}}
	var got bytes.Buffer
	n, err := newClient(t, options(w)).Download(t.Context(), "/image/"+hash+"/Grüße 1/2?x=#%20.png", &got)
	if n != int64(len(content)) || err != nil || sha256.Sum256(got.Bytes()) != sha256.Sum256(content) {
		t.Errorf("%d bytes, %v", n, err)
	}
	want := apiURL + "/v1/image/" + hash + "/Gr%C3%BC%C3%9Fe%201/2%3Fx=%23%2520.png?organization=org-1"
	if u := w.seen[0].URL; u.String() != want {
		t.Errorf("%s, want %s", u, want)
	}
}

// A name that would lead elsewhere is asked for as the name that it is.
func TestDownloadOfAHostileName(t *testing.T) {
	w := &world{api: func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("x")) }}
	if _, err := newClient(t, options(w)).Download(t.Context(), "/image/"+hash+"/../../evil", io.Discard); err != nil {
		t.Error(err)
	}
	if got, want := w.seen[0].URL.EscapedPath(), "/v1/image/"+hash+"/..%2F..%2Fevil"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestDownloadPathsRefused(t *testing.T) {
	for _, path := range []string{
		"", "/", "/image", "/image/", "/image/x", "image/x/y", "/image//y", "/image/x/", "/image/../organization", "/image/x/..",
		"/image/./y", "/v1/organization/balance", "/v1/v1/image/x/y", "https://evil.test/image/x/y", "//evil.test/image/x/y", "/Image/x/y",
	} {
		w := &world{}
		if _, err := newClient(t, options(w)).Download(t.Context(), path, io.Discard); autoretouch.ClassOf(err) != input || w.calls != 0 {
			t.Errorf("%q: %v, %d calls", path, err, w.calls)
		}
	}
}

func TestDownloadBroken(t *testing.T) {
	disk := errors.New("disk full")
	for name, test := range map[string]struct {
		length int64
		body   io.Reader
		w      io.Writer
		want   error
		class  autoretouch.Class
	}{
		"cut short":         {100, strings.NewReader("only this"), io.Discard, io.ErrUnexpectedEOF, transient},
		"too long":          {1001, strings.NewReader(strings.Repeat("x", 1001)), io.Discard, nil, input},
		"secretly too long": {-1, strings.NewReader(strings.Repeat("x", 5000)), io.Discard, nil, input},
		"disk full":         {9, strings.NewReader("only this"), failingWriter{disk}, disk, transient},
	} {
		w := &world{}
		o := options(roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "auth.test" {
				return w.RoundTrip(r)
			}
			return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: test.length, Body: io.NopCloser(test.body), Request: r}, nil
		}))
		o.MaxResult = 1000
		n, err := newClient(t, o).Download(t.Context(), "/image/x/y", test.w)
		if err == nil || autoretouch.ClassOf(err) != test.class || (test.want != nil && !errors.Is(err, test.want)) || n > 1001 {
			t.Errorf("%s: %d bytes, %v (class %v)", name, n, err, autoretouch.ClassOf(err))
		}
	}
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }

func TestDownloadStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		o := options(roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "auth.test" {
				return w.RoundTrip(r)
			}
			body, server := io.Pipe()
			go func() {
				for range 10 {
					time.Sleep(50 * time.Second) // slow, but it moves
					server.Write([]byte("x"))
				}
				<-r.Context().Done()
				server.CloseWithError(r.Context().Err())
			}()
			return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: 100, Body: body, Request: r}, nil
		}))
		begin := time.Now()
		n, err := newClient(t, o).Download(t.Context(), "/image/x/y", slowDisk{})
		within(t, begin, 50*time.Second+10*5*time.Minute+time.Minute, 0) // the server goes on while the disk writes
		if want := "download result: no byte moved for 1m0s"; n != 10 || err == nil || err.Error() != want {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
}

// slowDisk takes its time, which is not the network's.
type slowDisk struct{}

func (slowDisk) Write(p []byte) (int, error) { time.Sleep(5 * time.Minute); return len(p), nil }
