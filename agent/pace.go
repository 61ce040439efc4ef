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

// expected is from when on and until when a running execution should be seen to be finished, or to be no longer what it is waiting for.
// As long as none of its workflow was seen to finish it may be at any time since the oldest was submitted.
func (p *poller) expected(job store.Job, oldest time.Time) (from, to time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pace := p.paces[job.Workflow]
	switch {
	case job.State != store.Processing:
		return job.LastStep(), job.LastStep()
	case pace == nil:
		return oldest, oldest
	}
	at := job.SubmittedAt.Add(pace.mean)
	if len(p.webhooks) > 0 { // what is announced comes first
		at = at.Add(p.Config.Polling.Min)
	}
	return at.Add(-2 * pace.deviation), at.Add(2 * pace.deviation)
}

// due is when the next round is to begin: when the first executions are expected to be finished, and of those that should be already,
// the later the longer they are overdue.
func (p *poller) due(lists map[string]map[string]running) time.Time {
	polling := p.Config.Polling
	next, end := p.last.Add(polling.Max), time.Time{}
	if p.announced() {
		return next
	}
	for _, jobs := range lists {
		oldest := submittedFirst(jobs)
		for _, r := range jobs {
			from, to := p.expected(r.job, oldest)
			if !to.After(p.last) {
				from = p.last.Add(p.last.Sub(to) / 4)
			}
			next, end = earliest(next, from), later(end, to)
		}
	}
	next = later(next, p.last.Add(polling.Min))
	if rest := end.Sub(next); rest > 0 && !p.moreToCome() { // the rounds until then are spread so that the last one tells of the last executions
		next = next.Add(rest % polling.Min / (rest/polling.Min + 1))
	}
	return next
}

// submittedFirst is when the oldest of the executions was submitted on which the API works.
func submittedFirst(jobs map[string]running) time.Time {
	oldest := time.Now()
	for _, r := range jobs {
		if r.job.State == store.Processing {
			oldest = earliest(oldest, r.job.SubmittedAt)
		}
	}
	return oldest
}

// moreToCome tells whether there will be more executions.
func (p *poller) moreToCome() bool {
	counts, err := p.Ledger.Counts()
	for _, of := range counts {
		if of[store.Queued]+of[store.Uploaded]+of[store.Submitting] > 0 {
			return true
		}
	}
	return err != nil
}
