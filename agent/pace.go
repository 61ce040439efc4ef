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
	from = job.SubmittedAt.Add(max(0, pace.mean-2*pace.deviation))
	to = job.SubmittedAt.Add(pace.mean + 2*pace.deviation)
	if len(p.webhooks) > 0 { // what is announced comes first
		from = job.SubmittedAt.Add(pace.mean + p.Config.Polling.Min)
	}
	return from, later(from, to)
}

// due is when the next round is to begin: when the first executions are expected to be finished, and for those that were already,
// the later the longer that is ago.
func (p *poller) due(lists map[string]map[string]running) time.Time {
	polling := p.Config.Polling
	next, end := p.lastAll.Add(polling.Max), time.Time{}
	if p.announced() {
		return next
	}
	var all []time.Time // when each is expected first
	for _, jobs := range lists {
		oldest := submittedFirst(jobs)
		for _, r := range jobs {
			if r.job.State == store.InQA { // only asked for with all
				continue
			}
			from, to := p.expected(r.job, oldest)
			if !from.After(p.last) {
				from = p.last.Add(p.last.Sub(from) / 4)
			}
			next, end = earliest(next, from), later(end, to)
			all = append(all, from)
		}
	}
	next = later(next, p.last.Add(polling.Min))
	if end.After(next) && end.Before(next.Add(polling.Min/2)) && p.fewAre(all, next) {
		next = earliest(end, later(next, p.lastAll.Add(polling.Max))) // so that one round tells of the last ones, too
	}
	return next
}

// fewAre tells whether no more are expected by then than can be brought at once: they may wait for others without keeping the line idle.
func (p *poller) fewAre(expected []time.Time, by time.Time) bool {
	n := 0
	for _, from := range expected {
		if !from.After(by) {
			n++
		}
	}
	return n <= p.stage(store.Downloading).workers
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
