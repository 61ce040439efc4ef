package agent

import (
	"context"
	"slices"
	"time"

	"hotfolder/autoretouch"
)

// What the API announces by webhook is a hint, which anybody may have sent: the execution is asked for before anything is done, at
// most once for each status that is announced of it, and only if a job runs on it. So a hint that is forged, late, repeated or out
// of order does nothing, and one that is missing costs time only.

const (
	mostHints = 1000                   // that are kept; more are dropped, since polling finds what they told
	gather    = 100 * time.Millisecond // hints are gathered, so that one call may answer for several
	enough    = 10                     // hints must be right in a row until they are relied upon
	hintAge   = 10 * time.Second       // a hint may come before the ledger knows that its execution was created
)

// hint is what was announced of an execution.
type hint struct {
	execution string
	status    autoretouch.Status
}

// heard is when a hint came, and what became of it.
type heard struct {
	at    time.Time
	asked bool // and there was no news
}

// telling are the statuses that a hint may announce; of the others nothing is to be done.
var telling = []autoretouch.Status{autoretouch.Completed, autoretouch.InQA, autoretouch.Failed, autoretouch.PaymentRequired}

// AnnounceTo has the API announce what becomes of new executions to an address whose owner calls Announced. It must not be called
// after Run.
func (a *Agent) AnnounceTo(address string) { a.webhooks = []string{address} }

// Announced notes what was announced of an execution; false: there are too many. It never blocks and may be called at any time.
func (a *Agent) Announced(e autoretouch.Execution) (noted bool) {
	select {
	case a.hints <- e:
		return true
	default:
		return false
	}
}

// hear waits until d has passed, and less long when something is announced or there are new executions: it waits a little for more of
// it then, or, for new executions of which nothing was announced yet, for polling.min.
func (p *poller) hear(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	end := time.Now().Add(d)
	atMost := func(d time.Duration) {
		if at := time.Now().Add(d); at.Before(end) {
			end = at
			t.Reset(d)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			return
		case <-p.polls:
			if p.early {
				atMost(gather)
			} else if !p.announced() {
				atMost(p.Config.Polling.Min)
			}
		case e := <-p.hints:
			if p.hinted(e) {
				atMost(gather)
			}
		}
	}
}

// hinted notes a hint, and tells whether it is one to act on.
func (p *poller) hinted(e autoretouch.Execution) bool {
	delete(p.silent, e.ID)
	h := hint{e.ID, e.Status}
	if _, known := p.told[h]; known || !slices.Contains(telling, e.Status) {
		return false
	}
	if len(p.told) >= mostHints {
		p.missed() // whoever floods us, polling goes on as if there were no hints
		return false
	}
	p.told[h] = heard{at: time.Now()}
	return true
}

// confirm asks for the running executions of which something was announced.
func (p *poller) confirm(ctx context.Context, lists map[string]map[string]running) {
	p.early = false
	due := map[string]map[string]running{}
	for h, was := range p.told {
		r, runs := find(lists, h.execution)
		switch {
		case runs && !was.asked:
			if due[r.job.Workflow] == nil {
				due[r.job.Workflow] = map[string]running{}
			}
			due[r.job.Workflow][h.execution] = r
		case !runs && time.Since(was.at) > hintAge:
			delete(p.told, h)
		case !runs:
			p.early = true
		}
	}
	for workflow, jobs := range due {
		if !p.mayAsk() {
			return
		}
		if err := p.confirmAll(ctx, workflow, jobs, lists[workflow]); err != nil && ctx.Err() == nil {
			p.apiTrouble(&p.asking, anyOf(lists[workflow]).f, err)
			p.log.Debug("what was announced is not confirmed, will retry", "err", err)
		}
	}
}

func find(lists map[string]map[string]running, execution string) (r running, runs bool) {
	for _, jobs := range lists {
		if r, runs = jobs[execution]; runs {
			return r, true
		}
	}
	return r, false
}

// confirmAll asks for several executions of a workflow with as few calls as it can: by the list, which was always seen to begin with
// the newest, where they should stand in it, and one by one for what it does not show there.
func (p *poller) confirmAll(ctx context.Context, workflow string, due, all map[string]running) error {
	apply := func(page []shown) {
		news := p.applyAll(ctx, page)
		for _, e := range page {
			p.asked(e.running, news[e.now.ID])
		}
	}
	for before := 0; len(due) > 1 && len(due) != before; {
		before = len(due)
		if _, err := p.readPage(ctx, workflow, placeInList(due, all), due, due, apply); err != nil {
			return err
		}
	}
	for _, r := range due {
		news, err := p.single(ctx, r)
		if err != nil {
			return err
		}
		p.asked(r, news)
	}
	return nil
}

// placeInList is at least how many executions of the list are newer than those that are due.
func placeInList(due, all map[string]running) (newer int) {
	var newest time.Time
	for _, r := range due {
		newest = later(newest, r.job.SubmittedAt)
	}
	for _, r := range all {
		if r.job.SubmittedAt.After(newest) {
			newer++
		}
	}
	return newer
}

// asked notes what came of the hints on an execution. Where they were right, announcements arrive, and polling is the safety net.
func (p *poller) asked(r running, news bool) {
	if news {
		p.right++
	}
	for _, status := range telling {
		h := hint{r.job.Execution, status}
		was, told := p.told[h]
		switch {
		case news:
			delete(p.told, h)
		case told:
			p.told[h] = heard{was.at, true}
		}
	}
}

// found notes that a round had news of an execution.
func (p *poller) found(execution string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.news = append(p.news, execution)
}

// compareWithHints notes of which executions a round had news that was not announced yet.
func (p *poller) compareWithHints() {
	for _, execution := range p.news {
		told := func(status autoretouch.Status) bool { _, told := p.told[hint{execution, status}]; return told }
		if len(p.webhooks) > 0 && !slices.ContainsFunc(telling, told) {
			p.silent[execution] = time.Now()
		}
	}
	p.news = nil
}

// missSilent sees to it that polling goes on when news was not announced: not even soon after a round had it.
func (p *poller) missSilent() {
	for execution, since := range p.silent {
		if time.Since(since) > hintAge {
			delete(p.silent, execution)
			p.missed()
		}
	}
}

// announced tells whether announcements arrive.
func (p *poller) announced() bool { return p.right >= enough }

// missed says that something was not announced.
func (p *poller) missed() { p.right = 0 }
