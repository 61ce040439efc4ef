package sandbox_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"hotfolder/sandbox"
)

func TestAdmin(t *testing.T) {
	s, c := open(t, sandbox.Options{})
	put := func(text string) answer { return c.do("PUT", "/_sandbox/faults", strings.NewReader(text)) }

	put(`{"latency":"10ms","dropAfter":{"p":0.1,"at":["POST /v1/workflow/execution/create"]},"resultName":"../../evil"}`).want(t, 204)
	want := sandbox.Faults{Latency: 10 * time.Millisecond, DropAfter: sandbox.Chance{P: 0.1, At: []string{sandbox.Create}}, ResultName: "../../evil"}
	if got := s.Faults(); !reflect.DeepEqual(got, want) {
		t.Errorf("faults %+v", got)
	}
	shown := c.do("GET", "/_sandbox/faults", nil).want(t, 200).body
	if !strings.Contains(shown, "latency: 10ms") {
		t.Errorf("shown as %s", shown)
	}
	put("").want(t, 204)
	if got := s.Faults(); !reflect.DeepEqual(got, sandbox.Faults{}) {
		t.Errorf("after an empty body %+v", got)
	}
	put(shown).want(t, 204)
	if got := s.Faults(); !reflect.DeepEqual(got, want) {
		t.Errorf("what was shown is read as %+v", got)
	}
	put(`{"lattency":"1s"}`).want(t, 400)
	put(`{"latency":"long"}`).want(t, 400)
	put(`{}`).want(t, 204)

	c.do("POST", "/_sandbox/credits?set=5", nil).want(t, 204)
	c.do("POST", "/_sandbox/credits?set=many", nil).want(t, 400)
	var b sandbox.Books
	c.do("GET", "/_sandbox/books", nil).want(t, 200).decode(t, &b)
	if b.Balance != 5 || b.Calls[sandbox.Token] != 1 {
		t.Errorf("books %+v", b)
	}
	hash := c.upload("a.png", "image/png", pngOf(packshot(9, 9, 0)))
	c.do("DELETE", "/_sandbox/images/"+hash, nil).want(t, 204)
	c.do("HEAD", org("/upload?contentHash="+hash), nil).want(t, 404)

	token := c.do("POST", "/_sandbox/refresh-token", nil).want(t, 201).body
	c.do("POST", "/_sandbox/revoke?tokens=access", nil).want(t, 204)
	c.get("/v1/workflow").want(t, 401)
	if code, _ := c.refresh(token); code != "" {
		t.Errorf("refresh: %s", code)
	}
	c.do("POST", "/_sandbox/revoke?tokens=refresh", nil).want(t, 204)
	if code, _ := c.refresh(token); code != "invalid_grant" {
		t.Errorf("refresh after revocation: %q", code)
	}
	c.do("POST", "/_sandbox/revoke", nil).want(t, 400)
}

func TestAdminIsForLoopback(t *testing.T) {
	s, _ := open(t, sandbox.Options{})
	for addr, want := range map[string]int{"127.0.0.1:4000": 200, "[::1]:4000": 200, "192.168.1.7:4000": 403, "": 403} {
		r := httptest.NewRequest(http.MethodGet, "/_sandbox/books", nil)
		r.RemoteAddr = addr
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code != want || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%q: %d", addr, w.Code)
		}
	}
}

func FuzzReadFaults(f *testing.F) {
	f.Add(`{"latency":"1s","huge":{"count":3}}`)
	f.Add("slow: 0.5\nslowFor: 2s\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = sandbox.ReadFaults(strings.NewReader(text)) // no panic
	})
}
