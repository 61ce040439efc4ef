package dashboard

import (
	"net/http"
	"sync"

	"golang.org/x/time/rate"
)

// door lets in who knows the password, if there is one.
type door struct {
	locked   bool
	password string

	mu    sync.Mutex
	wrong *rate.Limiter // passwords that may be wrong
}

// After ten wrong passwords, only one a second is even looked at: then nobody gets in by trying.
func newDoor(password string) door {
	return door{locked: password != "", password: password, wrong: rate.NewLimiter(1, 10)}
}

func (d *door) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, given, has := r.BasicAuth()
		switch {
		case !d.locked:
			next.ServeHTTP(w, r)
		case !has:
			d.ask(w, "the password, please; any user name will do")
		default:
			right, tried := d.try(given)
			switch {
			case right:
				next.ServeHTTP(w, r)
			case tried:
				d.ask(w, "that is not the password")
			default:
				w.Header().Set("Retry-After", "10")
				http.Error(w, "hotfolder: too many wrong passwords; wait a little", http.StatusTooManyRequests)
			}
		}
	})
}

func (d *door) ask(w http.ResponseWriter, why string) {
	w.Header().Set("WWW-Authenticate", `Basic realm="hotfolder", charset="UTF-8"`)
	http.Error(w, "hotfolder: "+why, http.StatusUnauthorized)
}

// try holds a password against the right one, unless too many were wrong.
func (d *door) try(given string) (right, tried bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wrong.Tokens() < 1 {
		return false, false
	}
	right = same(given, d.password)
	if !right {
		d.wrong.Allow()
	}
	return right, true
}
