package sandbox

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Faults is all that can go wrong on purpose. The zero value is a sandbox that behaves. Fractions run from 0 to 1.
//
// As YAML or JSON (PUT /_sandbox/faults) the names begin in lower case and times are written like 250ms:
// {"latency":"250ms","dropAfter":{"p":0.1,"at":["POST /v1/workflow/execution/create"]}}
type Faults struct {
	// Of calls. Chance.At empty: any endpoint of the API and the auth server.
	Latency      time.Duration `yaml:"latency,omitempty"`      // before each answer
	TooMany      Chance        `yaml:"tooMany,omitempty"`      // 429
	ServerError  Chance        `yaml:"serverError,omitempty"`  // 500, 502 and 503
	RetryAfter   time.Duration `yaml:"retryAfter,omitempty"`   // header on 429 and 503, in whole seconds; 0: none
	DropBefore   Chance        `yaml:"dropBefore,omitempty"`   // the connection breaks and nothing was done
	DropAfter    Chance        `yaml:"dropAfter,omitempty"`    // the call is served and the connection breaks before the answer
	Portal       Chance        `yaml:"portal,omitempty"`       // a captive portal answers with HTML
	PortalStatus int           `yaml:"portalStatus,omitempty"` // its status; 0: 200
	Huge         Chance        `yaml:"huge,omitempty"`         // a JSON answer of 1 GiB

	// Of the bodies of answers. Chance.At empty: downloads.
	Truncate  Chance `yaml:"truncate,omitempty"`  // half of it, with a Content-Length to match: only the hash can tell
	CutShort  Chance `yaml:"cutShort,omitempty"`  // half of it, then the connection breaks
	Corrupt   Chance `yaml:"corrupt,omitempty"`   // one bit is wrong
	Stall     Chance `yaml:"stall,omitempty"`     // half of it, then nothing more for 10 minutes
	StallRead Chance `yaml:"stallRead,omitempty"` // the server reads half of the request's body; At empty: uploads

	// Of logins.
	TokenCalls          int  `yaml:"tokenCalls,omitempty"`          // an access token is good for so many calls; 0: for its time
	RotateRefreshTokens bool `yaml:"rotateRefreshTokens,omitempty"` // a refresh brings a new refresh token and ends the old one

	// Of executions: fractions of those created from now on.
	Slow          float64       `yaml:"slow,omitempty"`          // take SlowFor longer
	SlowFor       time.Duration `yaml:"slowFor,omitempty"`       //
	InQA          float64       `yaml:"inQA,omitempty"`          // are IN_QA for QAFor before they are COMPLETED
	QAFor         time.Duration `yaml:"qaFor,omitempty"`         //
	UnknownStatus float64       `yaml:"unknownStatus,omitempty"` // are StatusLater for UnknownFor before that
	UnknownFor    time.Duration `yaml:"unknownFor,omitempty"`    //
	Fail          float64       `yaml:"fail,omitempty"`          // end as FAILED
	FailTimes     int           `yaml:"failTimes,omitempty"`     // tries that do; 0: all
	Vanish        float64       `yaml:"vanish,omitempty"`        // are gone (404) when they should be COMPLETED
	ResultGone    float64       `yaml:"resultGone,omitempty"`    // are COMPLETED, but their result answers 404
	ResultName    string        `yaml:"resultName,omitempty"`    // the file name of all results, such as ../../evil
	ResultType    string        `yaml:"resultType,omitempty"`    // the content type that all results are said to have
	ResultIs      string        `yaml:"resultIs,omitempty"`      // all results are: the input again, half a picture, empty, or a text
	ListLag       time.Duration `yaml:"listLag,omitempty"`       // the list call shows the executions as they were so long ago

	// Of webhook deliveries.
	WebhookDrop   float64       `yaml:"webhookDrop,omitempty"`   // the fraction that never comes
	WebhookRepeat float64       `yaml:"webhookRepeat,omitempty"` // the fraction that comes twice
	WebhookDelay  time.Duration `yaml:"webhookDelay,omitempty"`  // each is up to so much late, and so they come out of order
}

// Chance says how often a fault happens, and where.
type Chance struct {
	Count int      `yaml:"count,omitempty"` // it happens to the next so many calls,
	P     float64  `yaml:"p,omitempty"`     // then with this probability
	At    []string `yaml:"at,omitempty"`    // to calls of these endpoints: Create, Download, …
}

// SetFaults replaces all faults. Executions that exist keep what was drawn for them.
func (s *Server) SetFaults(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// Faults returns the faults as they are now, what is left of each Count included.
func (s *Server) Faults() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

// fate is what was drawn for one execution when it was created.
type fate struct {
	slow, qa, later      time.Duration
	fails                int // tries that fail; -1: all
	vanishes, resultGone bool
}

func (s *Server) drawFateLocked() fate {
	f, drawn := s.faults, fate{}
	if s.chanceLocked(f.Slow) {
		drawn.slow = f.SlowFor
	}
	if s.chanceLocked(f.InQA) {
		drawn.qa = max(f.QAFor, time.Millisecond)
	}
	if s.chanceLocked(f.UnknownStatus) {
		drawn.later = max(f.UnknownFor, time.Millisecond)
	}
	if s.chanceLocked(f.Fail) {
		drawn.fails = f.FailTimes
		if f.FailTimes <= 0 {
			drawn.fails = -1
		}
	}
	drawn.vanishes = s.chanceLocked(f.Vanish)
	drawn.resultGone = s.chanceLocked(f.ResultGone)
	return drawn
}

func (s *Server) chanceLocked(p float64) bool { return p > 0 && s.rng.Float64() < p }

// strikesLocked tells whether a fault of the endpoints unless At names others happens to this call.
func (s *Server) strikesLocked(c *Chance, call string, unless ...string) bool {
	at := c.At
	if len(at) == 0 {
		at = unless
	}
	if len(at) > 0 && !slices.Contains(at, call) {
		return false
	}
	if c.Count > 0 {
		c.Count--
		return true
	}
	return s.chanceLocked(c.P)
}

// misbehave does to a call what the faults want. It returns the writer to answer with and whether it has answered itself;
// where the connection shall break it panics with http.ErrAbortHandler, which is how net/http is told to break it.
func (s *Server) misbehave(call string, w http.ResponseWriter, r *http.Request) (http.ResponseWriter, bool) {
	s.mu.Lock()
	f := &s.faults
	latency, retryAfter, portalStatus := f.Latency, f.RetryAfter, f.PortalStatus
	dropBefore := s.strikesLocked(&f.DropBefore, call)
	portal := s.strikesLocked(&f.Portal, call)
	tooMany := s.strikesLocked(&f.TooMany, call)
	serverError := s.strikesLocked(&f.ServerError, call)
	errorStatus := http.StatusInternalServerError + []int{0, 2, 3}[s.rng.IntN(3)]
	huge := s.strikesLocked(&f.Huge, call)
	how := s.bendLocked(call)
	stallRead := s.strikesLocked(&f.StallRead, call, Upload)
	dropAfter := s.strikesLocked(&f.DropAfter, call)
	s.mu.Unlock()

	if latency > 0 && !s.sleep(r.Context(), latency) || dropBefore {
		panic(http.ErrAbortHandler)
	}
	switch {
	case portal:
		answerPortal(w, portalStatus)
		return w, true
	case tooMany:
		setRetryAfter(w, retryAfter)
		refuse(w, r, refusef(http.StatusTooManyRequests, "Too many requests"))
		return w, true
	case serverError:
		if errorStatus == http.StatusServiceUnavailable {
			setRetryAfter(w, retryAfter)
		}
		refuse(w, r, refusef(errorStatus, "The sandbox was asked for this error"))
		return w, true
	case huge:
		answerHuge(w)
		return w, true
	}
	if stallRead {
		r.Body = &stalledBody{ReadCloser: r.Body, left: max(r.ContentLength/2, 0), stall: func() { s.sleep(r.Context(), stallFor) }}
	}
	if dropAfter {
		return &lostAnswer{header: http.Header{}}, false
	}
	if how != straight {
		return &bentBody{ResponseWriter: w, how: how, stall: func() { s.sleep(r.Context(), stallFor) }}, false
	}
	return w, false
}

const stallFor = 10 * time.Minute

func setRetryAfter(w http.ResponseWriter, d time.Duration) {
	if d > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(d.Seconds()))))
	}
}

func answerPortal(w http.ResponseWriter, status int) {
	if status == 0 {
		status = http.StatusOK
	}
	page := "<!doctype html><html><head><title>Welcome</title></head><body><h1>Please sign in to the guest network</h1></body></html>"
	_ = writeBody(w, status, "text/html; charset=utf-8", []byte(page))
}

func answerHuge(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	spaces := make([]byte, 1<<20)
	for i := range spaces {
		spaces[i] = ' '
	}
	spaces[0] = '['
	for range 1 << 10 {
		if _, err := w.Write(spaces); err != nil {
			return
		}
		spaces[0] = ' '
	}
	fmt.Fprint(w, "]")
}

// lostAnswer is the writer of an answer that nobody gets.
type lostAnswer struct {
	header http.Header
	status int
}

func (l *lostAnswer) Header() http.Header         { return l.header }
func (l *lostAnswer) Write(p []byte) (int, error) { return len(p), nil }
func (l *lostAnswer) WriteHeader(status int)      { l.status = status }

// bend is what happens to an answer's body half-way.
type bend int

const (
	straight bend = iota
	truncated
	cutShort
	corrupted
	stalled
)

func (s *Server) bendLocked(call string) bend {
	f := &s.faults
	switch {
	case s.strikesLocked(&f.Truncate, call, Download):
		return truncated
	case s.strikesLocked(&f.CutShort, call, Download):
		return cutShort
	case s.strikesLocked(&f.Corrupt, call, Download):
		return corrupted
	case s.strikesLocked(&f.Stall, call, Download):
		return stalled
	}
	return straight
}

// bentBody spoils a body of a declared length half-way.
type bentBody struct {
	http.ResponseWriter
	how   bend
	left  int64 // bytes that are still to be left alone
	done  bool
	stall func()
}

func (b *bentBody) WriteHeader(status int) {
	length, _ := strconv.ParseInt(b.Header().Get("Content-Length"), 10, 64)
	b.left = length / 2
	if b.how == truncated && length > 0 {
		b.Header().Set("Content-Length", strconv.FormatInt(b.left, 10))
	}
	b.ResponseWriter.WriteHeader(status)
}

func (b *bentBody) Write(p []byte) (int, error) {
	if b.done || int64(len(p)) <= b.left {
		b.left -= int64(len(p))
		if b.done && b.how == truncated {
			return len(p), nil
		}
		return b.ResponseWriter.Write(p)
	}
	b.done = true
	if b.how == corrupted {
		wrong := slices.Clone(p)
		wrong[b.left] ^= 1
		return b.ResponseWriter.Write(wrong)
	}
	if n, err := b.ResponseWriter.Write(p[:b.left]); err != nil || b.how == truncated {
		return max(n, len(p)), err
	}
	_ = http.NewResponseController(b.ResponseWriter).Flush()
	if b.how == stalled {
		b.stall()
	}
	panic(http.ErrAbortHandler)
}

// stalledBody is a request body of which only the first part is read.
type stalledBody struct {
	io.ReadCloser
	left  int64
	stall func()
}

func (b *stalledBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		b.stall()
		panic(http.ErrAbortHandler)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
