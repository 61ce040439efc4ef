package sandbox

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
)

// What a client of the auth server has to send (API.md, Hosts).
const (
	ClientID = "V8EkfbxtBi93cAySTVWAecEum4d6pt4J"
	Scope    = "offline_access"
	Audience = "https://api.autoretouch.com"
)

const (
	deviceGrant    = "urn:ietf:params:oauth:grant-type:device_code"
	deviceLife     = 900 * time.Second
	deviceInterval = 5 * time.Second
)

type accessToken struct {
	expires time.Time
	calls   int
}

// device is one login that waits for its person.
type device struct {
	userCode string
	expires  time.Time
	interval time.Duration // grows by 5 s with each slow_down, as RFC 8628 has it
	polled   time.Time
	answer   deviceAnswer
}

type deviceAnswer int

const (
	pending deviceAnswer = iota
	confirmed
	denied
)

// oauthError has the shape and, where known, the status codes of Auth0.
type oauthError struct {
	status      int
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func (e *oauthError) Error() string { return e.Code + ": " + e.Description }

var (
	errPending = &oauthError{http.StatusForbidden, "authorization_pending", "User has yet to authorize device code."}
	errSlow    = &oauthError{http.StatusTooManyRequests, "slow_down", "You are polling faster than the specified interval."}
	errDenied  = &oauthError{http.StatusForbidden, "access_denied", "User did not authorize the request."}
	errExpired = &oauthError{http.StatusForbidden, "expired_token", "The device code has expired."}
	errDevice  = &oauthError{http.StatusForbidden, "invalid_grant", "Invalid or unknown device code."}
	errRefresh = &oauthError{http.StatusForbidden, "invalid_grant", "Unknown or invalid refresh token."}
	errClient  = &oauthError{http.StatusUnauthorized, "invalid_client", "Unknown or missing client_id."}
)

func badOAuth(format string, args ...any) error {
	return &oauthError{http.StatusBadRequest, "invalid_request", fmt.Sprintf(format, args...)}
}

// deviceCode begins a login.
func (s *Server) deviceCode(w http.ResponseWriter, r *http.Request) error {
	if err := oauthForm(w, r); err != nil {
		return err
	}
	if got := r.PostForm.Get("audience"); got != Audience {
		return badOAuth("audience must be %s, not %q", Audience, got)
	}
	if !slices.Contains(strings.Fields(r.PostForm.Get("scope")), Scope) {
		return badOAuth("scope must hold %s", Scope)
	}
	code, user := secret(), userCode()
	now := time.Now()
	s.mu.Lock()
	maps.DeleteFunc(s.devices, func(_ string, d *device) bool { return now.After(d.expires.Add(time.Hour)) })
	s.devices[code] = &device{userCode: user, expires: now.Add(deviceLife), interval: deviceInterval}
	s.mu.Unlock()

	at := "http://" + r.Host + "/activate"
	if r.TLS != nil {
		at = "https://" + r.Host + "/activate"
	}
	return writeJSON(w, http.StatusOK, map[string]any{
		"device_code":               code,
		"user_code":                 user,
		"verification_uri":          at,
		"verification_uri_complete": at + "?user_code=" + user,
		"expires_in":                int(deviceLife.Seconds()),
		"interval":                  int(deviceInterval.Seconds()),
	})
}

// token grants access for a confirmed device or a refresh token.
func (s *Server) token(w http.ResponseWriter, r *http.Request) error {
	if err := oauthForm(w, r); err != nil {
		return err
	}
	switch grant := r.PostForm.Get("grant_type"); grant {
	case deviceGrant:
		if r.PostForm.Get("device_code") == "" {
			return badOAuth("device_code is missing")
		}
		refresh, err := s.pollDevice(r.PostForm.Get("device_code"))
		if err != nil {
			return err
		}
		return s.grant(w, refresh)
	case "refresh_token":
		if r.PostForm.Get("refresh_token") == "" {
			return badOAuth("refresh_token is missing")
		}
		rotated, err := s.useRefreshToken(r.PostForm.Get("refresh_token"))
		if err != nil {
			return err
		}
		return s.grant(w, rotated)
	default:
		return &oauthError{http.StatusBadRequest, "unsupported_grant_type", fmt.Sprintf("Unsupported grant type: %q", grant)}
	}
}

// grant answers with a new access token and, unless it is "", the refresh token.
func (s *Server) grant(w http.ResponseWriter, refresh string) error {
	access, now := secret(), time.Now()
	s.mu.Lock()
	maps.DeleteFunc(s.tokens, func(_ string, t *accessToken) bool { return now.After(t.expires) })
	s.tokens[access] = &accessToken{expires: now.Add(s.opts.TokenLife)}
	s.mu.Unlock()
	answer := map[string]any{
		"access_token": access,
		"scope":        Scope,
		"expires_in":   int(s.opts.TokenLife.Seconds()),
		"token_type":   "Bearer",
	}
	if refresh != "" {
		answer["refresh_token"] = refresh
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, answer)
}

// pollDevice returns the refresh token of a confirmed login, which ends its device code.
func (s *Server) pollDevice(code string) (refresh string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.devices[code]
	if !ok {
		return "", errDevice
	}
	now := time.Now()
	tooSoon := !d.polled.IsZero() && now.Sub(d.polled) < d.interval*9/10 // the rest is what a network may take away
	d.polled = now
	switch {
	case now.After(d.expires):
		return "", errExpired
	case d.answer == denied:
		return "", errDenied
	case tooSoon:
		d.interval += deviceInterval
		return "", errSlow
	case d.answer == pending && !s.opts.AutoConfirm:
		return "", errPending
	}
	delete(s.devices, code)
	return s.newRefreshTokenLocked(), nil
}

// useRefreshToken checks a token and, where they rotate, puts a new one in its place.
func (s *Server) useRefreshToken(token string) (rotated string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.refresh[token] {
		return "", errRefresh
	}
	if !s.faults.RotateRefreshTokens {
		return "", nil
	}
	delete(s.refresh, token)
	return s.newRefreshTokenLocked(), nil
}

func (s *Server) newRefreshTokenLocked() string {
	token := secret()
	s.refresh[token] = true
	return token
}

// revoke ends a refresh or access token; an unknown one is no error (RFC 7009).
func (s *Server) revoke(w http.ResponseWriter, r *http.Request) error {
	if mediaType(r.Header.Get("Content-Type")) != "application/json" {
		return badOAuth("Content-Type must be application/json")
	}
	var ask struct {
		ClientID string `json:"client_id"`
		Token    string `json:"token"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxForm)).Decode(&ask); err != nil {
		return badOAuth("not the JSON that was expected: %v", err)
	}
	if ask.ClientID != ClientID {
		return errClient
	}
	if ask.Token == "" {
		return badOAuth("token is missing")
	}
	s.mu.Lock()
	delete(s.refresh, ask.Token)
	delete(s.tokens, ask.Token)
	s.mu.Unlock()
	return writeText(w, http.StatusOK, "")
}

const maxForm = 64 << 10

// oauthForm reads the form and checks the client.
func oauthForm(w http.ResponseWriter, r *http.Request) error {
	if mediaType(r.Header.Get("Content-Type")) != "application/x-www-form-urlencoded" {
		return badOAuth("Content-Type must be application/x-www-form-urlencoded")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return badOAuth("not a form: %v", err)
	}
	if r.PostForm.Get("client_id") != ClientID {
		return errClient
	}
	return nil
}

func mediaType(header string) string {
	t, _, err := mime.ParseMediaType(header)
	if err != nil {
		return ""
	}
	return t
}

// loggedIn serves only calls with a User-Agent and a valid access token.
func (s *Server) loggedIn(next endpoint) endpoint {
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.Header.Get("User-Agent") == "" {
			return refusef(http.StatusBadRequest, "Required header 'User-Agent' is not present")
		}
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			return refusef(http.StatusUnauthorized, "Full authentication is required to access this resource")
		}
		if !s.admit(token) {
			return refusef(http.StatusUnauthorized, "Access token is expired or unknown")
		}
		return next(w, r)
	}
}

func (s *Server) admit(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tokens[token]
	if t == nil || !time.Now().Before(t.expires) {
		return false
	}
	t.calls++
	return s.faults.TokenCalls == 0 || t.calls <= s.faults.TokenCalls
}

// RefreshToken returns a new valid refresh token, for a login without the device flow.
func (s *Server) RefreshToken() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newRefreshTokenLocked()
}

// RevokeTokens ends all access tokens: the next call of each is a 401, a refresh mends it.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// RevokeRefreshTokens ends all refresh tokens: the next refresh is an invalid_grant, only a login mends it.
func (s *Server) RevokeRefreshTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.refresh)
}

func secret() string { return rand.Text() + rand.Text() }

func userCode() string {
	t := rand.Text()
	return t[:4] + "-" + t[4:8]
}

// newID returns a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
