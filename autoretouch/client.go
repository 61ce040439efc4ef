// Package autoretouch is the client of the AutoRetouch API.
//
// Every method is one attempt: the only thing repeated is a call whose access token was refused, once, with a renewed
// one. Nothing here waits and tries again; the caller does, guided by ClassOf, RetryAfter and, after Create, MaybeHandled.
//
// Read client.go (how a call is made) and errors.go (what its failure means), then the calls: account.go, images.go with
// upload.go and stall.go (bodies that stream), executions.go, webhook.go, and json.go (reading answers that are not as described);
// then who calls: token.go, authserver.go, login.go, credentials.go.
package autoretouch

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Options say where the API is and who calls it. URL, AuthURL, ClientID and Credentials are required.
type Options struct {
	URL          string // of the API, without /v1
	AuthURL      string // of the auth server
	ClientID     string
	Organization string // sent with every call
	UserAgent    string

	Timeout    time.Duration // of a whole call without a picture; 0: 60 s
	Stall      time.Duration // an upload or download of which no byte moved for this long ends; 0: 60 s
	MaxResult  int64         // bytes; a longer result is refused; 0: 2 GiB
	UploadRate int64         // bytes/s over all uploads; 0: no limit

	Credentials Credentials
	CAFile      string            // PEM certificates trusted besides the system's
	Transport   http.RoundTripper // nil: over the network, through the proxy that the environment names
}

// Client calls the API. It is safe for concurrent use.
type Client struct {
	url          string
	organization string
	userAgent    string
	timeout      time.Duration
	stall        time.Duration
	maxResult    int64
	uploads      *rate.Limiter // nil: no limit

	http *http.Client
	auth *auth
	skew atomic.Int64
}

// New makes a client; it calls nothing yet.
func New(o Options) (*Client, error) {
	for _, u := range []string{o.URL, o.AuthURL} {
		if err := checkURL(u); err != nil {
			return nil, err
		}
	}
	if o.ClientID == "" || o.Credentials == nil {
		return nil, errors.New("autoretouch: client id and credentials are required")
	}
	transport := o.Transport
	if transport == nil {
		var err error
		if transport, err = NewTransport(o.CAFile); err != nil {
			return nil, err
		}
	}
	timeout, userAgent := cmp.Or(o.Timeout, time.Minute), cmp.Or(o.UserAgent, "hotfolder")
	return &Client{
		url:          strings.TrimRight(o.URL, "/"),
		organization: o.Organization,
		userAgent:    userAgent,
		timeout:      timeout,
		stall:        cmp.Or(o.Stall, time.Minute),
		maxResult:    cmp.Or(o.MaxResult, 2<<30),
		uploads:      newLimiter(o.UploadRate),
		http:         &http.Client{Transport: transport, CheckRedirect: sameHost},
		auth:         newAuth(o, authTransport{RoundTripper: transport, timeout: timeout, userAgent: userAgent}),
	}, nil
}

// Close ends a token refresh under way and closes idle connections. Calls must have returned before.
func (c *Client) Close() {
	c.auth.close()
	c.http.CloseIdleConnections()
}

// Skew is how far the API's clock was ahead of this machine's at the last answer, to about a second; 0 before the first.
func (c *Client) Skew() time.Duration { return time.Duration(c.skew.Load()) }

func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.RawQuery != "" {
		return fmt.Errorf("autoretouch: %q is not an http(s) address", s)
	}
	return nil
}

// request is one call as data.
type request struct {
	op     string // for errors: "create execution"
	method string
	path   string // below the API's URL, escaped
	query  url.Values
	body   *payload // nil: none
	once   bool     // a call that was given up must not reach the API any more

	refused Class // what 400 and 422 mean
	missing Class // what 404 means
}

// payload is a body that can be opened again when the first attempt met a 401.
type payload struct {
	contentType string
	length      int64
	open        func() (io.ReadCloser, error)
}

func jsonPayload(v any) (*payload, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
	return &payload{"application/json", int64(len(b)), open}, nil
}

func (p *payload) attach(req *http.Request) (err error) {
	req.Body, err = p.open()
	req.ContentLength = p.length
	req.Header.Set("Content-Type", p.contentType)
	return err
}

// ask makes a call without a picture within the time-out and returns its answer, at most limit bytes.
func (c *Client) ask(ctx context.Context, r request, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, noAnswer(c.timeout))
	defer cancel()
	resp, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	return r.read(ctx, resp, limit)
}

// do makes the call and, if its access token is refused, makes it once more with a renewed one. The answer is 2xx, its
// body still to be read and closed.
func (c *Client) do(ctx context.Context, r request) (*http.Response, error) {
	token, err := c.auth.access(ctx)
	if err != nil {
		return nil, r.unsent(ctx, err)
	}
	resp, err := c.send(ctx, r, token)
	if !unauthorized(err) {
		return resp, err
	}
	c.auth.refuse(token)
	if token, err = c.auth.renew(ctx, token); err != nil {
		return nil, r.unsent(ctx, err)
	}
	resp, err = c.send(ctx, r, token)
	if unauthorized(err) {
		c.auth.refuse(token)
	}
	return resp, err
}

func (c *Client) send(ctx context.Context, r request, token string) (*http.Response, error) {
	var sent connection
	req, err := c.newRequest(httptrace.WithClientTrace(ctx, sent.trace()), r, token)
	if err != nil {
		return nil, r.unsent(ctx, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		e := r.failed(ctx, err)
		e.unhandled = sent.never()
		if r.once {
			sent.cut()
		}
		return nil, e
	}
	c.noteClock(resp)
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer drain(resp.Body)
	return nil, r.answered(resp, token)
}

func (c *Client) newRequest(ctx context.Context, r request, token string) (*http.Request, error) {
	query := url.Values{}
	for k, v := range r.query {
		query[k] = v
	}
	if c.organization != "" {
		query.Set("organization", c.organization)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.url+r.path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	if r.body != nil {
		if err := r.body.attach(req); err != nil {
			return nil, err
		}
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("User-Agent", c.userAgent)
	return req, nil
}

// read reads a whole answer of at most limit bytes.
func (r request) read(ctx context.Context, resp *http.Response, limit int64) ([]byte, error) {
	defer drain(resp.Body)
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("answer longer than %d bytes", limit)
	}
	if err != nil {
		e := r.failed(ctx, err)
		e.Status = resp.StatusCode
		return nil, e
	}
	return b, nil
}

// drain reads a little of what is left, so that the connection can be used again, and closes.
func drain(body io.ReadCloser) {
	io.CopyN(io.Discard, body, 4<<10)
	body.Close()
}

func (c *Client) noteClock(resp *http.Response) {
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		c.skew.Store(int64(time.Until(date).Round(time.Second)))
	}
}

// connection tells whether a request can have reached the server. A transport that does not trace leaves it unknown.
type connection struct {
	asked atomic.Bool
	got   atomic.Pointer[net.Conn]
}

func (c *connection) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { c.asked.Store(true) },
		GotConn: func(i httptrace.GotConnInfo) { c.got.Store(&i.Conn) },
	}
}

func (c *connection) never() bool { return c.asked.Load() && c.got.Load() == nil }

// cut closes the connection, see dial. HTTP/2 only tells the server that a call was given up, behind the call itself; the other calls on the
// connection break off, too.
func (c *connection) cut() {
	got := c.got.Load()
	if got == nil {
		return
	}
	conn := *got
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn() // without the farewell that TLS would wait to send
	}
	conn.Close()
}
