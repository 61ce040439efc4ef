package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

// InProcess carries requests to the handler without a socket, so that it works in a testing/synctest bubble. It behaves like
// http.Transport: bodies stream both ways, a context that ends breaks the call off, faults of the connection are errors, an
// answer comes as soon as the handler has sent more than a few kilobytes or is done. Any host will do. It adds nothing to a
// request, not even a User-Agent, and does not follow environment proxies.
func (s *Server) InProcess() http.RoundTripper { return inProcess{s} }

type inProcess struct{ server *Server }

// errDropped is what a broken connection looks like: net/http says EOF, too.
var errDropped = fmt.Errorf("sandbox: connection broken: %w", io.EOF)

func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	r, err := arrived(ctx, req)
	if err != nil {
		cancel(err)
		closeBody(req)
		return nil, err
	}
	w, body := newReply(req, cancel), r.Body // the handler may put another in its place
	err = t.server.spawn(func() {
		stopWithServer := context.AfterFunc(t.server.ctx, func() { cancel(errClosed) })
		stopWithCtx := context.AfterFunc(ctx, func() {
			body.Close()
			w.pipe.CloseWithError(context.Cause(ctx))
		})
		defer func() {
			stopWithCtx()
			stopWithServer()
			cancel(nil)
			body.Close()
		}()
		w.finish(serve(t.server.handler, w, r))
	})
	if err != nil {
		cancel(err)
		closeBody(req)
		return nil, err
	}
	select {
	case a := <-w.answer:
		return a.resp, a.err
	case <-req.Context().Done():
		return nil, context.Cause(req.Context())
	}
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// serve runs the handler and tells whether it came to its end instead of breaking the connection.
func serve(h http.Handler, w http.ResponseWriter, r *http.Request) (whole bool) {
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			panic(p)
		}
	}()
	h.ServeHTTP(w, r)
	return true
}

// arrived is the request as a server sees it that has read it from the wire.
func arrived(ctx context.Context, req *http.Request) (*http.Request, error) {
	u, err := url.ParseRequestURI(req.URL.RequestURI())
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	r := req.Clone(ctx)
	r.URL, r.RequestURI, r.RemoteAddr = u, req.URL.RequestURI(), loopback
	if r.Host == "" {
		r.Host = req.URL.Host
	}
	if req.Body == nil || req.Body == http.NoBody {
		r.Body, r.ContentLength = http.NoBody, 0
		return r, nil
	}
	if r.ContentLength == 0 {
		r.ContentLength = -1
	}
	r.Body = &requestBody{ReadCloser: req.Body, ctx: ctx, declared: r.ContentLength}
	return r, nil
}

const loopback = "127.0.0.1:0"

// requestBody is closed once, ends with its context and holds the declared length.
type requestBody struct {
	io.ReadCloser
	ctx      context.Context
	declared int64 // -1: not known
	read     int64
	once     sync.Once
}

func (b *requestBody) Read(p []byte) (int, error) {
	if b.ctx.Err() != nil {
		return 0, context.Cause(b.ctx)
	}
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	if b.declared >= 0 && (b.read > b.declared || errors.Is(err, io.EOF) && b.read < b.declared) {
		return n, fmt.Errorf("sandbox: request with ContentLength %d and %d bytes of body: %w", b.declared, b.read, io.ErrUnexpectedEOF)
	}
	return n, err
}

func (b *requestBody) Close() (err error) {
	b.once.Do(func() { err = b.ReadCloser.Close() })
	return err
}

// heldBack is how much of an answer waits for more before it is sent, as in net/http.
const heldBack = 4 << 10

// reply is the ResponseWriter of one call in process.
type reply struct {
	req    *http.Request
	header http.Header
	status int
	sent   http.Header // the header as it was when the status was written
	held   []byte
	length int64 // declared; -1: not
	size   int64 // written
	begun  bool  // the response is out, what follows goes through the pipe
	pipe   *io.PipeWriter
	body   io.ReadCloser
	answer chan answer
}

type answer struct {
	resp *http.Response
	err  error
}

func newReply(req *http.Request, cancel context.CancelCauseFunc) *reply {
	pr, pw := io.Pipe()
	return &reply{
		req: req, header: http.Header{}, length: -1, pipe: pw,
		body:   answerBody{pr, cancel},
		answer: make(chan answer, 1),
	}
}

// answerBody ends the call when the client closes it.
type answerBody struct {
	*io.PipeReader
	cancel context.CancelCauseFunc
}

func (b answerBody) Close() error {
	b.cancel(errors.New("the client closed the answer's body"))
	return b.PipeReader.Close()
}

func (w *reply) Header() http.Header { return w.header }

func (w *reply) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status, w.sent = status, w.header.Clone()
	if n, err := strconv.ParseInt(w.sent.Get("Content-Length"), 10, 64); err == nil {
		w.length = n
	}
}

func (w *reply) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.length >= 0 && w.size+int64(len(p)) > w.length {
		return 0, http.ErrContentLength
	}
	w.size += int64(len(p))
	if w.req.Method == http.MethodHead {
		return len(p), nil
	}
	if !w.begun && len(w.held)+len(p) <= heldBack {
		w.held = append(w.held, p...)
		return len(p), nil
	}
	if err := w.FlushError(); err != nil {
		return 0, err
	}
	return w.pipe.Write(p)
}

// FlushError sends what is held back; it is found by http.ResponseController.
func (w *reply) FlushError() error {
	w.WriteHeader(http.StatusOK)
	if !w.begun {
		w.begun = true
		w.respond(w.body)
	}
	held := w.held
	w.held = nil
	if len(held) == 0 {
		return nil
	}
	_, err := w.pipe.Write(held)
	return err
}

// finish sends the rest, or breaks the connection when the handler did or wrote less than it had declared.
func (w *reply) finish(whole bool) {
	if whole {
		w.WriteHeader(http.StatusOK)
	}
	short := w.length > w.size && w.req.Method != http.MethodHead
	switch {
	case !w.begun && !whole:
		w.answer <- answer{err: w.brokenBy(errDropped)}
	case !w.begun && !short:
		if w.length < 0 && w.req.Method != http.MethodHead {
			w.length = w.size
		}
		w.respond(io.NopCloser(strings.NewReader(string(w.held))))
	case !whole || short:
		_ = w.FlushError()
		w.pipe.CloseWithError(w.brokenBy(io.ErrUnexpectedEOF))
	default:
		w.pipe.Close()
	}
}

// brokenBy returns the error of a broken connection: the client's own reason, if it is the one who gave up.
func (w *reply) brokenBy(err error) error {
	return cmp.Or(context.Cause(w.req.Context()), err)
}

func (w *reply) respond(body io.ReadCloser) {
	w.answer <- answer{resp: &http.Response{
		Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: body, ContentLength: w.length, Request: w.req,
	}}
}
