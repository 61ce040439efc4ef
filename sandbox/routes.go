package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// The endpoints, as Books.Calls counts them and Chance.At selects them.
const (
	DeviceCode    = "POST /oauth/device/code"
	Token         = "POST /oauth/token"
	Revoke        = "POST /oauth/revoke"
	Organizations = "GET /v1/organization"
	OneOrg        = "GET /v1/organization/{id}"
	Balance       = "GET /v1/organization/balance"
	Workflows     = "GET /v1/workflow"
	OneWorkflow   = "GET /v1/workflow/{id}"
	Upload        = "POST /upload"
	HaveUpload    = "HEAD /upload"
	Download      = "GET /v1/image/{hash}/{name}"
	Create        = "POST /v1/workflow/execution/create"
	Executions    = "GET /v1/workflow/execution"
	Details       = "GET /v1/workflow/execution/{id}"
	DefaultResult = "GET /v1/workflow/execution/{id}/result/default"
	Retry         = "POST /v1/workflow/execution/{id}/retry"
	Feedback      = "POST /v1/workflow/execution/{id}/feedback"
	Health        = "GET /health"
	Unknown       = "unknown" // every path and method that there is not
)

// endpoint answers one kind of call, or returns the refusal: a *refusal or an *oauthError; any other error is a 500.
type endpoint func(http.ResponseWriter, *http.Request) error

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	add := func(name string, serve endpoint, aliases ...string) {
		for _, pattern := range append(aliases, name) {
			mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.answer(name, serve, w, r) })
		}
	}
	add(DeviceCode, s.deviceCode)
	add(Token, s.token)
	add(Revoke, s.revoke)

	add(Health, s.health, "GET /v1/health")
	add(Organizations, s.loggedIn(s.listOrganizations))
	add(OneOrg, s.loggedIn(s.oneOrganization), "GET /v1/organization/{id}/{$}")
	add(Balance, s.member(s.showBalance))
	add(Workflows, s.member(s.listWorkflows))
	add(OneWorkflow, s.member(s.oneWorkflow))
	add(Upload, s.member(s.upload), "POST /v1/upload")
	add(HaveUpload, s.member(s.haveUpload), "HEAD /v1/upload")
	add(Download, s.member(s.download))
	add(Create, s.member(s.create))
	add(Executions, s.member(s.listExecutions))
	add(Details, s.member(s.details))
	add(DefaultResult, s.member(s.defaultResult))
	add(Retry, s.member(s.retry))
	add(Feedback, s.member(s.feedback))

	s.addActivation(mux)
	s.addAdmin(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, pattern := mux.Handler(r); pattern == "" {
			s.answer(Unknown, notServed(h), w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// answer counts the call, lets the faults have their turn, serves it and writes the refusal.
func (s *Server) answer(name string, serve endpoint, w http.ResponseWriter, r *http.Request) {
	defer s.countCall(name)()
	w, served := s.misbehave(name, w, r)
	if served {
		return
	}
	if err := serve(w, r); err != nil {
		s.log.Info("call refused", "call", name, "err", err)
		refuse(w, r, err)
	}
	if _, lost := w.(*lostAnswer); lost {
		panic(http.ErrAbortHandler)
	}
}

// notServed turns the mux's own 404 and 405 into refusals.
func notServed(h http.Handler) endpoint {
	return func(w http.ResponseWriter, r *http.Request) error {
		rec := &lostAnswer{header: http.Header{}}
		h.ServeHTTP(rec, r)
		if rec.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", rec.header.Get("Allow"))
			return refusef(rec.status, "Request method '%s' not supported", r.Method)
		}
		return refusef(http.StatusNotFound, "No such path")
	}
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) error {
	return writeText(w, http.StatusOK, "OK")
}

// refusal is an error in the shape of API.md, Errors.
type refusal struct {
	status  int
	message string
}

func (e *refusal) Error() string { return fmt.Sprintf("%d: %s", e.status, e.message) }

func refusef(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

func refuse(w http.ResponseWriter, r *http.Request, err error) {
	var oauth *oauthError
	if errors.As(err, &oauth) {
		writeJSON(w, oauth.status, oauth)
		return
	}
	ref := &refusal{http.StatusInternalServerError, "Unexpected error: " + err.Error()}
	errors.As(err, &ref)
	if ref.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	writeJSON(w, ref.status, map[string]any{
		"timestamp": stamp(time.Now()),
		"status":    ref.status,
		"error":     http.StatusText(ref.status),
		"message":   ref.message,
		"path":      r.URL.Path,
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeBody(w, status, "application/json", body)
}

func writeText(w http.ResponseWriter, status int, text string) error {
	return writeBody(w, status, "text/plain;charset=UTF-8", []byte(text))
}

// writeBody ignores errors of the connection: the client that went away is told nothing.
func writeBody(w http.ResponseWriter, status int, contentType string, body []byte) error {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = bytes.NewReader(body).WriteTo(w)
	return nil
}

// maxBody is the largest JSON body in bytes.
const maxBody = 1 << 20

// readJSON reads exactly one JSON document without unknown fields.
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return refusef(http.StatusBadRequest, "JSON parse error: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return refusef(http.StatusBadRequest, "JSON parse error: more than one document")
	}
	return nil
}

// stamp is how the API writes a time; nil for one that has not come.
func stamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	return &text
}

// page is one part of a list: {"entries":[…],"total":N}.
type page[T any] struct {
	Entries []T `json:"entries"`
	Total   int `json:"total"`
}

// maxPage is the largest limit; a larger one means this.
const maxPage = 50

// window reads limit and offset.
func window(r *http.Request) (limit, offset int, err error) {
	limit, err = queryInt(r, "limit", maxPage, 1)
	if err != nil {
		return 0, 0, err
	}
	offset, err = queryInt(r, "offset", 0, 0)
	return min(limit, maxPage), offset, err
}

func queryInt(r *http.Request, name string, unset, least int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return unset, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least {
		return 0, refusef(http.StatusBadRequest, "Parameter '%s' must be a number of at least %d", name, least)
	}
	return n, nil
}

func cut[T any](all []T, limit, offset int) page[T] {
	start := min(offset, len(all))
	return page[T]{Entries: all[start:min(start+limit, len(all))], Total: len(all)}
}
