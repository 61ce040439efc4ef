package agent

import (
	"cmp"
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
	regain    = 10                     // hints that must be right after one that was missing
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

// hear waits until d has passed, there are new executions (if anybody waits for them), or something is announced; then it waits a
// little for more of it.
func (p *poller) hear(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	hurry := func() { t.Reset(min(d, gather)) }
	var polls <-chan struct{}
	if p.early {
		polls = p.polls
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			return
		case <-polls:
		case e := <-p.hints:
			if !p.hinted(e) {
				continue
			}
		}
		hurry()
		hurry = func() {}
	}
}

// hinted notes a hint, and tells whether it is one to act on.
func (p *poller) hinted(e autoretouch.Execution) bool {
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
	due := map[string][]running{}
	for h, was := range p.told {
		r, runs := find(lists, h.execution)
		switch {
		case runs && !was.asked:
			due[r.job.Workflow] = append(due[r.job.Workflow], r)
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
			p.apiTrouble(&p.asking, jobs[0].f, err)
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
func (p *poller) confirmAll(ctx context.Context, workflow string, due []running, all map[string]running) error {
	slices.SortFunc(due, func(a, b running) int {
		return cmp.Or(b.job.SubmittedAt.Compare(a.job.SubmittedAt), cmp.Compare(a.job.ID, b.job.ID))
	})
	for before := 0; len(due) > 1 && len(due) != before; {
		page, err := p.api.Executions(ctx, workflow, pageSize, placeInList(due[0], all))
		if err != nil {
			return err
		}
		p.apiWorks(&p.asking)
		before = len(due)
		due = slices.DeleteFunc(due, func(r running) bool {
			i := slices.IndexFunc(page.Entries, func(e autoretouch.Execution) bool { return e.ID == r.job.Execution })
			if i >= 0 {
				p.asked(r, p.apply(ctx, r, page.Entries[i]))
			}
			return i >= 0
		})
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

// placeInList is at least how many executions of the list are newer.
func placeInList(r running, all map[string]running) (newer int) {
	for _, other := range all {
		if other.job.SubmittedAt.After(r.job.SubmittedAt) {
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

// announced tells whether announcements arrive.
func (p *poller) announced() bool { return p.right > 0 }

// missed says that something was not announced: it takes some right hints until they are relied upon again.
func (p *poller) missed() { p.right = -regain }
