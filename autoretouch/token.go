package autoretouch

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"
)

// auth holds the tokens and is the one place that renews them.
type auth struct {
	config oauth2.Config
	url    string // of the auth server
	http   authTransport
	saved  Credentials

	renewal singleflight.Group // has one key, ""

	mu      sync.Mutex
	seen    Token  // what the credentials held last
	token   Token  // what is in use: seen, or newer while it could not be saved
	revoked string // the refresh token that the auth server called invalid
	cancel  func() // ends the renewal under way
}

func newAuth(o Options, transport authTransport) *auth {
	base := strings.TrimRight(o.AuthURL, "/")
	return &auth{
		config: oauth2.Config{
			ClientID: o.ClientID,
			Scopes:   []string{"offline_access"},
			Endpoint: oauth2.Endpoint{
				DeviceAuthURL: base + "/oauth/device/code",
				TokenURL:      base + "/oauth/token",
				AuthStyle:     oauth2.AuthStyleInParams,
			},
		},
		url:    base,
		http:   transport,
		saved:  o.Credentials,
		cancel: func() {},
	}
}

// access is an access token to make a call with.
func (a *auth) access(ctx context.Context) (string, error) {
	a.mu.Lock()
	token, err := a.current()
	a.mu.Unlock()
	if token != "" || err != nil {
		return token, err
	}
	return a.renew(ctx, "")
}

// refuse forgets an access token that the API refused.
func (a *auth) refuse(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token.Access == token {
		a.token.Access = ""
	}
}

// renew is an access token other than the refused one. However many callers want it, there is one refresh, and it goes
// on when a caller goes away.
func (a *auth) renew(ctx context.Context, refused string) (string, error) {
	for range 2 { // twice: the first may join the renewal of an older token, or meet a login in between
		result := a.renewal.DoChan("", func() (any, error) { return a.refresh(ctx) })
		select {
		case <-ctx.Done():
			return "", reason(ctx, ctx.Err())
		case r := <-result:
			if token, _ := r.Val.(string); r.Err != nil || token != "" && token != refused {
				return token, r.Err
			}
		}
	}
	return "", &Error{Class: Auth, Op: "renew login", Err: errors.New("the auth server gave no new access token")}
}

// refresh runs once at a time. It returns "" when another login has come in between.
func (a *auth) refresh(ctx context.Context) (string, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()

	a.mu.Lock()
	a.cancel = cancel
	token, err := a.current()
	old := a.token.Refresh
	a.mu.Unlock()
	if token != "" || err != nil {
		return token, err
	}

	fresh, err := a.grant(ctx, old)

	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.look(); err != nil || a.token.Refresh != old {
		return "", err
	}
	if errors.Is(err, errRevoked) {
		a.revoked = old
	}
	if err != nil {
		return "", err
	}
	a.token = fresh
	return fresh.Access, a.save()
}

// current is the access token in use, "" when it is to be renewed. A rotated refresh token counts only once it is saved.
// a.mu is held.
func (a *auth) current() (string, error) {
	if err := a.look(); err != nil {
		return "", err
	}
	if a.token.Refresh == a.revoked {
		return "", &Error{Class: Auth, Op: "renew login", Err: errRevoked}
	}
	if err := a.save(); err != nil {
		return "", err
	}
	if !a.token.usable() {
		return "", nil
	}
	return a.token.Access, nil
}

// look takes up the credentials if they changed since it last looked. a.mu is held.
func (a *auth) look() error {
	saved, err := a.saved.Load()
	if err == nil && saved.Refresh == "" {
		err = ErrNoLogin
	}
	if err != nil {
		return loginError(err)
	}
	if !saved.same(a.seen) {
		a.seen, a.token, a.revoked = saved, saved, ""
	}
	return nil
}

func loginError(err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	e := &Error{Class: ClassOf(err), Op: "read login", Err: err}
	if errors.Is(err, ErrNoLogin) {
		e.Class = Auth
	}
	return e
}

// save keeps the token in use. Only a refresh token must not be lost; an access token that could not be saved is merely
// fetched again by the next process. a.mu is held.
func (a *auth) save() error {
	if a.token.same(a.seen) {
		return nil
	}
	err := a.saved.Save(a.token)
	if err == nil {
		a.seen = a.token
	} else if a.token.Refresh != a.seen.Refresh {
		return &Error{Op: "save login", Err: err}
	}
	return nil
}

// grant exchanges the refresh token for an access token and, if the server rotates it, a new refresh token.
func (a *auth) grant(ctx context.Context, refresh string) (Token, error) {
	source := a.config.TokenSource(a.http.context(ctx), &oauth2.Token{RefreshToken: refresh})
	t, err := source.Token()
	if err != nil {
		return Token{}, authError(ctx, "renew login", err, refresh)
	}
	return tokenOf(t), nil
}

// keep makes a token that a person just logged in with the one in use.
func (a *auth) keep(t Token) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.saved.Save(t); err != nil {
		return &Error{Op: "save login", Err: err}
	}
	a.seen, a.token, a.revoked = t, t, ""
	return nil
}

// close ends a renewal under way and waits for it.
func (a *auth) close() {
	a.mu.Lock()
	a.cancel()
	a.mu.Unlock()
	a.renewal.Do("", func() (any, error) { return "", nil })
}

func tokenOf(t *oauth2.Token) Token {
	return Token{Refresh: t.RefreshToken, Access: t.AccessToken, Expiry: t.Expiry.Round(0).UTC().Truncate(time.Second)}
}
