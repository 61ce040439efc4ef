package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/sandbox"
)

// client is the simplest one there is: what it sends is what the test says.
type client struct {
	t     *testing.T
	http  *http.Client
	base  string
	token string
}

// answer is a response that has been read.
type answer struct {
	status int
	header http.Header
	body   string
}

// open starts a sandbox and logs a client in.
func open(t *testing.T, opts sandbox.Options) (*sandbox.Server, *client) {
	t.Helper()
	if opts.Credits == 0 {
		opts.Credits = 1000
	}
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	faults := opts.Faults
	opts.Faults = sandbox.Faults{}
	s, err := sandbox.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c := &client{t: t, http: &http.Client{Transport: s.InProcess()}, base: "http://sandbox"}
	c.login(s)
	s.SetFaults(faults)
	return s, c
}

func (c *client) login(s *sandbox.Server) {
	c.t.Helper()
	a := c.form("/oauth/token", "grant_type", "refresh_token", "client_id", sandbox.ClientID, "refresh_token", s.RefreshToken())
	var got struct {
		AccessToken string `json:"access_token"`
	}
	a.want(c.t, 200).decode(c.t, &got)
	c.token = got.AccessToken
}

func (c *client) request(ctx context.Context, method, path string, body io.Reader, headers ...string) *http.Request {
	c.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("User-Agent", "test")
	req.Header.Set("Authorization", "Bearer "+c.token)
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
		} else {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	return req
}

// try returns the error of the connection or of the body, too.
func (c *client) try(method, path string, body io.Reader, headers ...string) (answer, error) {
	c.t.Helper()
	resp, err := c.http.Do(c.request(c.t.Context(), method, path, body, headers...))
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(text)}, err
}

func (c *client) do(method, path string, body io.Reader, headers ...string) answer {
	c.t.Helper()
	a, err := c.try(method, path, body, headers...)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// get asks for a path below the main organization.
func (c *client) get(path string) answer {
	c.t.Helper()
	return c.do("GET", org(path), nil)
}

func (c *client) form(path string, pairs ...string) answer {
	c.t.Helper()
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return c.do("POST", path, strings.NewReader(v.Encode()), "Content-Type", "application/x-www-form-urlencoded")
}

func (c *client) json(path, body string) answer {
	c.t.Helper()
	return c.do("POST", path, strings.NewReader(body), "Content-Type", "application/json")
}

// upload sends a picture and returns its hash.
func (c *client) upload(name, contentType string, content []byte) string {
	c.t.Helper()
	body, header := form(file("file", name, contentType, content))
	return c.do("POST", org("/upload"), body, "Content-Type", header).want(c.t, 201).body
}

// create starts an execution of an uploaded picture and returns its id.
func (c *client) create(workflow, name, contentType, hash string, more ...string) string {
	c.t.Helper()
	return c.json(creating(workflow), order(name, contentType, hash, more...)).want(c.t, 201).body
}

// details is what an answer about an execution says; all that can be null is a pointer.
type details struct {
	ID, Status, InputFileName, CreatedAt string
	Workflow, WorkflowVersion            string
	StartedAt, FinishedAt                *string
	ResultContentHash, ResultContentType *string
	ResultFileName, ResultPath           *string
	ChargedCredits                       int
	Labels                               map[string]string
	Feedback                             *struct{ ThumbsUp bool }
}

func (c *client) details(id string) (d details) {
	c.t.Helper()
	c.get("/v1/workflow/execution/"+id).want(c.t, 200).decode(c.t, &d)
	return d
}

// wait polls each second until the execution has the status.
func (c *client) wait(id, status string) details {
	c.t.Helper()
	for range 3600 {
		if d := c.details(id); d.Status == status {
			return d
		}
		time.Sleep(time.Second)
	}
	c.t.Fatalf("execution is %s, never %s", c.details(id).Status, status)
	return details{}
}

func (a answer) want(t *testing.T, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

func (a answer) decode(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

func org(path string) string {
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	return path + sep + "organization=" + sandbox.Organization
}

func creating(workflow string) string {
	return org("/v1/workflow/execution/create?workflow=" + workflow)
}

// order is the body of a create call; more are further members, such as `"labels":{}`.
func order(name, contentType, hash string, more ...string) string {
	image, _ := json.Marshal(map[string]string{"name": name, "contentType": contentType, "contentHash": hash})
	return "{" + strings.Join(append(more, `"image":`+string(image)), ",") + "}"
}

type part struct {
	header  textproto.MIMEHeader
	content []byte
}

func file(field, name, contentType string, content []byte) part {
	return part{textproto.MIMEHeader{
		"Content-Disposition": {fmt.Sprintf(`form-data; name=%q; filename=%q`, field, name)},
		"Content-Type":        {contentType},
	}, content}
}

func field(name, value string) part {
	return part{textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name=%q`, name)}}, []byte(value)}
}

// form builds a multipart body.
func form(parts ...part) (body *bytes.Buffer, contentType string) {
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	for _, p := range parts {
		pw, _ := w.CreatePart(p.header)
		pw.Write(p.content)
	}
	w.Close()
	return body, w.FormDataContentType()
}

// packshot is a red disc on a grey wall with a slight gradient; n makes it another picture.
func packshot(w, h, n int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			grey := uint8(150 + 40*y/h)
			c := color.RGBA{grey, grey, grey, 255}
			if dx, dy := x-w/2, y-h/2; dx*dx+dy*dy < min(w, h)*min(w, h)/16 {
				c = color.RGBA{200, uint8(n), uint8(n >> 8), 255}
			}
			img.Set(x, y, c)
		}
	}
	return img
}

func jpegOf(img image.Image) []byte {
	var b bytes.Buffer
	jpeg.Encode(&b, img, nil)
	return b.Bytes()
}

func pngOf(img image.Image) []byte {
	var b bytes.Buffer
	png.Encode(&b, img)
	return b.Bytes()
}

// escaped is a result path as it has to be asked for.
func escaped(path string) string {
	var segments []string
	for s := range strings.SplitSeq(path, "/") {
		segments = append(segments, url.PathEscape(s))
	}
	return strings.Join(segments, "/")
}

// bubble runs a test in fake time. Cleanups of f's t run inside it.
func bubble(t *testing.T, f func(t *testing.T)) { t.Helper(); synctest.Test(t, f) }
