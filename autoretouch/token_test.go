package autoretouch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/autoretouch"
)

// A hundred calls that meet a refused or an expired access token cause one refresh.
func TestOneRenewalForAll(t *testing.T) {
	for name, token := range map[string]autoretouch.Token{
		"none":    {Refresh: "refresh-0"},
		"refused": {Refresh: "refresh-0", Access: "old"},
		"expired": {Refresh: "refresh-0", Access: "old", Expiry: time.Date(2000, 1, 1, 0, 0, 5, 0, time.UTC)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{api: func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "7") }}
				w.token = func(rw http.ResponseWriter, r *http.Request) {
					time.Sleep(time.Second)
					w.grant(rw, "fresh", "")
				}
				slow := roundTrip(func(r *http.Request) (*http.Response, error) {
					time.Sleep(time.Millisecond) // so that all are on their way with the refused token
					return w.RoundTrip(r)
				})
				o, login := options(slow), &memory{token: token}
				o.Credentials = login
				c := newClient(t, o)
				var calls sync.WaitGroup
				for range 100 {
					calls.Go(func() {
						if _, err := c.Balance(t.Context()); err != nil {
							t.Error(err)
						}
					})
				}
				calls.Wait()
				wantCalls := 100
				if name == "refused" {
					wantCalls = 200
				}
				if w.renewals != 1 || w.calls != wantCalls {
					t.Errorf("%d renewals, %d calls", w.renewals, w.calls)
				}
				if login.token.Access != "fresh" || login.token.Refresh != "refresh-0" || time.Until(login.token.Expiry) < 23*time.Hour {
					t.Errorf("saved %+v", login.token)
				}
			})
		})
	}
}

// A token that lasts is taken from the credentials: the next process does not renew it.
func TestSavedAccessTokenIsUsed(t *testing.T) {
	w := &world{valid: "saved", api: func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "7") }}
	o := options(w)
	o.Credentials = &memory{token: autoretouch.Token{Refresh: "r", Access: "saved", Expiry: time.Now().Add(time.Hour)}}
	if _, err := newClient(t, o).Balance(t.Context()); err != nil || w.renewals != 0 {
		t.Errorf("%v, %d renewals", err, w.renewals)
	}
}

// A call whose renewed token is refused, too, is an auth error after two attempts, and neither token is used again.
func TestSecondRefusal(t *testing.T) {
	w := &world{}
	var used []string
	c := newClient(t, options(roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host == "api.test" {
			used = append(used, r.Header.Get("Authorization"))
			w.valid = "another"
		}
		return w.RoundTrip(r)
	})))
	for range 2 {
		_, err := c.Balance(t.Context())
		if autoretouch.ClassOf(err) != auth || autoretouch.MaybeHandled(err) {
			t.Errorf("%v", err)
		}
	}
	if len(used) != 4 || used[0] == used[1] || used[1] == used[2] || used[2] == used[3] {
		t.Errorf("used %q", used)
	}
}

func TestRevokedLogin(t *testing.T) {
	w := &world{}
	w.token = func(rw http.ResponseWriter, r *http.Request) {
		if r.FormValue("refresh_token") == "refresh-new" {
			w.grant(rw, "access", "")
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusForbidden)
		io.WriteString(rw, `{"error":"invalid_grant","error_description":"Unknown token `+r.FormValue("refresh_token")+`."}`)
	}
	w.api = func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "7") }
	login := &memory{token: autoretouch.Token{Refresh: "refresh-0"}}
	o := options(w)
	o.Credentials = login
	c := newClient(t, o)
	for range 5 {
		_, err := c.Balance(t.Context())
		if autoretouch.ClassOf(err) != auth || autoretouch.MaybeHandled(err) || strings.Contains(fmt.Sprintf("%v %+v", err, err), "refresh-0") {
			t.Fatalf("%v", err)
		}
	}
	if w.renewals != 1 {
		t.Errorf("the auth server was asked %d times", w.renewals)
	}
	w.valid = "access-again"
	login.set(autoretouch.Token{Refresh: "refresh-0", Access: "access-again"}, nil) // the same login, found good by another process
	if n, err := c.Balance(t.Context()); n != 7 || err != nil {
		t.Errorf("after the same login: %d, %v", n, err)
	}
	login.set(autoretouch.Token{Refresh: "refresh-new"}, nil) // a login in another process
	if n, err := c.Balance(t.Context()); n != 7 || err != nil {
		t.Errorf("after a login: %d, %v", n, err)
	}
	login.set(autoretouch.Token{}, nil)
	if _, err := c.Balance(t.Context()); !errors.Is(err, autoretouch.ErrNoLogin) || autoretouch.ClassOf(err) != auth {
		t.Errorf("after a logout: %v", err)
	}
}

// What is no OAuth error is trouble on the way, and is tried anew at the next call.
func TestAuthServerTrouble(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		want   autoretouch.Class
	}{
		"server error":   {500, `{"error":"server_error"}`, transient},
		"too many":       {429, `{"error":"too_many_requests"}`, transient},
		"proxy's 403":    {403, `<html>Forbidden secret-page</html>`, transient},
		"portal":         {200, `<html>Welcome secret-page</html>`, transient},
		"no token":       {200, `{"scope":"x"}`, transient},
		"wrong types":    {200, `{"access_token":{"secret-page":1}}`, transient},
		"endless":        {200, strings.Repeat(" ", 1<<20), transient},
		"unknown client": {401, `{"error":"invalid_client","error_description":"No such client"}`, config},
		"denied":         {403, `{"error":"access_denied"}`, auth},
	} {
		w := &world{token: func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			rw.Header().Set("Retry-After", "3")
			rw.WriteHeader(test.status)
			io.WriteString(rw, test.body)
		}}
		c := newClient(t, options(w))
		for n := 1; n <= 2; n++ {
			_, err := c.Balance(t.Context())
			if autoretouch.ClassOf(err) != test.want || w.renewals != n || autoretouch.MaybeHandled(err) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v (class %v), asked %d times", name, err, autoretouch.ClassOf(err), w.renewals)
			}
			if test.status == 429 && autoretouch.RetryAfter(err) != 3*time.Second {
				t.Errorf("%s: wait %v", name, autoretouch.RetryAfter(err))
			}
		}
	}
}

func TestAuthServerHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options(&world{token: func(rw http.ResponseWriter, r *http.Request) { <-r.Context().Done() }})
		o.Timeout = 20 * time.Second
		begin := time.Now()
		_, err := newClient(t, o).Balance(t.Context())
		within(t, begin, 20*time.Second, 0)
		if autoretouch.ClassOf(err) != transient || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

// The caller that began a renewal goes away; the one that joined gets its token.
func TestRenewalOutlivesItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{api: func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "7") }}
		w.token = func(rw http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(10 * time.Second):
				w.grant(rw, "fresh", "")
			case <-r.Context().Done():
			}
		}
		c := newClient(t, options(w))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var calls sync.WaitGroup
		calls.Go(func() {
			begin := time.Now()
			if _, err := c.Balance(ctx); !errors.Is(err, context.DeadlineExceeded) || autoretouch.MaybeHandled(err) {
				t.Errorf("first: %v", err)
			}
			within(t, begin, time.Second, 0)
		})
		synctest.Wait()
		calls.Go(func() {
			if _, err := c.Balance(t.Context()); err != nil {
				t.Errorf("second: %v", err)
			}
		})
		calls.Wait()
		if w.renewals != 1 {
			t.Errorf("%d renewals", w.renewals)
		}
	})
}

func TestCloseEndsRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options(&world{token: func(rw http.ResponseWriter, r *http.Request) { <-r.Context().Done() }})
		c := newClient(t, o)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c.Balance(ctx)
		begin := time.Now()
		c.Close()
		within(t, begin, 0, 0)
	})
}

// A rotated refresh token is saved before anything is used that came with it.
func TestRotation(t *testing.T) {
	w := &world{api: func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "7") }}
	w.token = func(rw http.ResponseWriter, r *http.Request) {
		w.grant(rw, "access-of-"+r.FormValue("refresh_token"), "refresh-1")
	}
	login := &memory{token: autoretouch.Token{Refresh: "refresh-0"}}
	login.set(login.token, syscall.ENOSPC)
	o := options(w)
	o.Credentials = login
	c := newClient(t, o)
	for range 3 {
		_, err := c.Balance(t.Context())
		if !errors.Is(err, syscall.ENOSPC) || autoretouch.ClassOf(err) != transient || autoretouch.MaybeHandled(err) {
			t.Fatalf("while it cannot be saved: %v", err)
		}
	}
	if w.renewals != 1 || w.calls != 0 {
		t.Errorf("%d renewals, %d calls", w.renewals, w.calls)
	}
	login.set(login.token, nil)
	if _, err := c.Balance(t.Context()); err != nil || login.token.Refresh != "refresh-1" || w.renewals != 1 {
		t.Errorf("afterwards: %v, %d renewals, saved %+v", err, w.renewals, login.token)
	}
}

// Without rotation the login is safe, so a disk that is full does not stop the work.
func TestAccessTokenNeedNotBeSaved(t *testing.T) {
	w := &world{api: func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "7") }}
	o, login := options(w), &memory{}
	login.set(autoretouch.Token{Refresh: "refresh-0"}, syscall.ENOSPC)
	o.Credentials = login
	c := newClient(t, o)
	for range 3 {
		if _, err := c.Balance(t.Context()); err != nil || w.renewals != 1 {
			t.Errorf("%v, %d renewals", err, w.renewals)
		}
	}
}

// A login that is made while the old one is being renewed is neither lost nor mixed up with it.
func TestLoginDuringRenewal(t *testing.T) {
	login := &memory{token: autoretouch.Token{Refresh: "refresh-0"}}
	w := &world{api: func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "7") }}
	w.token = func(rw http.ResponseWriter, r *http.Request) {
		if r.FormValue("refresh_token") == "refresh-0" {
			login.set(autoretouch.Token{Refresh: "refresh-other"}, nil)
		}
		w.grant(rw, "access-of-"+r.FormValue("refresh_token"), "")
	}
	o := options(w)
	o.Credentials = login
	if _, err := newClient(t, o).Balance(t.Context()); err != nil || login.token.Access != "access-of-refresh-other" {
		t.Errorf("%v, saved %+v", err, login.token)
	}
	if got := w.seen[0].Header.Get("Authorization"); got != "Bearer access-of-refresh-other" {
		t.Errorf("used %s", got)
	}
}
