package control

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

const testToken = "token"

func handler(d *desk, listen string) http.Handler {
	mux := http.NewServeMux()
	api{desk: d, token: testToken}.routes(mux)
	return guard(listen, mux)
}

func request(method, target, host string, header http.Header, body string) *http.Request {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		u = &url.URL{Path: target}
	}
	r := httptest.NewRequest(http.MethodGet, "/", strings.NewReader(body))
	r.Method, r.URL, r.Host, r.Header = method, u, host, header
	if header == nil {
		r.Header = http.Header{}
	}
	return r
}

func ask(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestWhoIsLetIn(t *testing.T) {
	const here = "127.0.0.1:8765"
	form := "application/x-www-form-urlencoded"
	for name, c := range map[string]struct {
		method, target, host, auth string
		more                       http.Header
		body                       string
		listen                     string
		want                       int
	}{
		"the commands":          {target: "/api/status", want: 200},
		"localhost":             {target: "/api/status", host: "localhost:8765", want: 200},
		"through a tunnel":      {target: "/api/status", host: "localhost:9999", want: 200},
		"IPv6":                  {target: "/api/status", host: "[::1]:8765", want: 200},
		"no port":               {target: "/api/status", host: "LOCALHOST", want: 200},
		"no token":              {target: "/api/status", auth: "-", want: 401},
		"wrong token":           {target: "/api/status", auth: "Bearer tokeN", want: 401},
		"half a token":          {target: "/api/status", auth: "Bearer toke", want: 401},
		"empty token":           {target: "/api/status", auth: "Bearer ", want: 401},
		"other scheme":          {target: "/api/status", auth: "Basic token", want: 401},
		"no scheme":             {target: "/api/status", auth: "token", want: 401},
		"no token, no path":     {target: "/api/secret", auth: "-", want: 401},
		"foreign host":          {target: "/api/status", host: "evil.example", want: 403},
		"foreign host, healthz": {target: "/healthz", host: "evil.example:8765", want: 403},
		"look-alike host":       {target: "/api/status", host: "localhost.evil.example", want: 403},
		"numeric look-alike":    {target: "/api/status", host: "127.0.0.1.evil.example", want: 403},
		"network address":       {target: "/api/status", host: "192.168.0.7:8765", want: 403},
		"everywhere, address":   {target: "/api/status", host: "192.168.0.7:8765", listen: "0.0.0.0:8765", want: 200},
		"everywhere, name":      {target: "/api/status", host: "evil.example:8765", listen: "0.0.0.0:8765", want: 403},
		"its own name":          {target: "/api/status", host: "nas:8765", listen: "nas:8765", want: 200},
		"no host":               {target: "/api/status", host: "-", want: 403},
		"own origin":            {target: "/api/status", more: http.Header{"Origin": {"http://" + here}}, want: 200},
		"foreign origin":        {target: "/api/status", more: http.Header{"Origin": {"http://evil.example"}}, want: 403},
		"neighbour's origin":    {target: "/api/status", more: http.Header{"Origin": {"http://127.0.0.1:3000"}}, want: 403},
		"null origin":           {target: "/api/status", more: http.Header{"Origin": {"null"}}, want: 403},
		"second origin":         {target: "/api/status", more: http.Header{"Origin": {"http://" + here, "http://e"}}, want: 403},
		"cross-site":            {target: "/api/status", more: http.Header{"Sec-Fetch-Site": {"cross-site"}}, want: 403},
		"healthz":               {target: "/healthz", auth: "-", want: 200},
		"wrong method":          {method: "DELETE", target: "/api/status", want: 405},
		"retry by GET":          {target: "/api/retry?all=true", want: 405},
		"profile":               {target: "/debug/pprof/heap", want: 200},
		"profile, no token":     {target: "/debug/pprof/heap", auth: "-", want: 401},
		"unknown path":          {target: "/api/nothing", want: 404},
		"unknown job":           {target: "/api/jobs/zzz", want: 404},
		"unknown state":         {target: "/api/jobs?state=lost", want: 400},
		"wrong time":            {target: "/api/jobs?since=yesterday", want: 400},
		"retry":                 {method: "POST", target: "/api/retry", more: http.Header{"Content-Type": {form}}, body: "id=a", want: 200},
		"retry of nothing":      {method: "POST", target: "/api/retry", more: http.Header{"Content-Type": {form}}, want: 400},
		"retry in the query":    {method: "POST", target: "/api/retry?all=true", want: 400},
		"retry as JSON":         {method: "POST", target: "/api/retry", more: http.Header{"Content-Type": {"application/json"}}, body: `{"all":true}`, want: 400},
		"retry of all, perhaps": {method: "POST", target: "/api/retry", more: http.Header{"Content-Type": {form}}, body: "all=perhaps", want: 400},
		"huge body":             {method: "POST", target: "/api/retry", more: http.Header{"Content-Type": {form}}, body: strings.Repeat("id=a&", maxBody/5+1), want: 400},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(or(c.method, "GET"), c.target, strings.TrimPrefix(or(c.host, here), "-"), c.more.Clone(), c.body)
			if auth := or(c.auth, "Bearer "+testToken); auth != "-" {
				r.Header.Set("Authorization", auth)
			}
			got := ask(handler(&desk{jobs: someJobs}, or(c.listen, here)), r)
			if got.Code != c.want {
				t.Errorf("%d %s, want %d", got.Code, got.Body, c.want)
			}
		})
	}
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

// FuzzHandler: whatever is sent, nothing panics, nothing is a server error, and nothing but healthz is told without the token.
func FuzzHandler(f *testing.F) {
	f.Add("GET", "/api/status", "localhost", "Origin", "null", "", true)
	f.Add("POST", "/api/retry", "127.0.0.1:1", "Content-Type", "application/x-www-form-urlencoded", "id=%zz&all=1", true)
	f.Add("GET", "/api/jobs?state=failed&since=2026-01-01T00:00:00Z&path=%ff", "[::1]", "Range", "bytes=0-", "", false)
	f.Add("GET", "/api/jobs/..%2f..%00", "localhost:http", "Host", "x", "x", true)
	f.Add("POST", "/api/retry", "localhost", "Content-Type", "multipart/form-data; boundary=x", "--x\r\n", true)
	h := handler(&desk{jobs: someJobs}, "127.0.0.1:8765")
	f.Fuzz(func(t *testing.T, method, target, host, key, value, body string, token bool) {
		r := request(method, target, host, http.Header{key: {value}}, body)
		if token {
			r.Header.Set("Authorization", "Bearer "+testToken)
		} else {
			r.Header.Del("Authorization")
		}
		w := ask(h, r)
		if w.Code >= 500 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if !token && w.Code == 200 && w.Body.String() != "ok\n" {
			t.Errorf("told without the token: %s", w.Body)
		}
	})
}

func TestServerHasLimits(t *testing.T) {
	s, err := Listen(Options{DataDir: t.TempDir(), Desk: &desk{}, Log: discard})
	if err != nil {
		t.Fatal(err)
	}
	defer s.listener.Close()
	if h := s.http; h.ReadHeaderTimeout == 0 || h.ReadTimeout == 0 || h.WriteTimeout == 0 || h.IdleTimeout == 0 || h.MaxHeaderBytes == 0 {
		t.Errorf("a limit is missing: %+v", h)
	}
}
