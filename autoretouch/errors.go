package autoretouch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Class says what to do about an error.
type Class int

const (
	Transient Class = iota // try again later; nothing is lost
	Auth                   // pause everything until a person logs in
	Config                 // pause the hot folder: an id or a right in the configuration is wrong
	Input                  // fail this one picture, the others go on
)

func (c Class) String() string {
	switch c {
	case Auth:
		return "auth"
	case Config:
		return "config"
	case Input:
		return "input"
	}
	return "transient"
}

var (
	// ErrNotFound is in the chain of every error that comes from a 404 of the API.
	ErrNotFound = errors.New("not found")
	// ErrNoImage is in the chain of Create's error when the API does not hold the picture: upload it (again).
	ErrNoImage = errors.New("the picture is not uploaded")
	// ErrNoLogin is in the chain of every call's error while there are no credentials. Its class is Auth.
	ErrNoLogin = errors.New("not logged in")
	// ErrRefused is in the chain of WaitForLogin's error when the person refused. Its class is Auth.
	ErrRefused = errors.New("the login was refused")
	// ErrExpired is in the chain of WaitForLogin's error when nobody confirmed in time. Its class is Auth.
	ErrExpired = errors.New("nobody confirmed the login in time")
	// ErrNotRevoked is in the chain of Logout's error when the login is forgotten here and the auth server may not know.
	ErrNotRevoked = errors.New("the login could not be revoked")
	// ErrSize is in the chain of Upload's error when the body is not as long as was said: the file changed.
	ErrSize = errors.New("the file's size changed while it was read")
)

// Error is the failure of one call; every call's error has one in its chain. When the caller's context ended the call,
// the context's error is in the chain, too, and only then.
type Error struct {
	Class      Class
	Op         string        // what was being done: "create execution"
	Status     int           // of the answer; 0: there was none
	Message    string        // the API's, one line of printable text, at most 300 characters
	RetryAfter time.Duration // how long the API asks to wait; 0: it does not say; at most an hour
	Err        error

	unhandled bool // the request surely had no effect
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Status != 0 {
		fmt.Fprintf(&b, ": HTTP %d", e.Status)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Err != nil && (e.Status == 0 || e.Message == "") {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// ClassOf is the class of the first Error in err's chain. What is not ours (network, disk, time-out) is Transient.
func ClassOf(err error) Class {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return Transient
}

// RetryAfter is how long the API asked to wait before the next attempt; 0: it did not say.
func RetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// MaybeHandled reports whether the call that failed with err may have had its effect all the same. It is false only when
// the request never left this machine or the API refused it; a Create that may have been handled may have been charged.
func MaybeHandled(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return err != nil && !(ok && e.unhandled)
}

// tooSlow is the cause with which the client's own time-outs end a call.
type tooSlow string

func (t tooSlow) Error() string { return string(t) }

func noAnswer(within time.Duration) tooSlow {
	return tooSlow(fmt.Sprintf("no answer within %v", within))
}

// failed is a call without a whole answer. The client's own time-outs do not look like an ended context.
func (r request) failed(ctx context.Context, err error) *Error {
	return &Error{Class: ClassOf(err), Op: r.op, RetryAfter: RetryAfter(err), Err: reason(ctx, err)}
}

// unsent is a call that failed before anything was sent.
func (r request) unsent(ctx context.Context, err error) *Error {
	e := r.failed(ctx, err)
	e.unhandled = true
	return e
}

// unreadable is a 2xx answer that is not the API's. Something between may have made it up.
func (r request) unreadable(what string) *Error {
	return &Error{Op: r.op, Err: fmt.Errorf("the answer is not %s; is a proxy or a login page in between?", what)}
}

// isPage tells a captive portal's page from an answer of which nothing else can be checked.
func isPage(resp *http.Response) bool {
	return strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html")
}

// reason is why a call failed: the caller's context, the client's own time-out, or else err without the address, which
// the operation already tells.
func reason(ctx context.Context, err error) error {
	if slow, ok := context.Cause(ctx).(tooSlow); ok {
		return slow
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return inWords(err)
}

// network is an error of the network in words for people.
type network struct {
	text string
	error
}

func (n *network) Error() string { return n.text }
func (n *network) Unwrap() error { return n.error }

func inWords(err error) error {
	say := func(format string, args ...any) error { return &network{fmt.Sprintf(format, args...), err} }
	if _, ok := errors.AsType[*network](err); ok {
		return err
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return say("the address of %s cannot be found", dns.Name)
	}
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok && unknown.Cert != nil {
		return say("the server's certificate, issued by %q, is not trusted here; if a proxy opens TLS, set api.ca_file", clean(unknown.Cert.Issuer.CommonName, ""))
	}
	if wrong, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return say("the server's certificate is not valid (%v); is this machine's clock right?", wrong.Err)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return say("the server does not speak TLS")
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" && op.Addr != nil {
		return say("no connection to %v (%v)", op.Addr, root(op))
	} else if ok {
		return say("the connection broke off (%v)", root(op))
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return say("the connection broke off")
	}
	return err
}

func root(op *net.OpError) error {
	if s, ok := errors.AsType[*os.SyscallError](op); ok {
		return s.Err
	}
	return op.Err
}

// answered is a call that the API, or something between, answered with other than 2xx.
func (r request) answered(resp *http.Response, secret string) *Error {
	e := &Error{
		Class:      r.class(resp.StatusCode),
		Op:         r.op,
		Status:     resp.StatusCode,
		Message:    message(resp, secret),
		RetryAfter: retryAfter(resp.Header.Get("Retry-After")),
		unhandled:  surelyRefused(resp.StatusCode),
	}
	if e.Status == http.StatusNotFound {
		e.Err = ErrNotFound
	}
	return e
}

// class follows API.md's table of classes. The statuses that it does not name lose nothing as Transient: a redirect to
// a login page, 402 (credits come back), 405 and the like from a proxy.
func (r request) class(status int) Class {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType:
		return r.refused
	case http.StatusUnauthorized:
		return Auth
	case http.StatusForbidden:
		return Config
	case http.StatusNotFound:
		return r.missing
	}
	return Transient
}

// surelyRefused reports whether nothing was done. 408, 409, 425, 429 and what is not known may come from something
// between after the API has begun.
func surelyRefused(status int) bool {
	switch status {
	case 400, 401, 403, 404, 405, 411, 413, 414, 415, 422, 431:
		return true
	}
	return false
}

func unauthorized(err error) bool { return status(err) == http.StatusUnauthorized }
func notFound(err error) bool     { return status(err) == http.StatusNotFound }

func status(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	return 0
}

// message is what the answer says for a person. A page of a proxy says nothing.
func message(resp *http.Response, secret string) string {
	if resp.StatusCode/100 == 3 {
		return "redirected to " + clean(redirectHost(resp), secret)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return ""
	}
	var answer object
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	for _, key := range []string{"message", "error_description", "error"} {
		if text := clean(answer.text(key), secret); text != "" {
			return text
		}
	}
	return ""
}

func redirectHost(resp *http.Response) string {
	if u, err := resp.Location(); err == nil {
		return u.Host
	}
	return "nowhere"
}

// clean makes one printable line of at most 300 characters of outside text and takes the secret out of it.
func clean(text, secret string) string {
	if secret != "" {
		text = without(text, secret)
	}
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > 300 {
		return string(runes[:299]) + "…"
	}
	return string(runes)
}

// without takes the secret out of a text, in whatever case: a host's name has it in lower case.
func without(text, secret string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		if end := i + len(secret); end <= len(text) && strings.EqualFold(text[i:end], secret) {
			b.WriteString("…")
			i = end
		} else {
			b.WriteByte(text[i])
			i++
		}
	}
	return b.String()
}

// retryAfter reads seconds or an HTTP date (RFC 9110, 10.2.3).
func retryAfter(value string) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.ParseUint(strings.TrimSpace(value), 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(value); err == nil {
		wait = time.Until(date)
	}
	return min(max(wait, 0), time.Hour)
}
