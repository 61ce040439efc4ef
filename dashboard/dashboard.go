// Package dashboard is the local page: what the agent does and what is wrong, for people (this file and page.*) and for
// Prometheus (metrics.go). door.go says who may see it.
package dashboard

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"hotfolder/agent"
	"hotfolder/store"
	"hotfolder/tidy"
)

// Agent is what the page shows.
type Agent interface {
	Status(ctx context.Context) (agent.Status, error)
	Latest(ctx context.Context, state store.State, most int) ([]store.Job, error)
	Retry(ctx context.Context, r agent.RetryRequest) (agent.Retried, error)
	PerMinute() [60]int // results in each of the last sixty minutes, the present one last
}

// Page serves the page and the metrics of one agent.
type Page struct {
	agent Agent
	door  door
	token string // proves that a change was asked for on this page
}

// New makes the page. Without a password whoever can reach it sees it, and nobody changes anything through it.
func New(a Agent, password string) *Page {
	return &Page{agent: a, door: newDoor(password), token: rand.Text()}
}

// Serve hands handle the page's patterns and what serves them. Requests with a foreign Host or Origin must be refused before.
func (p *Page) Serve(handle func(pattern string, h http.Handler)) {
	handle("GET /{$}", p.door.guard(http.HandlerFunc(p.show)))
	handle("POST /retry", p.door.guard(http.HandlerFunc(p.retry)))
	handle("GET /metrics", p.door.guard(metrics(p.agent)))
}

//go:embed page.html
var html string

//go:embed page.css
var css string

//go:embed page.js
var js string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"css": func() template.CSS { return template.CSS(css) },
	"js":  func() template.JS { return template.JS(js) },

	"visible": tidy.Visible,
	"number":  tidy.Number,
	"count":   tidy.Count,
	"left":    func(seconds int) string { return tidy.About(time.Duration(seconds) * time.Second) },
	"clock":   clock,
	"share":   share,
	"counts":  counts,
	"words":   func(s store.State) string { return tidy.Words(string(s)) },
}).Parse(html))

// policy lets a browser load nothing and run nothing but what is in the page.
var policy = fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; img-src data:; connect-src 'self'; form-action 'self'; "+
	"base-uri 'none'; frame-ancestors 'none'", digest(css), digest(js))

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

const (
	maxLatest = 15
	maxFailed = 30
)

func (p *Page) show(w http.ResponseWriter, r *http.Request) {
	v, err := p.look(r.Context())
	if err != nil {
		http.Error(w, "hotfolder: "+err.Error(), http.StatusInternalServerError)
		return
	}
	var b strings.Builder
	if err := page.Execute(&b, v); err != nil {
		http.Error(w, "hotfolder: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "same-origin") // with less, a browser hides where a form comes from
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	_, _ = w.Write([]byte(b.String())) // the browser may be gone
}

// retry takes up failed jobs again: one by its id, or all.
func (p *Page) retry(w http.ResponseWriter, r *http.Request) {
	if !p.door.locked || !same(r.PostFormValue("token"), p.token) {
		http.Error(w, "hotfolder: load the page anew, and try again from there", http.StatusForbidden)
		return
	}
	request := agent.RetryRequest{IDs: r.PostForm["id"], All: r.PostForm.Get("all") != ""}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(10 * time.Minute)) // each job is a durable step
	_, err := p.agent.Retry(r.Context(), request)
	if err != nil && !errors.Is(err, store.ErrStep) && !errors.Is(err, store.ErrNotFound) { // it has failed no longer: as wished
		http.Error(w, "hotfolder: "+err.Error(), http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// same compares in a time that does not even tell the length.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// view is what page.html shows.
type view struct {
	agent.Status
	Mood     string // ok, warning or error: the gravest that is wrong
	Headline string
	All      agent.Progress // of the folders together

	Delivered, Failed, InQA int // jobs in these states

	Failures []store.Job
	More     int // failed jobs that are not in Failures
	Latest   []store.Job
	Minutes  []bar
	Token    string // "": nothing can be changed here
	Now      time.Time
}

// bar is a rectangle of a picture that is 100 high.
type bar struct{ X, Y, Width, Height float64 }

func (p *Page) look(ctx context.Context) (v view, err error) {
	if v.Status, err = p.agent.Status(ctx); err != nil {
		return v, err
	}
	if v.Failures, err = p.agent.Latest(ctx, store.Failed, maxFailed); err != nil {
		return v, err
	}
	if v.Latest, err = p.agent.Latest(ctx, "", maxLatest); err != nil {
		return v, err
	}
	for _, f := range v.Folders {
		if f.Progress != nil {
			v.All = v.All.Plus(*f.Progress)
		}
	}
	v.Delivered, v.Failed, v.InQA = v.Counts[store.Delivered], v.Counts[store.Failed], v.Counts[store.InQA]
	v.More = v.Failed - len(v.Failures)
	v.Minutes = bars(p.agent.PerMinute())
	v.Mood, v.Headline = mood(v)
	v.Now = time.Now()
	if p.door.locked {
		v.Token = p.token
	}
	return v, nil
}

// mood is how it goes, in a word and for people.
func mood(v view) (word, headline string) {
	wrong := map[agent.Severity]int{}
	for _, t := range v.Troubles {
		wrong[t.Severity]++
	}
	switch {
	case wrong[agent.Error] > 0:
		return "error", tidy.Count(wrong[agent.Error], "thing") + " to mend"
	case wrong[agent.Warning] > 0:
		return "warning", tidy.Count(wrong[agent.Warning], "warning")
	case v.All.Waiting > 0:
		return "ok", "At work"
	}
	return "ok", "All done"
}

// bars draws a column for each number, the highest as high as the picture.
func bars(numbers [60]int) []bar {
	highest := 1
	for _, n := range numbers {
		highest = max(highest, n)
	}
	var drawn []bar
	for i, n := range numbers {
		if n > 0 {
			h := max(4, 100*float64(n)/float64(highest))
			drawn = append(drawn, bar{X: float64(i), Y: 100 - h, Width: 0.7, Height: h})
		}
	}
	return drawn
}

// clock is a local time, with the day unless it is today.
func clock(t time.Time) string {
	t = t.Local()
	if t.Format(time.DateOnly) == time.Now().Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format("Jan 2, 15:04")
}

// share is n of total in percent.
func share(n, total int) float64 { return 100 * float64(n) / float64(max(total, 1)) }

type counted struct {
	State store.State
	N     int
}

// counts are the states that there are jobs in, in the order in which people read them.
func counts(of map[store.State]int) (found []counted) {
	for _, s := range store.States {
		if of[s] > 0 {
			found = append(found, counted{s, of[s]})
		}
	}
	return found
}
