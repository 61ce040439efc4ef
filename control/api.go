package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/pprof"
	"net/url"
	"time"

	"hotfolder/agent"
	"hotfolder/store"
)

// api answers the commands. Every error is a failure as JSON; 500 is the desk's: its ledger could not be read or written.
type api struct {
	desk  agent.Desk
	token string
}

func (a api) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", a.health)
	inner := http.NewServeMux()
	inner.HandleFunc("GET /api/status", a.status)
	inner.HandleFunc("GET /api/jobs", a.jobs)
	inner.HandleFunc("GET /api/jobs/{id}", a.job)
	inner.HandleFunc("POST /api/retry", a.retry)
	inner.HandleFunc("POST /api/redeliver", a.redeliver)
	inner.HandleFunc("GET /debug/pprof/", pprof.Index)
	inner.HandleFunc("GET /debug/pprof/profile", pprof.Profile) // extends the time that its answer may take by itself
	inner.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.Handle("/api/", withToken(a.token, inner))
	mux.Handle("/debug/pprof/", withToken(a.token, inner))
}

// health tells anyone whether the agent can work: that it is there, and that its ledger can be read and written. What a person or
// the network has to mend is none of it: no restart would help. Which code it is, is all that is told.
func (a api) health(w http.ResponseWriter, r *http.Request) {
	status, err := a.desk.Status(r.Context())
	if err != nil {
		http.Error(w, "ledger_unreadable", http.StatusServiceUnavailable)
		return
	}
	for _, t := range status.Troubles {
		if t.Code == agent.LedgerUnwritable || t.Code == agent.LedgerDamaged {
			http.Error(w, string(t.Code), http.StatusServiceUnavailable)
			return
		}
	}
	fmt.Fprintln(w, "ok")
}

func (a api) status(w http.ResponseWriter, r *http.Request) {
	status, err := a.desk.Status(r.Context())
	answer(w, status, err)
}

func (a api) job(w http.ResponseWriter, r *http.Request) {
	job, err := a.desk.Job(r.Context(), r.PathValue("id"))
	answer(w, wireJob{Job: job}.pack(), err)
}

func (a api) retry(w http.ResponseWriter, r *http.Request) {
	change(w, r, retryOf, func(ctx context.Context, request agent.RetryRequest) (any, error) {
		done, err := a.desk.Retry(ctx, request)
		return wireRetried{done, failureFor(err)}, err
	})
}

func (a api) redeliver(w http.ResponseWriter, r *http.Request) {
	change(w, r, redeliverOf, func(ctx context.Context, request agent.RedeliverRequest) (any, error) {
		done, err := a.desk.Redeliver(ctx, request)
		return wireRedelivered{done, failureFor(err)}, err
	})
}

// change takes a request, ids and a filter, as a form and tells what was done, also when it failed on the way. It may take long:
// each job is a durable step, and results may have to be read.
func change[Q any](w http.ResponseWriter, r *http.Request, of func(url.Values) (Q, error), do func(context.Context, Q) (any, error)) {
	extend(w, 10*time.Minute)
	if err := r.ParseForm(); err != nil {
		refuse(w, http.StatusBadRequest, "the form can't be read: "+err.Error())
		return
	}
	request, err := of(r.PostForm)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	done, err := do(r.Context(), request)
	writeJSON(w, statusOf(err), done)
}

// jobs streams the jobs as they are read, one a line. A failure on the way is the last line.
func (a api) jobs(w http.ResponseWriter, r *http.Request) {
	f, err := filterOf(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	lines := json.NewEncoder(w)
	n := 0
	for job, err := range a.desk.Jobs(r.Context(), f) {
		if n++; n%100 == 1 {
			extend(w, 30*time.Second) // of the client for the next hundred
		}
		if err != nil {
			_ = lines.Encode(wireFailure{Failure: err.Error()}) // the client is gone or reads it
			return
		}
		if lines.Encode(wireJob{Job: job}.pack()) != nil {
			return
		}
	}
}

// extend lets the answer take as long, from now on.
func extend(w http.ResponseWriter, d time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d)) // a writer without deadlines needs none
}

func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		v = failureFor(err)
	}
	writeJSON(w, statusOf(err), v)
}

func statusOf(err error) int {
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, store.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, store.ErrStep):
		return http.StatusConflict
	}
	return http.StatusInternalServerError
}

func refuse(w http.ResponseWriter, status int, why string) {
	writeJSON(w, status, wireFailure{Failure: why})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}
