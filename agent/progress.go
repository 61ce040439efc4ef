package agent

import (
	"context"
	"maps"
	"sync"
	"time"

	"hotfolder/store"
)

// Progress is how far a hot folder has come since it last had nothing to do for a minute: a drop, a night's work.
type Progress struct {
	Since       time.Time `json:"since"`
	Delivered   int       `json:"delivered"`
	Failed      int       `json:"failed"`
	Gone        int       `json:"gone"`
	Waiting     int       `json:"waiting"`                // not at an end yet
	SecondsLeft int       `json:"seconds_left,omitempty"` // by the pace of the last minutes; 0: not known
}

// Done is how many pictures are at an end, whichever it is.
func (p Progress) Done() int { return p.Delivered + p.Failed + p.Gone }

// Total is how many pictures there are.
func (p Progress) Total() int { return p.Done() + p.Waiting }

// Plus is the progress of both together. What is left of it takes as long as the longer one.
func (p Progress) Plus(q Progress) Progress {
	if p.Since.IsZero() || q.Since.Before(p.Since) {
		p.Since = q.Since
	}
	p.Delivered += q.Delivered
	p.Failed += q.Failed
	p.Gone += q.Gone
	p.Waiting += q.Waiting
	p.SecondsLeft = max(p.SecondsLeft, q.SecondsLeft)
	return p
}

// progress is what a Progress is counted from.
type progress struct {
	mu      sync.Mutex
	since   time.Time           // zero: not looked yet
	base    map[store.State]int // the counts then
	last    map[store.State]int // the counts when they were last looked at
	changed time.Time           // when they were last seen to change
}

// rest is how long a folder has nothing to do before what comes next is something new.
const rest = time.Minute

// look compares the counts with those at the beginning, which is now when there is something to do after a rest. Unless whole,
// that is: then it began when it was first looked at, and failed are all failures, which the counts do not show when a picture fails in
// the place of one that had failed before.
func (p *progress) look(now map[store.State]int, at time.Time, whole bool, failed int) Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.since.IsZero() {
		p.base, p.last, p.since, p.changed = maps.Clone(now), maps.Clone(now), at, at
	}
	if !maps.Equal(p.last, now) {
		if !whole && waiting(p.last) == 0 && at.Sub(p.changed) > rest {
			p.base, p.since = p.last, at
		}
		p.last, p.changed = maps.Clone(now), at
	}
	grown := func(s store.State) int { return max(0, now[s]-p.base[s]) }
	so := Progress{
		Since:     p.since,
		Delivered: grown(store.Delivered),
		Failed:    grown(store.Failed),
		Gone:      grown(store.Gone),
		Waiting:   waiting(now),
	}
	if whole {
		noLonger := p.base[store.Failed] + failed - now[store.Failed] // jobs that had failed and were replaced: no pictures of now
		so.Failed, so.Gone = failed, max(0, so.Gone-max(0, noLonger))
	}
	return so
}

// waiting counts the jobs that are not at an end.
func waiting(counts map[store.State]int) (n int) {
	for state, jobs := range counts {
		if !state.Final() {
			n += jobs
		}
	}
	return n
}

// progressOf is how far a folder has come, by its counts.
func (a *Agent) progressOf(f *folder, counts map[store.State]int) Progress {
	now := time.Now()
	p := f.progress.look(counts, now, a.once, int(f.failures.Load()))
	const pace = 10 // minutes
	took := min(now.Sub(p.Since), pace*time.Minute)
	done := min(f.rate.last(now, pace), p.Delivered)
	moving := p.Waiting - counts[store.InQA] - counts[store.PaymentRequired] // the others take as long as people do
	if done > 0 && moving > 0 && took > 5*time.Second {
		p.SecondsLeft = int(took.Seconds()*float64(moving)/float64(done)) + 1
	}
	return p
}

// progressLoop sees when a folder has nothing to do, though nobody asks.
func (a *Agent) progressLoop(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, 10*time.Second, nil)
		a.lookAtProgress()
	}
}

func (a *Agent) lookAtProgress() {
	counts, err := a.Ledger.Counts()
	if err != nil {
		return // who writes to the ledger tells of its troubles
	}
	for _, f := range a.folders {
		a.progressOf(f, counts[f.Name])
	}
}

// rate counts what was delivered in each of the last sixty minutes.
type rate struct {
	mu      sync.Mutex
	minutes [60]struct {
		minute int64
		n      int
	}
}

func (r *rate) add(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	minute := at.Unix() / 60
	m := &r.minutes[minute%60]
	if m.minute != minute {
		m.minute, m.n = minute, 0
	}
	m.n++
}

// last is how much that was in the last minutes, 60 at most, of which the present one has only begun.
func (r *rate) last(now time.Time, minutes int) (n int) {
	each := r.each(now)
	for _, m := range each[60-minutes:] {
		n += m
	}
	return n
}

// each is how much that was in each of the last sixty minutes, the present one last.
func (r *rate) each(now time.Time) (n [60]int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range n {
		minute := now.Unix()/60 - 59 + int64(i)
		if m := r.minutes[minute%60]; m.minute == minute {
			n[i] = m.n
		}
	}
	return n
}

// PerMinute is how many results were delivered in each of the last sixty minutes, the present one last.
func (a *Agent) PerMinute() (n [60]int) {
	now := time.Now()
	for _, f := range a.folders {
		for i, m := range f.rate.each(now) {
			n[i] += m
		}
	}
	return n
}
