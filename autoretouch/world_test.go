package autoretouch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"hotfolder/autoretouch"
)

const (
	apiURL  = "https://api.test"
	authURL = "https://auth.test"
	hash    = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)

// world is an API and an auth server in process, as far as a test needs them.
type world struct {
	api   http.HandlerFunc // what the API answers to a valid access token; nil: 200 without a body
	token http.HandlerFunc // what the auth server answers to a refresh; nil: a new access token

	mu       sync.Mutex
	valid    string // the access token that the API takes
	calls    int    // of the API, refused ones too
	renewals int
	seen     []*http.Request // calls that the API took
}

// RoundTrip is the network.
func (w *world) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	} else {
		req.Body = http.NoBody
	}
	rec := httptest.NewRecorder()
	if req.URL.Host == "auth.test" {
		w.authServer(rec, req)
	} else {
		w.server(rec, req)
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	resp := rec.Result()
	resp.Request = req
	return resp, nil
}

func (w *world) server(rw http.ResponseWriter, req *http.Request) {
	w.mu.Lock()
	w.calls++
	ok := req.Header.Get("Authorization") == "Bearer "+w.valid
	if ok {
		w.seen = append(w.seen, req)
	}
	w.mu.Unlock()
	switch {
	case !ok:
		http.Error(rw, `{"status":401,"message":"Access token is expired"}`, http.StatusUnauthorized)
	case w.api != nil:
		w.api(rw, req)
	}
}

func (w *world) authServer(rw http.ResponseWriter, req *http.Request) {
	w.mu.Lock()
	w.renewals++
	n := w.renewals
	w.mu.Unlock()
	if w.token != nil {
		w.token(rw, req)
		return
	}
	w.grant(rw, fmt.Sprintf("access-%d", n), "")
}

// grant answers with an access token that the API takes from now on.
func (w *world) grant(rw http.ResponseWriter, access, refresh string) {
	w.mu.Lock()
	w.valid = access
	w.mu.Unlock()
	answer := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 86400}
	if refresh != "" {
		answer["refresh_token"] = refresh
	}
	rw.Header().Set("Content-Type", "application/json")
	json.NewEncoder(rw).Encode(answer)
}

// memory is a login that lasts as long as the test. Saving fails while broken is set.
type memory struct {
	mu     sync.Mutex
	token  autoretouch.Token
	broken error
	saves  int
}

func (m *memory) Load() (autoretouch.Token, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.token.Refresh == "" {
		return autoretouch.Token{}, autoretouch.ErrNoLogin
	}
	return m.token, nil
}

func (m *memory) Save(t autoretouch.Token) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	m.saves++
	m.token = t
	return nil
}

func (m *memory) Forget() error { return m.Save(autoretouch.Token{}) }

func (m *memory) set(t autoretouch.Token, broken error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.token, m.broken = t, broken
}

// options are those of a client that is logged in to w with the refresh token "refresh-0".
func options(w http.RoundTripper) autoretouch.Options {
	return autoretouch.Options{
		URL: apiURL, AuthURL: authURL, ClientID: "client", Organization: "org-1",
		Transport: w, Credentials: &memory{token: autoretouch.Token{Refresh: "refresh-0"}},
	}
}

func newClient(t *testing.T, o autoretouch.Options) *autoretouch.Client {
	t.Helper()
	c, err := autoretouch.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// answering is a client of an API that always answers so.
func answering(t *testing.T, status int, body string) *autoretouch.Client {
	t.Helper()
	return newClient(t, options(&world{api: func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}}))
}

func picture(content string) (autoretouch.Image, func() (io.ReadCloser, error)) {
	img := autoretouch.Image{Name: "a.jpg", ContentType: "image/jpeg", Size: int64(len(content))}
	return img, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }
}

// everyCall is each method of the API by its operation.
func everyCall(c *autoretouch.Client) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"list organizations": func(ctx context.Context) error { _, err := c.Organizations(ctx); return err },
		"get organization":   func(ctx context.Context) error { _, err := c.Organization(ctx, "org-1"); return err },
		"list workflows":     func(ctx context.Context) error { _, err := c.Workflows(ctx); return err },
		"get workflow":       func(ctx context.Context) error { _, err := c.Workflow(ctx, "flow-1"); return err },
		"get balance":        func(ctx context.Context) error { _, err := c.Balance(ctx); return err },
		"look up image":      func(ctx context.Context) error { _, err := c.HasImage(ctx, hash); return err },
		"upload": func(ctx context.Context) error {
			img, open := picture("picture")
			_, err := c.Upload(ctx, img, open)
			return err
		},
		"create execution": func(ctx context.Context) error {
			_, err := c.Create(ctx, autoretouch.NewExecution{Workflow: "flow-1", ContentHash: hash})
			return err
		},
		"get execution":   func(ctx context.Context) error { _, err := c.Execution(ctx, "exec-1"); return err },
		"list executions": func(ctx context.Context) error { _, err := c.Executions(ctx, "flow-1", 50, 0); return err },
		"download result": func(ctx context.Context) error {
			_, err := c.Download(ctx, "/image/"+hash+"/a.png", &bytes.Buffer{})
			return err
		},
		"retry execution": func(ctx context.Context) error { return c.Retry(ctx, "exec-1") },
		"send feedback":   func(ctx context.Context) error { return c.Feedback(ctx, "exec-1", true, nil) },
	}
}

// within fails the test if the fake time from begin to now is not about want.
func within(t *testing.T, begin time.Time, want, tolerance time.Duration) {
	t.Helper()
	if took := time.Since(begin); (took - want).Abs() > tolerance {
		t.Errorf("took %v, want %v ± %v", took, want, tolerance)
	}
}
