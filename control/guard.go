package control

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// guard lets in only what was sent on purpose to this server: a page elsewhere can make a browser send requests here
// (Origin tells), and can give its own name this machine's address (Host tells).
func guard(listen string, next http.Handler) http.Handler {
	own, _, _ := net.SplitHostPort(listen)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		switch {
		case !isOwnHost(r.Host, own):
			refuse(w, http.StatusForbidden, "this server does not go by the name in Host")
		case !isOwnOrigin(r):
			refuse(w, http.StatusForbidden, "requests of other sites are refused")
		default:
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			next.ServeHTTP(w, r)
		}
	})
}

// isOwnHost tells whether Host names this machine: loopback, or what the server was told to listen on. Of a server that
// listens everywhere any address is its own, but no name: names are what an attacker can point here.
func isOwnHost(hostport, own string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	if strings.EqualFold(host, "localhost") || own != "" && strings.EqualFold(host, own) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	everywhere, err := netip.ParseAddr(own)
	return ip.IsLoopback() || err == nil && everywhere.IsUnspecified()
}

// isOwnOrigin tells whether the request comes from a page of this server, or from no page at all.
func isOwnOrigin(r *http.Request) bool {
	for _, origin := range r.Header.Values("Origin") {
		if origin != "http://"+r.Host && origin != "https://"+r.Host {
			return false
		}
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "" || site == "same-origin" || site == "none"
}

// withToken serves only requests that carry the token.
func withToken(token string, next http.Handler) http.HandlerFunc {
	want := sha256.Sum256([]byte(token))
	return func(w http.ResponseWriter, r *http.Request) {
		given, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		got := sha256.Sum256([]byte(given)) // so that not even the length shows in the time it takes
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 || !bearer {
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuse(w, http.StatusUnauthorized, "the token is missing or wrong")
			return
		}
		next.ServeHTTP(w, r)
	}
}
