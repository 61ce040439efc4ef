package autoretouch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

const audience = "https://api.autoretouch.com"

// DeviceCode is what a person confirms at URL to log this machine in (RFC 8628).
type DeviceCode struct {
	UserCode    string
	URL         string
	CompleteURL string // has the code in it; may be empty
	Expiry      time.Time

	answer *oauth2.DeviceAuthResponse
}

// DeviceCode begins a login.
func (c *Client) DeviceCode(ctx context.Context) (DeviceCode, error) {
	const op = "begin login"
	answer, err := c.auth.config.DeviceAuth(c.auth.http.context(ctx), oauth2.SetAuthURLParam("audience", audience))
	if err != nil {
		return DeviceCode{}, authError(ctx, op, err, "")
	}
	if answer.DeviceCode == "" || answer.UserCode == "" || !isWebAddress(answer.VerificationURI) {
		return DeviceCode{}, &Error{Op: op, Err: errors.New("the answer is not a device code")}
	}
	if !isWebAddress(answer.VerificationURIComplete) {
		answer.VerificationURIComplete = ""
	}
	answer.Interval = min(max(answer.Interval, 1), 60)
	if latest := time.Now().Add(time.Hour); answer.Expiry.IsZero() || answer.Expiry.After(latest) {
		answer.Expiry = latest
	}
	return DeviceCode{
		UserCode: clean(answer.UserCode, ""), URL: answer.VerificationURI, CompleteURL: answer.VerificationURIComplete,
		Expiry: answer.Expiry, answer: answer,
	}, nil
}

// isWebAddress keeps what is shown to a person and handed to a browser to what a browser should open.
func isWebAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && s == clean(s, "")
}

// WaitForLogin polls until the person has confirmed, and saves the login. It outlasts trouble of the network; it ends
// with class Auth when the person refuses or the code expires.
func (c *Client) WaitForLogin(ctx context.Context, code DeviceCode) error {
	const op = "log in"
	for {
		// Each round begins with a pause of the interval.
		t, err := c.auth.config.DeviceAccessToken(c.auth.http.context(ctx), code.answer)
		if err == nil {
			return c.keep(op, tokenOf(t))
		}
		if ctx.Err() == nil && !time.Now().Before(code.Expiry) {
			return &Error{Class: Auth, Op: op, Err: ErrExpired}
		}
		failure := authError(ctx, op, err, code.answer.DeviceCode)
		if ctx.Err() != nil || failure.Class != Transient {
			return failure
		}
		code.answer.Interval = min(code.answer.Interval+5, 60) // RFC 8628, 3.5: back off when the network fails
	}
}

// LoginWithRefreshToken logs in with the token that the web app's profile page shows. It is tried before it is saved.
func (c *Client) LoginWithRefreshToken(ctx context.Context, refresh string) error {
	refresh = strings.TrimSpace(refresh)
	if refresh == "" {
		return &Error{Class: Auth, Op: "log in", Err: errors.New("the refresh token is empty")}
	}
	t, err := c.auth.grant(ctx, refresh)
	if err != nil {
		return err
	}
	return c.keep("log in", t)
}

func (c *Client) keep(op string, t Token) error {
	if t.Refresh == "" {
		return &Error{Op: op, Err: errors.New("the answer has no refresh token")}
	}
	return c.auth.keep(t)
}

// Logout revokes the login and forgets it, the latter even if the former fails (ErrNotRevoked). Without a login it does nothing.
func (c *Client) Logout(ctx context.Context) error {
	t, err := c.auth.saved.Load()
	if errors.Is(err, ErrNoLogin) {
		return nil
	}
	if err == nil {
		err = c.revoke(ctx, t.Refresh)
	}
	if err := c.auth.saved.Forget(); err != nil {
		return &Error{Op: "forget login", Err: err}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotRevoked, err)
	}
	return nil
}

func (c *Client) revoke(ctx context.Context, refresh string) error {
	r := request{op: "revoke login"}
	body, err := jsonPayload(map[string]string{"client_id": c.auth.config.ClientID, "token": refresh})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.auth.url+"/oauth/revoke", nil)
	if err != nil {
		return fmt.Errorf("revoke login: %w", err)
	}
	body.attach(req)
	resp, err := c.auth.http.client(ctx).Do(req)
	if err != nil {
		return r.failed(ctx, err)
	}
	if resp.StatusCode/100 != 2 {
		return r.answered(resp, refresh)
	}
	return nil
}
