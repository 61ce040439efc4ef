package agent

import (
	"math/rand/v2"
	"sync"
	"time"
)

// backoff is how long to wait after n failures in a row: exponential with full jitter, and never less than what was asked for.
func backoff(n int, base, most, asked time.Duration) time.Duration {
	d := most
	if n < 20 {
		d = min(most, base<<(n-1))
	}
	return max(asked, rand.N(d)+1)
}

// gate holds all work of a kind back while the trouble is not that of one job, and lets a single job through from time to time to
// see whether it is over.
type gate struct {
	after      int           // failures in a row before it shuts
	base, most time.Duration // between two tries while it is shut

	mu       sync.Mutex
	failures int
	until    time.Time
	trying   time.Time // since when a try is under way; zero: none is
}

const noLimit = 1 << 30

// longestTry is after what time the next job is let through though the one before has not ended: it may wait for a share that hangs.
const longestTry = time.Minute

// room is how many jobs may pass now.
func (g *gate) room(now time.Time) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.failures < g.after:
		return noLimit
	case now.Before(g.until) || now.Before(g.trying.Add(longestTry)):
		return 0
	}
	return 1
}

// took says that a job passes; while the gate is shut, that is the try.
func (g *gate) took() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failures >= g.after {
		g.trying = time.Now()
	}
}

// left says that a job ended without news of the trouble.
func (g *gate) left() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.trying = time.Time{}
}

// failed counts a failure and tells how many there were in a row.
func (g *gate) failed(asked time.Duration) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := time.Now(); g.failures >= g.after && now.Before(g.until) { // under way when the gate shut: the same trouble, not a try
		g.until = later(g.until, now.Add(asked))
		return g.failures
	}
	g.failures++
	g.trying = time.Time{}
	if n := g.failures - g.after; n >= 0 {
		g.until = time.Now().Add(backoff(n+1, g.base, g.most, asked))
	}
	return g.failures
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// passed says that the trouble is over.
func (g *gate) passed() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failures, g.trying = 0, time.Time{}
}

func (g *gate) shut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failures >= g.after
}

// due is when the next try may pass; zero when the gate is open.
func (g *gate) due() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failures < g.after {
		return time.Time{}
	}
	return g.until
}
