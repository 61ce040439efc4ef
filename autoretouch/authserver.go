package autoretouch

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

// authTransport bounds the time and the answer of each call of the auth server, which x/oauth2 does not (its device call
// does not even take the context).
type authTransport struct {
	http.RoundTripper
	ctx       context.Context
	timeout   time.Duration
	userAgent string
}

// context makes x/oauth2 call the auth server through t under ctx.
func (t authTransport) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, t.client(ctx))
}

func (t authTransport) client(ctx context.Context) *http.Client {
	t.ctx = ctx
	return &http.Client{Transport: t, CheckRedirect: sameHost}
}

func (t authTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(t.ctx, t.timeout, noAnswer(t.timeout))
	defer cancel()
	req = req.Clone(ctx)
	req.Header.Set("User-Agent", t.userAgent)
	resp, err := t.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, reason(ctx, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAuthAnswer+1))
	if err == nil && len(b) > maxAuthAnswer {
		err = fmt.Errorf("answer longer than %d bytes", maxAuthAnswer)
	}
	if string(bytes.TrimSpace(b)) == "null" { // on which x/oauth2 v0.37.0 panics (deviceauth.go, retrieveDeviceAuth)
		err = errors.New("empty answer")
	}
	if err != nil {
		return nil, reason(ctx, err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(b))
	return resp, nil
}

const maxAuthAnswer = 64 << 10 // bytes

var errRevoked = errors.New("the login was revoked or has expired")

// authError is what a failed grant means. Of the answer it keeps the OAuth error alone: the rest may hold tokens.
func authError(ctx context.Context, op string, err error, secret string) *Error {
	answer, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return request{op: op}.failed(ctx, err)
	}
	e := &Error{
		Class:      oauthClass(answer.ErrorCode),
		Op:         op,
		Status:     answer.Response.StatusCode,
		Message:    clean(cmp.Or(answer.ErrorDescription, answer.ErrorCode), secret),
		RetryAfter: retryAfter(answer.Response.Header.Get("Retry-After")),
	}
	switch answer.ErrorCode {
	case "invalid_grant":
		e.Err = errRevoked
	case "access_denied":
		e.Err = ErrRefused
	case "expired_token":
		e.Err = ErrExpired
	}
	return e
}

// oauthClass follows RFC 6749, 5.2 and RFC 8628, 3.5. What is no OAuth error comes from something between: Transient.
func oauthClass(code string) Class {
	switch code {
	case "invalid_grant", "access_denied", "expired_token":
		return Auth
	case "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_request", "invalid_scope":
		return Config
	}
	return Transient
}
