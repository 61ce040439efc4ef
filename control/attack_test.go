package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"hotfolder/agent"
)

// A page of another site that gives its own name this machine's address (DNS rebinding) learns and changes nothing, and neither
// does one that merely sends its browser here.
func TestAPageElsewhereIsNotLetIn(t *testing.T) {
	d := &desk{jobs: someJobs}
	dir, s, _ := serve(t, d, "")
	token := dial(t, dir).contact.Token
	rebound := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", s.Address())
	}}}
	defer rebound.CloseIdleConnections()
	for name, c := range map[string]struct{ url, origin string }{
		"rebound":               {"http://evil.example", ""},
		"rebound, same origin":  {"http://evil.example", "http://evil.example"},
		"rebound to the port":   {"http://evil.example:8765", "http://evil.example:8765"},
		"rebound, dot":          {"http://localhost.", "http://localhost."},
		"sent here":             {"http://" + s.Address(), "https://evil.example"},
		"sent from a neighbour": {"http://" + s.Address(), "http://localhost:3000"},
	} {
		for _, ask := range []string{"GET /healthz", "GET /api/status", "POST /api/retry", "OPTIONS /api/retry", "GET /"} {
			method, path, _ := strings.Cut(ask, " ")
			r, err := http.NewRequestWithContext(t.Context(), method, c.url+path, strings.NewReader("all=true"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Authorization", "Bearer "+token) // even if the page knew it
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			resp, err := rebound.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusForbidden || strings.Contains(string(body), "packshots") || resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s, %s: %d %s %v", name, ask, resp.StatusCode, body, resp.Header)
			}
		}
	}
	if d.request.All {
		t.Error("jobs were taken up again")
	}
}

// Without the token there is nothing to learn: not the version, not the system, not which paths there are.
func TestHealthzRevealsNothing(t *testing.T) {
	h := handler(&desk{jobs: someJobs}, "127.0.0.1:8765")
	got := ask(h, request("GET", "/healthz", "localhost", nil, ""))
	if got.Body.String() != "ok\n" || got.Header().Get("Server") != "" || len(got.Header()) != 3 {
		t.Errorf("%d %q %v", got.Code, got.Body, got.Header())
	}
	var answers []string
	for _, path := range []string{"/api/status", "/api/jobs", "/api/jobs/abc", "/api/jobs/none", "/api/nothing", "/api/"} {
		got := ask(h, request("GET", path, "localhost", nil, ""))
		answers = append(answers, fmt.Sprint(got.Code, got.Body))
		if answers[0] != answers[len(answers)-1] {
			t.Errorf("%s: %s, want %s", path, answers[len(answers)-1], answers[0])
		}
	}
}

// It is well as long as it can work: what a person or the network must mend is no reason to start it anew.
func TestHealthz(t *testing.T) {
	trouble := func(code agent.Code) agent.Trouble {
		return agent.Trouble{Code: code, Severity: agent.Error, Folder: "packshots", Text: "secret", Mend: "secret"}
	}
	for name, c := range map[string]struct {
		desk *desk
		code int
		body string
	}{
		"well":                 {&desk{}, 200, "ok"},
		"nobody is logged in":  {&desk{troubles: []agent.Trouble{trouble(agent.LoginNeeded), trouble(agent.InputOffline)}}, 200, "ok"},
		"the disk is full":     {&desk{troubles: []agent.Trouble{trouble(agent.LoginNeeded), trouble(agent.LedgerUnwritable)}}, 503, "ledger_unwritable"},
		"the ledger is broken": {&desk{troubles: []agent.Trouble{trouble(agent.LedgerDamaged)}}, 503, "ledger_damaged"},
		"it cannot be read":    {&desk{err: errors.New("secret")}, 503, "ledger_unreadable"},
	} {
		got := ask(handler(c.desk, "127.0.0.1:8765"), request("GET", "/healthz", "localhost", nil, ""))
		if got.Code != c.code || got.Body.String() != c.body+"\n" {
			t.Errorf("%s: %d %q, want %d %s", name, got.Code, got.Body, c.code, c.body)
		}
	}
}

// However many connections say nothing, or a byte at a time, each is gone after its time, and the commands get
// through.
func TestSlowConnectionsAreBounded(t *testing.T) {
	s, err := Listen(Options{DataDir: t.TempDir(), Desk: &desk{}, Log: discard})
	if err != nil {
		t.Fatal(err)
	}
	s.http.ReadHeaderTimeout, s.http.ReadTimeout = 50*time.Millisecond, 100*time.Millisecond
	run(t, s)

	beginnings := "" +
		"GET /api/status HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + // never ends its header
		"|POST /api/retry HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + s.contact.Token + "\r\n" +
		"Content-Length: 1000000\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\nid=" + // never ends its body
		"|" // never says anything
	var slow []net.Conn
	for i := range 2 * maxConnections {
		c, err := net.Dial("tcp", s.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		begin := strings.Split(beginnings, "|")
		io.WriteString(c, begin[i%len(begin)])
		slow = append(slow, c)
	}
	dial(t, s.dataDir)
	for i, c := range slow {
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Fatalf("connection %d is still there", i)
		}
	}
}

// Who holds every place keeps the next one waiting, no longer.
func TestPlacesAreBounded(t *testing.T) {
	_, s, _ := serve(t, &desk{}, "")
	connect := func() net.Conn {
		c, err := net.Dial("tcp", s.Address())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	holders := make([]net.Conn, maxConnections)
	for i := range holders {
		holders[i] = connect()
		io.WriteString(holders[i], "GET ") // and it is let in before the next, as they queue
	}
	next := connect()
	io.WriteString(next, "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
	next.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := next.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Error("answered without a place")
	}
	holders[0].Close()
	next.SetReadDeadline(time.Now().Add(10 * time.Second))
	if answer, err := io.ReadAll(next); err != nil || !strings.HasSuffix(string(answer), "ok\n") {
		t.Errorf("%q, %v", answer, err)
	}
}
