package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hotfolder/autoretouch"
	"hotfolder/store"
)

const (
	pageSize   = 50               // executions a list call is asked for (API.md, Executions)
	singles    = 10               // details calls at most in one round, for executions that the list did not show
	vanishedIn = 10 * time.Minute // an execution that the API does not know for this long is given up
)

// running is an execution that the API has not finished, as far as the ledger knows.
type running struct {
	f   *folder
	job store.Job
}

// poller asks how the executions fare.
type poller struct {
	*Agent
	interval time.Duration        // between two rounds
	last     time.Time            // when the last one was
	inQA     time.Time            // when those in QA were last asked for on purpose
	vanished map[string]time.Time // executions that the API did not know, since when
	strange  map[string]bool      // statuses never heard of

	told  map[hint]heard // what was announced
	early bool           // some of it of executions that no job is known to run on
	right int            // hints that were right since one was missing
}

// pollLoop asks for the executions that are not finished: at once when there are new ones, as often as polling.min while there is
// news, and ever more rarely down to polling.max while there is none, or while news are announced. It asks for those of which
// something was announced as soon as it was.
func (a *Agent) pollLoop(ctx, work context.Context) {
	p := &poller{Agent: a, interval: a.Config.Polling.Min, vanished: map[string]time.Time{}, strange: map[string]bool{}, told: map[hint]heard{}}
	for ctx.Err() == nil {
		lists, n := p.unfinished()
		switch {
		case n == 0:
			pause(ctx, time.Hour, a.polls)
			p.interval = a.Config.Polling.Min
			if p.announced() {
				p.last = time.Now()
			}
			continue
		case !a.mayAsk():
			pause(ctx, time.Second, nil)
			continue
		case time.Since(p.last) < p.wait():
			p.confirm(work, lists)
		default:
			p.rounds(work, lists)
		}
		p.hear(ctx, time.Until(p.last.Add(p.wait())))
	}
}

// wait is how long after a round the next one begins.
func (p *poller) wait() time.Duration {
	if p.announced() {
		return p.Config.Polling.Max
	}
	return p.interval
}

// rounds asks for all that is running.
func (p *poller) rounds(ctx context.Context, lists map[string]map[string]running) {
	news := false
	for workflow, jobs := range lists {
		found, err := p.round(ctx, workflow, jobs)
		news = news || found
		if err != nil && ctx.Err() == nil {
			for _, r := range jobs {
				p.apiTrouble(&p.asking, r.f, err)
				break
			}
			p.log.Debug("poll failed, will retry", "err", err)
		}
	}
	if news {
		p.interval = p.Config.Polling.Min
		p.missed()
	} else {
		p.interval = min(p.interval*5/4+time.Millisecond, p.Config.Polling.Max)
	}
	p.last = time.Now()
}

// unfinished returns what is running by workflow and execution, and how much that is.
func (p *poller) unfinished() (map[string]map[string]running, int) {
	lists, n := map[string]map[string]running{}, 0
	for _, f := range p.folders {
		for _, state := range []store.State{store.Processing, store.InQA, store.PaymentRequired} {
			jobs, err := p.Ledger.Next(state, f.Name, noLimit, func(string) bool { return false })
			if err != nil {
				p.ledgerTrouble(err)
			}
			for _, job := range jobs {
				if lists[job.Workflow] == nil {
					lists[job.Workflow] = map[string]running{}
				}
				lists[job.Workflow][job.Execution] = running{f, job}
				n++
			}
		}
	}
	return lists, n
}

// round asks for a workflow's running executions: by the list as long as it shows some, and one by one for a few of the others.
// It tells whether there was news of any.
func (p *poller) round(ctx context.Context, workflow string, jobs map[string]running) (news bool, err error) {
	askQA := time.Since(p.inQA) >= p.Config.Polling.Max
	if askQA {
		p.inQA = time.Now()
	}
	for id, r := range jobs {
		if r.job.State == store.InQA && !askQA {
			delete(jobs, id)
		}
	}
	for offset, barren := 0, 0; len(jobs) > 0 && barren < 2; {
		page, err := p.api.Executions(ctx, workflow, pageSize, offset)
		if err != nil {
			return news, err
		}
		p.apiWorks(&p.asking)
		barren++
		for _, e := range page.Entries {
			if r, ok := jobs[e.ID]; ok {
				barren = 0
				delete(jobs, e.ID)
				news = p.apply(ctx, r, e) || news
			}
		}
		if offset += len(page.Entries); len(page.Entries) == 0 || page.Total > 0 && offset >= page.Total {
			break
		}
	}
	asked := 0
	for _, r := range jobs { // in random order, so that all have their turn
		if asked++; asked > singles {
			break
		}
		found, err := p.single(ctx, r)
		if err != nil {
			return news, err
		}
		news = news || found
	}
	return news, nil
}

// single asks for one execution.
func (p *poller) single(ctx context.Context, r running) (news bool, err error) {
	e, err := p.api.Execution(ctx, r.job.Execution)
	switch {
	case errors.Is(err, autoretouch.ErrNotFound):
		since, before := p.vanished[r.job.Execution]
		if !before {
			p.vanished[r.job.Execution] = time.Now()
		} else if time.Since(since) > vanishedIn {
			delete(p.vanished, r.job.Execution)
			p.fail(r.f, r.job, "AutoRetouch no longer knows the execution "+r.job.Execution+": ask its support")
		}
		return false, nil
	case err != nil:
		return false, err
	}
	p.apiWorks(&p.asking)
	delete(p.vanished, r.job.Execution)
	return p.apply(ctx, r, e), nil
}

// apply does what an execution's status calls for, and tells whether it was news.
func (p *poller) apply(ctx context.Context, r running, e autoretouch.Execution) (news bool) {
	to, detail := store.Processing, ""
	switch e.Status {
	case autoretouch.Completed:
		return p.completed(r, e)
	case autoretouch.Failed:
		return p.failed(ctx, r, e)
	case autoretouch.InQA:
		to, detail = store.InQA, "waits for a person at AutoRetouch"
	case autoretouch.PaymentRequired:
		to, detail = store.PaymentRequired, "the account is out of credits"
		p.troubles.raise(OutOfCredits, "", "", "")
		ring(p.credits)
	case autoretouch.Created, autoretouch.Active:
	default:
		if len(p.strange) < 100 && !p.strange[string(e.Status)] {
			p.strange[string(e.Status)] = true
			p.log.Warn("unknown status of an execution, waiting", "status", e.Status, "execution", e.ID)
		}
		return false
	}
	if to == r.job.State {
		return false
	}
	r.f.log.Info(string(to), "file", r.job.Path, "job", r.job.ID)
	return p.did(p.step(r.job.ID, to, detail, nil))
}

func (p *poller) completed(r running, e autoretouch.Execution) bool {
	if e.ResultPath == "" || e.ResultHash == "" {
		return false // says it is done but not where: the next round may
	}
	return p.did(p.step(r.job.ID, store.Downloading, "", func(j *store.Job) {
		j.Result = store.Result{Path: e.ResultPath, SHA256: e.ResultHash, ContentType: e.ResultContentType, Name: e.ResultName}
		j.Version = e.WorkflowVersion
		if e.ChargedCredits > 0 && e.Labels[labelJob] == j.ID { // another's was charged elsewhere
			j.Credits = e.ChargedCredits
		}
	}))
}

// failed runs the execution again, as often as the folder allows. A crash between the call and the ledger costs at most one run more
// than that; runs of one execution are not charged twice.
func (p *poller) failed(ctx context.Context, r running, e autoretouch.Execution) bool {
	if r.job.Retries >= r.f.Retries {
		p.fail(r.f, r.job, fmt.Sprintf("AutoRetouch could not process the picture (%d times, execution %s): look at it, then 'hotfolder retry %s'",
			r.job.Attempts, e.ID, r.job.ID))
		return true
	}
	if err := p.api.Retry(ctx, e.ID); err != nil {
		r.f.log.Debug("execution not run again, will retry", "file", r.job.Path, "job", r.job.ID, "err", err)
		return false
	}
	r.f.log.Warn("AutoRetouch could not process the picture, runs it again", "file", r.job.Path, "job", r.job.ID)
	return p.did(p.note(r.job.ID, func(j *store.Job) { j.Attempts++; j.Retries++ }))
}

func (p *poller) did(_ store.Job, err error) bool {
	if err != nil {
		p.ledgerTrouble(err)
	}
	return err == nil
}
