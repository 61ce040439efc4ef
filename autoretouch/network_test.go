package autoretouch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/autoretouch"
)

// everyTokenCall is what sends a token to the auth server, each by a client of its own.
func everyTokenCall(t *testing.T, network http.RoundTripper) map[string]func(context.Context) error {
	client := func() *autoretouch.Client { return newClient(t, options(network)) }
	return map[string]func(context.Context) error{
		"renew login": func(ctx context.Context) error { _, err := client().Balance(ctx); return err },
		"log in":      func(ctx context.Context) error { return client().LoginWithRefreshToken(ctx, "refresh-1") },
		"begin login": func(ctx context.Context) error { _, err := client().DeviceCode(ctx); return err },
		"log out":     func(ctx context.Context) error { return client().Logout(ctx) },
	}
}

// Whoever redirects, and wherever to: no request, let alone a token, goes elsewhere, and the trouble passes by itself.
func TestNothingFollowsARedirectElsewhere(t *testing.T) {
	for _, target := range []string{
		"https://evil.test/v1/x", "http://api.test/v1/x", "http://auth.test/oauth/token", "https://api.test:8443/v1/x",
		"https://api.test.evil.test/", "//evil.test/v1/x", "https://api.test@evil.test/", "https://user:pass@evil.test/", "file:///etc/passwd", "",
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			redirect := func(r *http.Request) (*http.Response, error) {
				if r.URL.Scheme != "https" || r.URL.Host != "api.test" && r.URL.Host != "auth.test" {
					t.Errorf("%d to %q: %s %s was called", status, target, r.Method, r.URL)
				}
				return &http.Response{StatusCode: status, Header: http.Header{"Location": {target}}, Body: http.NoBody, Request: r}, nil
			}
			o := options(roundTrip(redirect))
			for op, call := range everyTokenCall(t, roundTrip(redirect)) {
				if err := call(t.Context()); err == nil || autoretouch.ClassOf(err) != transient {
					t.Errorf("%s, %d to %q: %v", op, status, target, err)
				}
			}
			o.Credentials = &memory{token: autoretouch.Token{Refresh: "refresh-0", Access: "access-0"}}
			for op, call := range everyCall(newClient(t, o)) {
				if err := call(t.Context()); err == nil || autoretouch.ClassOf(err) != transient || strings.Contains(err.Error(), "pass") {
					t.Errorf("%s, %d to %q: %v", op, status, target, err)
				}
			}
		}
	}
}

// What keeps a request from being sent passes by itself, and a create that met it was surely not charged.
func TestNetworkTrouble(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	dial := func(err error) func(context.Context, string, string) (net.Conn, error) {
		return func(context.Context, string, string) (net.Conn, error) { return nil, err }
	}
	for name, transport := range map[string]*http.Transport{
		"no such host": {DialContext: dial(&net.DNSError{Err: "no such host", Name: "api.test", IsNotFound: true})},
		"DNS is down":  {DialContext: dial(&net.DNSError{Err: "server misbehaving", Name: "api.test", IsTemporary: true})},
		"no route":     {DialContext: dial(&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("network is unreachable")})},
		"not TLS at all": {DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", plain.Listener.Addr().String())
		}},
		"hangs up": {DialContext: func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			there.Close()
			return here, nil
		}},
	} {
		o := options(transport)
		o.Credentials = &memory{token: autoretouch.Token{Refresh: "r", Access: "a"}}
		for op, call := range everyCall(newClient(t, o)) {
			if err := call(t.Context()); err == nil || autoretouch.ClassOf(err) != transient || autoretouch.MaybeHandled(err) {
				t.Errorf("%s, %s: %v", name, op, err)
			}
		}
		for op, call := range everyTokenCall(t, transport) {
			if err := call(t.Context()); err == nil || autoretouch.ClassOf(err) != transient {
				t.Errorf("%s, %s: %v", name, op, err)
			}
		}
	}
}

// An answer that breaks off in the middle, or of which nothing more comes, ends the call in time and is never taken for whole.
func TestHalfAnswers(t *testing.T) {
	whole := map[string]string{
		"get balance": "12", "create execution": "exec-", "upload": hash[:40], "download result": "picture",
	}
	for name, stalls := range map[string]bool{"breaks off": false, "stalls": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var half string
				o := options(roundTrip(func(r *http.Request) (*http.Response, error) {
					if r.Body != nil {
						io.Copy(io.Discard, r.Body)
					}
					rest := readerFunc(func([]byte) (int, error) {
						if stalls {
							<-r.Context().Done()
							return 0, r.Context().Err()
						}
						return 0, io.ErrUnexpectedEOF
					})
					body := io.NopCloser(io.MultiReader(strings.NewReader(half), rest))
					return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: 100, Body: body, Request: r}, nil
				}))
				o.Credentials = &memory{token: autoretouch.Token{Refresh: "r", Access: "a"}}
				for op, call := range everyCall(newClient(t, o)) {
					if op == "look up image" {
						continue // has no body
					}
					half = whole[op]
					if half == "" {
						half = `{"id":"org-1","entries":[{"id":"x"}`
					}
					begin := time.Now()
					err := call(t.Context())
					if err == nil || autoretouch.ClassOf(err) != transient || time.Since(begin) > time.Minute {
						t.Errorf("%s: %v after %v", op, err, time.Since(begin))
					}
				}
			})
		})
	}
}

// dying is a login whose process ends as soon as it is saved, or before.
type dying struct {
	autoretouch.Credentials
	before bool
}

func (d dying) Save(t autoretouch.Token) error {
	if d.before {
		return errors.New("killed")
	}
	return errors.Join(d.Credentials.Save(t), errors.New("killed"))
}

// Wherever the process dies while a refresh token is rotated, the file holds one that counts: the old one until the new one is
// durable, the new one before anything is done with it.
func TestDeathDuringRotation(t *testing.T) {
	for name, before := range map[string]bool{"before the new one is saved": true, "after it": false} {
		file := autoretouch.File{Path: filepath.Join(t.TempDir(), "credentials.json")}
		if err := file.Save(autoretouch.Token{Refresh: "refresh-0"}); err != nil {
			t.Fatal(err)
		}
		w := &world{api: func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "7") }}
		rotated := 0
		w.token = func(rw http.ResponseWriter, r *http.Request) {
			if given, now := r.FormValue("refresh_token"), fmt.Sprint("refresh-", rotated); given != now && !before {
				t.Errorf("%s: renewed with %s, want %s", name, given, now)
			}
			rotated++
			w.grant(rw, fmt.Sprint("access-", rotated), fmt.Sprint("refresh-", rotated))
		}
		o := options(w)
		o.Credentials = dying{&file, before}
		if _, err := newClient(t, o).Balance(t.Context()); err == nil || w.calls != 0 {
			t.Errorf("%s: %v; the new token was used %d times before it was safe", name, err, w.calls)
		}
		want := map[bool]string{true: "refresh-0", false: "refresh-1"}[before]
		if saved, err := file.Load(); saved.Refresh != want || err != nil {
			t.Errorf("%s: there is %+v, %v; want %s", name, saved, err, want)
		}
		o.Credentials = &autoretouch.File{Path: file.Path} // the restart
		if n, err := newClient(t, o).Balance(t.Context()); n != 7 || err != nil {
			t.Errorf("%s: after the restart: %v", name, err)
		}
	}
}
