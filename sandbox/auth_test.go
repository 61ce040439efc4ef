package sandbox_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"hotfolder/sandbox"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

type device struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	URI        string `json:"verification_uri"`
	Complete   string `json:"verification_uri_complete"`
	ExpiresIn  int    `json:"expires_in"`
	Interval   int    `json:"interval"`
}

func (c *client) device() (d device) {
	c.t.Helper()
	c.form("/oauth/device/code", "client_id", sandbox.ClientID, "scope", sandbox.Scope, "audience", sandbox.Audience).want(c.t, 200).decode(c.t, &d)
	return d
}

// poll asks for the token and returns the OAuth error, or "" and the refresh token.
func (c *client) poll(d device) (code, refresh string) {
	c.t.Helper()
	return c.oauth("grant_type", deviceGrant, "device_code", d.DeviceCode, "client_id", sandbox.ClientID)
}

func (c *client) refresh(token string) (code, refresh string) {
	c.t.Helper()
	return c.oauth("grant_type", "refresh_token", "refresh_token", token, "client_id", sandbox.ClientID)
}

func (c *client) oauth(pairs ...string) (code, refresh string) {
	c.t.Helper()
	var got struct {
		Error        string `json:"error"`
		Description  string `json:"error_description"`
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		TokenType    string `json:"token_type"`
		ExpiresIn    int    `json:"expires_in"`
	}
	a := c.form("/oauth/token", pairs...)
	a.decode(c.t, &got)
	if a.status == 200 {
		if got.AccessToken == "" || got.TokenType != "Bearer" || got.ExpiresIn != 86400 {
			c.t.Errorf("token %+v", got)
		}
		c.token = got.AccessToken
	} else if got.Description == "" {
		c.t.Errorf("an OAuth error without description: %s", a.body)
	}
	return got.Error, got.RefreshToken
}

func TestDeviceLogin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, c := open(t, sandbox.Options{})
		d := c.device()
		if d.ExpiresIn != 900 || d.Interval != 5 || !strings.HasSuffix(d.Complete, d.UserCode) || d.URI != "http://sandbox/activate" {
			t.Errorf("device %+v", d)
		}
		want := func(code string) (refresh string) {
			t.Helper()
			got, refresh := c.poll(d)
			if got != code {
				t.Fatalf("got %q, want %q", got, code)
			}
			return refresh
		}
		want("authorization_pending")
		time.Sleep(5 * time.Second)
		want("authorization_pending")
		time.Sleep(2 * time.Second)
		want("slow_down")
		time.Sleep(5 * time.Second)
		want("slow_down") // the interval is 10 s now
		if err := s.ConfirmDevice(strings.ToLower(d.UserCode)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Second)
		refresh := want("")
		if refresh == "" {
			t.Fatal("no refresh token")
		}
		c.get("/v1/workflow").want(t, 200)
		if code, again := c.refresh(refresh); code != "" || again != "" {
			t.Errorf("refresh: %q, new refresh token %q", code, again)
		}
		time.Sleep(5 * time.Second)
		want("invalid_grant") // a device code is good once

		d = c.device()
		if err := s.DenyDevice(d.UserCode); err != nil {
			t.Fatal(err)
		}
		want("access_denied")

		d = c.device()
		time.Sleep(901 * time.Second)
		want("expired_token")
		if err := s.ConfirmDevice(d.UserCode); err == nil {
			t.Error("an expired code was confirmed")
		}
		if err := s.ConfirmDevice("NOPE-NOPE"); err == nil {
			t.Error("a code that never was was confirmed")
		}
	})
}

func TestAutoConfirm(t *testing.T) {
	_, c := open(t, sandbox.Options{AutoConfirm: true})
	if code, refresh := c.poll(c.device()); code != "" || refresh == "" {
		t.Errorf("error %q, refresh token %q", code, refresh)
	}
}

func TestActivationPage(t *testing.T) {
	_, c := open(t, sandbox.Options{})
	d := c.device()
	if a := c.do("GET", strings.TrimPrefix(d.Complete, c.base), nil); !strings.Contains(a.body, d.UserCode) {
		t.Errorf("the page does not show the code: %s", a.body)
	}
	c.form("/activate", "user_code", d.UserCode, "answer", "perhaps").want(t, 400)
	c.form("/activate", "user_code", "NOPE-NOPE", "answer", "confirm").want(t, 404)
	c.form("/activate", "user_code", d.UserCode, "answer", "confirm").want(t, 200)
	if code, _ := c.poll(d); code != "" {
		t.Errorf("after the confirmation: %s", code)
	}
}

func TestOAuthRefusals(t *testing.T) {
	const formType = "application/x-www-form-urlencoded"
	_, c := open(t, sandbox.Options{})
	for _, tt := range []struct {
		name, path, contentType, body string
		status                        int
		code                          string
	}{
		{"JSON for a form", "/oauth/device/code", "application/json", `{}`, 400, "invalid_request"},
		{"no client", "/oauth/device/code", formType, "scope=offline_access&audience=" + sandbox.Audience, 401, "invalid_client"},
		{"another client", "/oauth/device/code", formType, "client_id=x&scope=offline_access&audience=" + sandbox.Audience, 401, "invalid_client"},
		{"no audience", "/oauth/device/code", formType, "scope=offline_access&client_id=" + sandbox.ClientID, 400, "invalid_request"},
		{"no scope", "/oauth/device/code", formType, "audience=" + sandbox.Audience + "&client_id=" + sandbox.ClientID, 400, "invalid_request"},
		{"grant in the query", "/oauth/token?grant_type=refresh_token&refresh_token=x&client_id=" + sandbox.ClientID, formType, "", 401, "invalid_client"},
		{"unknown grant", "/oauth/token", formType, "grant_type=password&client_id=" + sandbox.ClientID, 400, "unsupported_grant_type"},
		{"unknown device", "/oauth/token", formType, "device_code=x&grant_type=" + deviceGrant + "&client_id=" + sandbox.ClientID, 403, "invalid_grant"},
		{"no device", "/oauth/token", formType, "grant_type=" + deviceGrant + "&client_id=" + sandbox.ClientID, 400, "invalid_request"},
		{"unknown refresh token", "/oauth/token", formType, "refresh_token=x&grant_type=refresh_token&client_id=" + sandbox.ClientID, 403, "invalid_grant"},
		{"revoke as a form", "/oauth/revoke", formType, "token=x&client_id=" + sandbox.ClientID, 400, "invalid_request"},
		{"revoke without client", "/oauth/revoke", "application/json", `{"token":"x"}`, 401, "invalid_client"},
		{"revoke nothing", "/oauth/revoke", "application/json", `{"client_id":"` + sandbox.ClientID + `"}`, 400, "invalid_request"},
		{"revoke garbage", "/oauth/revoke", "application/json", `{`, 400, "invalid_request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got struct {
				Error string `json:"error"`
			}
			c.do("POST", tt.path, strings.NewReader(tt.body), "Content-Type", tt.contentType).want(t, tt.status).decode(t, &got)
			if got.Error != tt.code {
				t.Errorf("error %q, want %q", got.Error, tt.code)
			}
		})
	}
}

func TestTokensEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, c := open(t, sandbox.Options{})
		status := func(want int) {
			t.Helper()
			c.get("/v1/workflow").want(t, want)
		}
		refresh := s.RefreshToken()
		time.Sleep(24*time.Hour - time.Second)
		status(200)
		time.Sleep(time.Second)
		status(401)
		c.refresh(refresh)
		status(200)
		s.RevokeTokens()
		status(401)
		c.refresh(refresh)

		s.SetFaults(sandbox.Faults{TokenCalls: 2})
		c.refresh(refresh)
		status(200)
		status(200)
		status(401)
		s.SetFaults(sandbox.Faults{RotateRefreshTokens: true})
		_, second := c.refresh(refresh)
		if second == "" || second == refresh {
			t.Fatalf("rotated to %q", second)
		}
		if code, _ := c.refresh(refresh); code != "invalid_grant" {
			t.Errorf("the rotated token still works: %q", code)
		}
		s.SetFaults(sandbox.Faults{})
		c.json("/oauth/revoke", `{"client_id":"`+sandbox.ClientID+`","token":"`+second+`"}`).want(t, 200)
		c.json("/oauth/revoke", `{"client_id":"`+sandbox.ClientID+`","token":"never was"}`).want(t, 200)
		if code, _ := c.refresh(second); code != "invalid_grant" {
			t.Errorf("the revoked token still works: %q", code)
		}
		third := s.RefreshToken()
		s.RevokeRefreshTokens()
		if code, _ := c.refresh(third); code != "invalid_grant" {
			t.Errorf("the token still works: %q", code)
		}
		status(200) // access tokens outlive their refresh token
	})
}

func TestOnASocket(t *testing.T) {
	s, _ := open(t, sandbox.Options{})
	web := httptest.NewServer(s.Handler())
	defer web.Close()
	c := &client{t: t, http: web.Client(), base: web.URL}
	c.login(s)
	if d := c.device(); d.URI != web.URL+"/activate" {
		t.Errorf("verification_uri %s", d.URI)
	}
	hash := c.upload("a.png", "image/png", pngOf(packshot(20, 20, 0)))
	c.do("HEAD", org("/upload?contentHash="+hash), nil).want(t, 200)
	s.SetFaults(sandbox.Faults{DropAfter: sandbox.Chance{Count: 1, At: []string{sandbox.Create}}})
	_, err := c.http.Do(c.request(t.Context(), http.MethodPost, creating(sandbox.FastCheck),
		strings.NewReader(order("a.png", "image/png", hash)), "Content-Type", "application/json"))
	if _, ok := err.(*url.Error); !ok || len(s.Books().Executions) != 1 {
		t.Errorf("a lost answer: %v, %d executions", err, len(s.Books().Executions))
	}
}
