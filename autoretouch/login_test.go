package autoretouch_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/autoretouch"
)

// authServer answers the device flow: step by step what answers says, each a status and a body.
func authServer(t *testing.T, device string, answers ...any) roundTrip {
	w := &world{valid: "a"}
	return func(r *http.Request) (*http.Response, error) {
		status, body := 200, device
		switch r.URL.Path {
		case "/oauth/device/code":
			if got := r.FormValue("client_id") + " " + r.FormValue("scope") + " " + r.FormValue("audience"); got != "client offline_access https://api.autoretouch.com" {
				t.Errorf("device code asked with %q", got)
			}
		case "/oauth/token":
			if r.FormValue("device_code") != "device-secret" || r.FormValue("grant_type") != "urn:ietf:params:oauth:grant-type:device_code" {
				t.Errorf("token asked with %v", r.Form)
			}
			if len(answers) == 0 {
				t.Fatal("asked too often")
			}
			answer := answers[0]
			answers = answers[1:]
			switch answer := answer.(type) {
			case error:
				return nil, answer
			case string:
				if status, body = 403, answer; strings.Contains(answer, "access_token") {
					status = 200
				}
			}
		default:
			return w.RoundTrip(r)
		}
		header := http.Header{"Content-Type": {"application/json"}}
		return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
}

const (
	device  = `{"device_code":"device-secret","user_code":"ABCD-EFGH","verification_uri":"https://auth.test/activate","verification_uri_complete":"https://auth.test/activate?c=1","expires_in":900,"interval":5}`
	pending = `{"error":"authorization_pending"}`
	slower  = `{"error":"slow_down"}`
	granted = `{"access_token":"a","refresh_token":"r","expires_in":86400,"token_type":"Bearer"}`
)

func TestDeviceLogin(t *testing.T) {
	broken := errors.New("connection reset")
	for name, test := range map[string]struct {
		answers []any
		took    time.Duration
		class   autoretouch.Class
		failed  bool
	}{
		"confirmed":       {answers: []any{pending, pending, granted}, took: 15 * time.Second},
		"slow down":       {answers: []any{slower, pending, granted}, took: (5 + 10 + 10) * time.Second},
		"network trouble": {answers: []any{pending, broken, `<html>Proxy`, granted}, took: (5 + 5 + 10 + 15) * time.Second},
		"invalid grant":   {answers: []any{`{"error":"invalid_grant"}`}, took: 5 * time.Second, class: auth, failed: true},
		"refused":         {answers: []any{pending, `{"error":"access_denied","error_description":"device-secret"}`}, took: 10 * time.Second, class: auth, failed: true},
		"expired":         {answers: []any{`{"error":"expired_token"}`}, took: 5 * time.Second, class: auth, failed: true},
		"wrong client":    {answers: []any{`{"error":"invalid_client"}`}, took: 5 * time.Second, class: config, failed: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := options(authServer(t, device, test.answers...))
				login := &memory{}
				o.Credentials = login
				c := newClient(t, o)
				code, err := c.DeviceCode(t.Context())
				if err != nil || code.UserCode != "ABCD-EFGH" || code.URL != "https://auth.test/activate" ||
					code.CompleteURL != "https://auth.test/activate?c=1" || time.Until(code.Expiry) != 900*time.Second {
					t.Fatalf("%+v, %v", code, err)
				}
				begin := time.Now()
				err = c.WaitForLogin(t.Context(), code)
				within(t, begin, test.took, 0)
				if (err != nil) != test.failed || autoretouch.ClassOf(err) != test.class || strings.Contains(errorText(err), "device-secret") {
					t.Errorf("%v", err)
				}
				if errors.Is(err, autoretouch.ErrRefused) != (name == "refused") || errors.Is(err, autoretouch.ErrExpired) != (name == "expired") {
					t.Errorf("told as %v", err)
				}
				if (login.token.Refresh == "r" && login.token.Access == "a") == test.failed {
					t.Errorf("saved %+v", login.token)
				}
			})
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestDeviceLoginEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := make([]any, 1000)
		for i := range never {
			never[i] = pending
		}
		c := newClient(t, options(authServer(t, device, never...)))
		code, err := c.DeviceCode(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := c.WaitForLogin(ctx, code); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("given up: %v", err)
		}
		begin := time.Now()
		if err := c.WaitForLogin(t.Context(), code); !errors.Is(err, autoretouch.ErrExpired) || autoretouch.ClassOf(err) != auth || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nobody came: %v", err)
		}
		within(t, begin, 14*time.Minute, 0)
	})
}

// What the server says is checked before a person or a browser gets it; an odd interval does no harm.
func TestOddDeviceCodes(t *testing.T) {
	for name, body := range map[string]string{
		"empty": `{}`, "HTML": `<html>`, "no code": strings.Replace(device, "ABCD-EFGH", "", 1),
		"a program": strings.Replace(device, "https://auth.test/activate", "file:///bin/sh", 1), "list": `[]`, "null": `null`,
		"control characters": strings.Replace(device, "auth.test/activate\"", `auth.test/\u009b31m\u202eactivate"`, 1),
	} {
		if code, err := newClient(t, options(authServer(t, body))).DeviceCode(t.Context()); err == nil || autoretouch.ClassOf(err) != transient {
			t.Errorf("%s: %+v, %v", name, code, err)
		}
	}
	for _, interval := range []string{"-5", "0", "null", "999999999999999"} {
		synctest.Test(t, func(t *testing.T) {
			body := strings.Replace(device, `"interval":5`, `"interval":`+interval, 1)
			body = strings.Replace(body, "https://auth.test/activate?c=1", "javascript:alert(1)", 1)
			c := newClient(t, options(authServer(t, body, granted)))
			code, err := c.DeviceCode(t.Context())
			if err != nil || code.CompleteURL != "" {
				t.Fatalf("%s: %+v, %v", interval, code, err)
			}
			if err := c.WaitForLogin(t.Context(), code); err != nil {
				t.Errorf("%s: %v", interval, err)
			}
		})
	}
}

func TestLoginWithRefreshToken(t *testing.T) {
	w := &world{}
	w.token = func(rw http.ResponseWriter, r *http.Request) {
		if r.FormValue("refresh_token") != "good" || r.FormValue("client_id") != "client" {
			rw.Header().Set("Content-Type", "application/json")
			rw.WriteHeader(403)
			io.WriteString(rw, `{"error":"invalid_grant"}`)
			return
		}
		w.grant(rw, "access", "")
	}
	login := &memory{}
	o := options(w)
	o.Credentials = login
	c := newClient(t, o)
	for _, bad := range []string{"bad", "", " \n"} {
		if err := c.LoginWithRefreshToken(t.Context(), bad); autoretouch.ClassOf(err) != auth || login.saves != 0 {
			t.Errorf("%q: %v, saved %d times", bad, err, login.saves)
		}
	}
	if err := c.LoginWithRefreshToken(t.Context(), " good\n"); err != nil || login.token.Refresh != "good" || login.token.Access != "access" {
		t.Errorf("%v, saved %+v", err, login.token)
	}
	if _, err := c.HasImage(t.Context(), hash); err != nil || w.renewals != 2 {
		t.Errorf("%v, %d renewals", err, w.renewals)
	}
}

func TestLogout(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		failed bool
	}{"revoked": {200, false}, "trouble": {503, true}} {
		var body string
		login := &memory{token: autoretouch.Token{Refresh: "secret-token"}}
		o := options(roundTrip(func(r *http.Request) (*http.Response, error) {
			b, _ := io.ReadAll(r.Body)
			body = r.URL.Path + " " + r.Header.Get("Content-Type") + " " + string(b)
			return &http.Response{StatusCode: test.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("secret-token")), Request: r}, nil
		}))
		o.Credentials = login
		err := newClient(t, o).Logout(t.Context())
		if errors.Is(err, autoretouch.ErrNotRevoked) != test.failed || (err != nil) != test.failed || login.token.Refresh != "" || strings.Contains(errorText(err), "secret") {
			t.Errorf("%s: %v, left %+v", name, err, login.token)
		}
		if body != `/oauth/revoke application/json {"client_id":"client","token":"secret-token"}` {
			t.Error(body)
		}
		if err := newClient(t, o).Logout(t.Context()); err != nil {
			t.Errorf("%s, again: %v", name, err)
		}
	}
}
