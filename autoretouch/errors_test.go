package autoretouch_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/autoretouch"
)

const (
	transient = autoretouch.Transient
	auth      = autoretouch.Auth
	config    = autoretouch.Config
	input     = autoretouch.Input
)

func TestClassOfEveryStatus(t *testing.T) {
	type classes struct{ refused, missing autoretouch.Class }
	byCall := map[string]classes{
		"list organizations": {transient, config}, "get organization": {transient, config}, "list workflows": {transient, config},
		"get workflow": {transient, config}, "get balance": {transient, config}, "list executions": {transient, config},
		"look up image": {transient, transient}, "upload": {input, config}, "create execution": {input, config},
		"get execution": {transient, transient}, "download result": {transient, transient},
		"retry execution": {transient, transient}, "send feedback": {input, transient},
	}
	for _, status := range []int{302, 400, 402, 403, 404, 405, 408, 409, 413, 415, 418, 422, 425, 429, 499, 500, 502, 503, 504} {
		c := newClient(t, options(&world{api: func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead && status == 404 {
				return // Create asks whether the picture is there: it is
			}
			w.WriteHeader(status)
			io.WriteString(w, `{"message":"So it is."}`)
		}}))
		for op, call := range everyCall(c) {
			if op == "look up image" && status == 404 {
				continue // not an error, see TestHasImage
			}
			want := transient
			switch status {
			case 400, 413, 415, 422:
				want = byCall[op].refused
			case 403:
				want = config
			case 404:
				want = byCall[op].missing
			}
			err := call(t.Context())
			var e *autoretouch.Error
			if !errors.As(err, &e) || e.Class != want || e.Status != status || e.Op != op {
				t.Errorf("%s, %d: %v (%+v), want class %v", op, status, err, e, want)
			}
			if got := errors.Is(err, autoretouch.ErrNotFound); got != (status == 404) {
				t.Errorf("%s, %d: ErrNotFound %v", op, status, got)
			}
		}
	}
}

func TestMaybeHandled(t *testing.T) {
	for status, want := range map[int]bool{
		400: false, 403: false, 404: false, 405: false, 413: false, 422: false,
		302: true, 402: true, 408: true, 409: true, 425: true, 429: true, 499: true, 500: true, 502: true, 503: true, 504: true,
	} {
		_, err := answering(t, status, "").Create(t.Context(), autoretouch.NewExecution{Workflow: "w", ContentHash: hash})
		if got := autoretouch.MaybeHandled(err); got != want {
			t.Errorf("%d: %v, want %v", status, got, want)
		}
	}
	for name, body := range map[string]string{"no id": "", "page": "<html>Log in</html>", "JSON": `{"id":"x"}`, "long": strings.Repeat("x", 2000)} {
		_, err := answering(t, 201, body).Create(t.Context(), autoretouch.NewExecution{Workflow: "w"})
		if err == nil || !autoretouch.MaybeHandled(err) || autoretouch.ClassOf(err) != transient {
			t.Errorf("%s: %v, maybe handled %v", name, err, autoretouch.MaybeHandled(err))
		}
	}
	if autoretouch.MaybeHandled(nil) {
		t.Error("no error: maybe handled")
	}
}

// On the network a refused connection proves that nothing was sent; one that breaks later proves nothing.
func TestMaybeHandledNetwork(t *testing.T) {
	create := func(url string) error {
		o := options(nil)
		o.URL, o.AuthURL = url, url
		o.Credentials = &memory{token: autoretouch.Token{Refresh: "r", Access: "a"}}
		_, err := newClient(t, o).Create(t.Context(), autoretouch.NewExecution{Workflow: "w"})
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := create("http://" + l.Addr().String()); autoretouch.MaybeHandled(err) || autoretouch.ClassOf(err) != transient {
		t.Errorf("refused connection: %v may have been handled", err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	if err := create(server.URL); !autoretouch.MaybeHandled(err) || autoretouch.ClassOf(err) != transient {
		t.Errorf("lost answer: %v was surely not handled", err)
	}
}

func TestMessages(t *testing.T) {
	for name, test := range map[string]struct{ body, want string }{
		"the API's":          {`{"status":422,"error":"Unprocessable","message":"Cannot be read"}`, "Cannot be read"},
		"error only":         {`{"error":"Not Found"}`, "Not Found"},
		"HTML":               {`<html><body>Forbidden</body></html>`, ""},
		"none":               {``, ""},
		"control characters": {`{"message":"a\u001b[31m\r\nLevel=error \u202e b"}`, "a [31m Level=error b"},
		"token in it":        {`{"message":"bad token access-1!"}`, "bad token …!"},
		"token, other case":  {`{"message":"see ACCESS-1.example"}`, "see ….example"},
		"long":               {`{"message":"` + strings.Repeat("ä", 1000) + `"}`, strings.Repeat("ä", 299) + "…"},
		"wrong type":         {`{"message":{"a":1},"error":7}`, "7"},
		"endless":            {`{"message":"` + strings.Repeat("a", 1<<20) + `"}`, ""},
	} {
		_, err := answering(t, 422, test.body).Balance(t.Context())
		var e *autoretouch.Error
		if !errors.As(err, &e) || e.Message != test.want {
			t.Errorf("%s: %v, want message %q", name, err, test.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for value, want := range map[string]time.Duration{
			"": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "-7": 0, "soon": 0, "7.5": 0,
			"999999": time.Hour, "99999999999999999999": 0,
			time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat): 90 * time.Second,
			time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat):       0,
			time.Now().Add(48 * time.Hour).UTC().Format(http.TimeFormat):   time.Hour,
		} {
			c := newClient(t, options(&world{api: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Retry-After", value)
				w.WriteHeader(429)
			}}))
			_, err := c.Balance(t.Context())
			if got := autoretouch.RetryAfter(err); got != want {
				t.Errorf("%q: %v, want %v", value, got, want)
			}
		}
	})
}

// A captive portal answers everything with 200 and its page: nothing is taken for an answer of the API.
func TestCaptivePortal(t *testing.T) {
	c := newClient(t, options(&world{api: func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<!doctype html><title>Welcome to the hotel</title>")
	}}))
	for op, call := range everyCall(c) {
		if err := call(t.Context()); err == nil || autoretouch.ClassOf(err) != transient {
			t.Errorf("%s: %v", op, err)
		}
	}
}

// An answer without end is not read without end, and neither is a refusal.
func TestHugeAnswers(t *testing.T) {
	var sent, status int
	nines := strings.Repeat("9", 32<<10)
	endless := readerFunc(func(p []byte) (int, error) {
		n := copy(p, nines)
		if sent += n; sent > 1<<30 {
			t.Fatal("read to the end")
		}
		return n, nil
	})
	o := options(roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, ContentLength: -1, Body: io.NopCloser(endless), Request: r}, nil
	}))
	o.Credentials = &memory{token: autoretouch.Token{Refresh: "r", Access: "a"}}
	c := newClient(t, o)
	for _, status = range []int{200, 402, 500} {
		for op, call := range everyCall(c) {
			if status == 200 && (op == "download result" || op == "look up image") {
				continue
			}
			sent = 0
			if err := call(t.Context()); err == nil || autoretouch.ClassOf(err) != transient || sent > 9<<20 {
				t.Errorf("%s, %d: %v after %d bytes", op, status, err, sent)
			}
		}
	}
}

func TestTimeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options(&world{api: func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }})
		o.Timeout = 10 * time.Second
		begin := time.Now()
		_, err := newClient(t, o).Balance(t.Context())
		within(t, begin, 10*time.Second, 0)
		if autoretouch.ClassOf(err) != transient || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if want := "get balance: no answer within 10s"; err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	})
}

// The caller's own end of a call is told from the server's trouble.
func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, options(&world{api: func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }}))
		for op, call := range everyCall(c) {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(errors.New("enough")) })
			if err := call(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", op, err)
			}
			ctx, stop := context.WithTimeout(t.Context(), time.Second)
			if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", op, err)
			}
			stop()
		}
	})
}

func TestRedirects(t *testing.T) {
	var leaked bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked = true }))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/elsewhere":
			io.WriteString(w, "7")
		case r.Method == http.MethodGet && r.URL.Path == "/v1/organization/balance":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case r.Method == http.MethodGet:
			http.Redirect(w, r, other.URL, http.StatusFound)
		default:
			http.Redirect(w, r, "/elsewhere", http.StatusFound) // would become a GET
		}
	}))
	defer server.Close()
	o := options(nil)
	o.URL, o.AuthURL = server.URL, server.URL
	o.Credentials = &memory{token: autoretouch.Token{Refresh: "r", Access: "a"}}
	c := newClient(t, o)
	if n, err := c.Balance(t.Context()); n != 7 || err != nil {
		t.Errorf("same host: %d, %v", n, err)
	}
	var e *autoretouch.Error
	if _, err := c.Workflows(t.Context()); !errors.As(err, &e) || e.Class != transient || e.Status != 302 ||
		e.Message != "redirected to "+strings.TrimPrefix(other.URL, "http://") {
		t.Errorf("other host: %v", err)
	}
	if _, err := c.Create(t.Context(), autoretouch.NewExecution{Workflow: "w"}); err == nil || !autoretouch.MaybeHandled(err) {
		t.Errorf("POST: %v", err)
	}
	if leaked {
		t.Error("the other host was called")
	}
}

func TestSkew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, options(&world{api: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(-5*time.Minute).UTC().Format(http.TimeFormat))
		}}))
		c.HasImage(t.Context(), hash)
		if got := c.Skew(); got != -5*time.Minute {
			t.Errorf("%v", got)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// What the network says is told in words, without the names of calls.
func TestNetworkErrorsInWords(t *testing.T) {
	dial := func(addr string, err error) error {
		at, _ := net.ResolveTCPAddr("tcp", addr)
		return &net.OpError{Op: "dial", Net: "tcp", Addr: at, Err: err}
	}
	for want, err := range map[string]error{
		"no connection to 127.0.0.1:1 (nobody home)": dial("127.0.0.1:1", os.NewSyscallError("connect", errors.New("nobody home"))),
		"no connection to 127.0.0.1:2 (i/o timeout)": dial("127.0.0.1:2", errors.New("i/o timeout")),
		"the address of api.test cannot be found":    &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "api.test"}},
		"the connection broke off (reset)":           &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", errors.New("reset"))},
		"the connection broke off":                   io.ErrUnexpectedEOF,
		"the server does not speak TLS":              tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"},
		"the server's certificate, issued by \"Studio Proxy\", is not trusted here; if a proxy opens TLS, set api.ca_file": x509.UnknownAuthorityError{
			Cert: &x509.Certificate{Issuer: pkix.Name{CommonName: "Studio Proxy"}},
		},
		"the server's certificate is not valid (too old); is this machine's clock right?": &tls.CertificateVerificationError{Err: errors.New("too old")},
	} {
		o := options(roundTrip(func(*http.Request) (*http.Response, error) { return nil, err }))
		o.Credentials = &memory{token: autoretouch.Token{Refresh: "r", Access: "a"}}
		if _, got := newClient(t, o).Balance(t.Context()); errorText(got) != "get balance: "+want || !errors.Is(got, err) && want != "the server does not speak TLS" {
			t.Errorf("got  %v\nwant %s", got, want)
		}
		o.Credentials = &memory{token: autoretouch.Token{Refresh: "r"}} // by the auth server, too
		if _, got := newClient(t, o).Balance(t.Context()); errorText(got) != "get balance: renew login: "+want {
			t.Errorf("got  %v\nwant %s", got, want)
		}
	}
}
