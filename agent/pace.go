package agent

import (
	"time"

	"hotfolder/autoretouch"
	"hotfolder/store"
)

// pace is how long the API takes for the executions of a workflow: a running mean and its deviation, learned as TCP learns its
// round trips (RFC 6298).
type pace struct{ mean, deviation time.Duration }

// longestPace is for how long an execution may have taken to tell anything of others: it may have waited for a person.
const longestPace = time.Hour

func (p *pace) learn(took time.Duration) {
	if p.mean == 0 {
		p.mean, p.deviation = took, took/8
		return
	}
	p.deviation += ((took - p.mean).Abs() - p.deviation) / 4
	p.mean += (took - p.mean) / 8
}

// learn notes how long the API, by its own clock, took for an execution that it was asked to run once.
func (p *poller) learn(job store.Job, e autoretouch.Execution) {
	took := e.Finished.Sub(e.Created)
	if e.Created.IsZero() || took <= 0 || took > longestPace || job.State != store.Processing || job.Attempts > 1 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paces[job.Workflow] == nil {
		p.paces[job.Workflow] = &pace{}
	}
	p.paces[job.Workflow].learn(took)
}

// expected is from when on and until when a running execution should be seen to be finished; zero if nothing is known of that.
func (p *poller) expected(job store.Job) (from, to time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pace := p.paces[job.Workflow]
	if pace == nil || job.State != store.Processing {
		return time.Time{}, time.Time{}
	}
	at := job.SubmittedAt.Add(pace.mean)
	if len(p.webhooks) > 0 { // what is announced comes first
		at = at.Add(p.Config.Polling.Min)
	}
	return at.Add(-2 * pace.deviation), at.Add(2 * pace.deviation)
}

// due is when the next round is to begin.
func (p *poller) due(lists map[string]map[string]running) time.Time {
	polling := p.Config.Polling
	next := p.last.Add(polling.Max)
	if p.announced() {
		return next
	}
	late := false // some take longer than expected, or nothing is known of how long they take
	var end time.Time
	for _, jobs := range lists {
		for _, r := range jobs {
			from, to := p.expected(r.job)
			if !from.After(p.last) {
				late = true
				continue
			}
			next, end = earliest(next, from), later(end, to)
		}
	}
	if late {
		next = earliest(next, p.last.Add(p.interval))
	}
	next = later(next, p.last.Add(polling.Min))
	if !late && end.Before(next.Add(polling.Min/2)) {
		next = later(next, earliest(end, p.last.Add(polling.Max))) // so that one round tells of the last ones, too
	}
	return next
}

// ripe tells whether some should have finished since the last round.
func (p *poller) ripe(lists map[string]map[string]running) bool {
	for _, jobs := range lists {
		for _, r := range jobs {
			if from, _ := p.expected(r.job); from.After(p.last) && !from.After(time.Now()) {
				return true
			}
		}
	}
	return false
}
