package autoretouch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"hotfolder/autoretouch"
)

// Whatever the answer, its id is one word and no path, and an entry of a page reads as it does alone.
func FuzzExecution(f *testing.F) {
	for _, seed := range []string{details, `{"id":"e","labels":{"a":{}}}`, `{"id":7,"chargedCredits":-1e300}`, `null`, `{"ID":"x"}`, `[`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		one, err := answering(t, 200, string(body)).Execution(t.Context(), "e")
		if strings.ContainsAny(one.ID, "/\\ \x00\n<>") || len(one.ID) > 200 {
			t.Errorf("id %q", one.ID)
		}
		if err != nil || one.ID == "" || !json.Valid(body) {
			return
		}
		page, err := answering(t, 200, `{"entries":[7,`+string(body)+`]}`).Executions(t.Context(), "w", 50, 0)
		if err != nil || len(page.Entries) != 1 || page.Entries[0].ID != one.ID || page.Entries[0].Status != one.Status {
			t.Errorf("alone %+v, in a page %+v, %v", one, page, err)
		}
	})
}

// Whoever posts whatever wherever as a webhook: only what comes to the secret is heard, and of that an id to ask the API for, which
// is one word and no path.
func FuzzWebhook(f *testing.F) {
	const secret = "CQ7ZLK2EXAMPLE"
	for _, content := range []string{details, `{"id":"../x","status":["COMPLETED"]}`, `{"id":"a b"}`, `null`, `[{}]`, `"x"`, `{"labels":{"hotfolder_job":{"a":[[[]]]}}}`} {
		f.Add("POST", "/"+secret, []byte(`{"event":"WORKFLOW_EXECUTION_COMPLETED","content":`+content+`}`))
	}
	f.Add("POST", "/hooks/"+secret, []byte(`{"event":7,"content":{"id":"e"},"content":{}}`))
	f.Add("POST", "/"+secret+"x", []byte(`{"event":"","content":{"id":"e"}}`))
	f.Add("GET", "/"+secret, []byte(`{"content":{"id":"e"}}`))
	f.Add("POST", "/", []byte(`{"content":{"id":"e"}}`))
	f.Fuzz(func(t *testing.T, method, path string, body []byte) {
		heard := 0
		h := autoretouch.Webhook(secret, func(e autoretouch.Execution) bool {
			heard++
			if e.ID == "" || strings.ContainsAny(e.ID, "/\\ \x00\n<>") || len(e.ID) > 200 || e.ID == "." || e.ID == ".." {
				t.Errorf("id %q", e.ID)
			}
			return true
		})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, &http.Request{Method: method, URL: &url.URL{Path: path}, Body: io.NopCloser(bytes.NewReader(body))})
		if right := method == "POST" && strings.HasSuffix("/"+strings.TrimRight(path, "/"), "/"+secret); right == (w.Code == 404) || heard > 1 ||
			(heard == 1) != (w.Code == 204) {
			t.Errorf("%s %q: %d, heard %d times", method, path, w.Code, heard)
		}
		if w.Body.Len() > 0 {
			t.Errorf("answers %q", w.Body)
		}
	})
}

// An error's message is one bounded line that prints and does not hold the token.
func FuzzErrorBody(f *testing.F) {
	f.Add(422, []byte(`{"message":"a\nb"}`))
	f.Add(500, []byte(`<html>`))
	f.Add(404, []byte(`{"message":{},"error":"access-1"}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		_, err := answering(t, status, string(body)).Balance(t.Context())
		var e *autoretouch.Error
		if err == nil || !errors.As(err, &e) {
			return
		}
		if strings.ContainsFunc(e.Message, func(r rune) bool { return !unicode.IsPrint(r) }) || utf8.RuneCountInString(e.Message) > 300 ||
			strings.Contains(err.Error(), "access-1") {
			t.Errorf("%q", err)
		}
	})
}

// A result path is refused or becomes exactly that path below /v1/image/ of the API's host.
func FuzzResultPath(f *testing.F) {
	for _, seed := range []string{"/image/h/a.png", "/v1/image/h/ä b?#%2e", "/image/../x", "/image/h/..", "//evil/image/a/b", "/image/h/\x00\r\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		w := &world{}
		_, err := newClient(t, options(w)).Download(t.Context(), path, io.Discard)
		if len(w.seen) == 0 {
			if err == nil {
				t.Error("neither fetched nor refused")
			}
			return
		}
		u := w.seen[0].URL
		if again, err := url.Parse(u.String()); err != nil || again.Path != u.Path {
			t.Errorf("%q is read as %v", u, again)
		}
		if want := "/v1" + strings.TrimPrefix(path, "/v1"); u.Host != "api.test" || u.Path != want || u.Query().Get("organization") != "org-1" ||
			!strings.HasPrefix(u.Path, "/v1/image/") || strings.Contains(u.EscapedPath()+"/", "/../") {
			t.Errorf("%q became %s", path, u)
		}
	})
}
