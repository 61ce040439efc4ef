package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
	paces    map[string]*pace     // of the workflows
	last     time.Time            // when the last round was
	lastAll  time.Time            // when the last one was that asked for all, and was answered
	vanished map[string]time.Time // executions that the API did not know, since when

	mu      sync.Mutex                  // of paces, strange and news
	strange map[autoretouch.Status]bool // statuses never heard of
	news    []string                    // executions of which the round under way found some

	told   map[hint]heard       // what was announced
	early  bool                 // some of it of executions that no job is known to run on
	right  int                  // hints that were right since one was missing
	silent map[string]time.Time // executions of which a round had news that was not announced, since when
}

// pollLoop asks for the executions that are not finished when they are expected to be, at most as often as polling.min: if the API was
// not seen to finish others of their workflow yet, or takes longer, ever more rarely down to polling.max, and so while news are announced.
// It asks for those of which something was announced as soon as it was.
func (a *Agent) pollLoop(ctx, work context.Context) {
	p := &poller{Agent: a, paces: map[string]*pace{},
		vanished: map[string]time.Time{}, strange: map[autoretouch.Status]bool{}, told: map[hint]heard{}, silent: map[string]time.Time{}}
	for ctx.Err() == nil {
		a.polling.beat(a.callTime())
		p.missSilent()
		lists, n := p.unfinished()
		due := p.due(lists)
		switch {
		case n == 0:
			a.polling.beat(time.Hour)
			pause(ctx, time.Hour, a.polls)
			p.last = time.Now() // there was nothing to ask for
			p.lastAll = p.last
			p.polled.Store(true)
			clear(p.silent)
			continue
		case !a.mayAsk():
			pause(ctx, time.Second, nil)
			continue
		case time.Now().Before(due):
			p.confirm(work, lists)
		default:
			p.rounds(work, lists)
			continue
		}
		wait := time.Until(due)
		if len(p.silent) > 0 {
			wait = min(wait, hintAge)
		}
		a.polling.beat(wait)
		p.hear(ctx, wait)
	}
}

// callTime is how long a call of the API may take, with a renewal of the login.
func (a *Agent) callTime() time.Duration { return 2 * a.Config.API.Timeout }

func anyOf(jobs map[string]running) (r running) {
	for _, r = range jobs {
		break
	}
	return r
}

// rounds asks for what should be finished by now, and every polling.max for all that is running.
func (p *poller) rounds(ctx context.Context, lists map[string]map[string]running) {
	whole := true
	p.last = time.Now()
	all := p.last.Sub(p.lastAll) >= p.Config.Polling.Max
	for workflow, jobs := range lists {
		due := jobs
		if !all {
			due = p.dueOf(jobs)
		}
		f := anyOf(jobs).f // round takes from jobs what it was told of
		err := p.round(ctx, workflow, due, jobs)
		whole = whole && err == nil
		if err != nil && ctx.Err() == nil {
			p.apiTrouble(&p.asking, f, err)
			p.log.Debug("poll failed, will retry", "err", err)
		}
	}
	p.compareWithHints()
	if whole && all {
		p.lastAll = p.last
		p.polled.Store(true)
	}
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

// dueOf are those of a workflow's running executions that should be finished by now.
func (p *poller) dueOf(jobs map[string]running) map[string]running {
	oldest, due := submittedFirst(jobs), map[string]running{}
	for id, r := range jobs {
		if from, _ := p.expected(r.job, oldest); r.job.State != store.InQA && !from.After(p.last) {
			due[id] = r
		}
	}
	return due
}

// round asks for those of a workflow's running executions that are due, and hears what it is told of the others: by the list, and one by
// one for a few that are not in it.
func (p *poller) round(ctx context.Context, workflow string, due, all map[string]running) error {
	var applied sync.WaitGroup // while the next page is asked for
	defer applied.Wait()
	apply := func(page []shown) {
		applied.Go(func() {
			for id := range p.applyAll(ctx, page) {
				p.found(id)
			}
		})
	}
	place := placeInList(due, all) - pageSize // a page earlier: what was created at one time may be listed in any order
	if place < pageSize {
		place = 0
	}
	wanted := len(due)
	if err := p.readList(ctx, workflow, place, due, all, apply); err != nil {
		return err
	}
	if place > 0 {
		if _, err := p.readPage(ctx, workflow, 0, due, all, apply); err != nil { // what new ones lack, such as credits, is to be seen soon
			return err
		}
		if len(due) == wanted { // the list does not begin with the newest
			if err := p.readList(ctx, workflow, pageSize, due, all, apply); err != nil {
				return err
			}
		}
	}
	asked := 0
	for id, r := range due { // in random order, so that all have their turn
		if asked++; asked > singles {
			break
		}
		news, err := p.single(ctx, r)
		if err != nil {
			return err
		}
		if news {
			p.found(id)
		}
	}
	return nil
}

// readList reads a workflow's list from a place on, until it has shown all that are due, or none of all for two pages.
func (p *poller) readList(ctx context.Context, workflow string, place int, due, all map[string]running, apply func([]shown)) error {
	for barren := 0; len(due) > 0 && barren < 2; {
		before := len(all)
		next, err := p.readPage(ctx, workflow, place, due, all, apply)
		if err != nil {
			return err
		}
		if next == 0 {
			break
		}
		place = next
		if barren++; len(all) < before {
			barren = 0
		}
	}
	return nil
}

// readPage reads a page of a workflow's list and returns where the next one begins, 0 if there is none. What it shows is taken from both.
func (p *poller) readPage(ctx context.Context, workflow string, place int, due, all map[string]running, apply func([]shown)) (next int, err error) {
	p.polling.beat(p.callTime())
	page, err := p.api.Executions(ctx, workflow, pageSize, place)
	if err != nil {
		return 0, err
	}
	p.apiWorks(&p.asking)
	shown := take(all, page)
	for _, e := range shown {
		delete(due, e.now.ID)
	}
	apply(shown)
	next = place + len(page.Entries)
	if len(page.Entries) == 0 || page.Total > 0 && next >= page.Total {
		return 0, nil
	}
	return next, nil
}

// single asks for one execution.
func (p *poller) single(ctx context.Context, r running) (news bool, err error) {
	p.polling.beat(p.callTime())
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

// shown is a running execution and what the API says of it now.
type shown struct {
	running
	now autoretouch.Execution
}

// take takes from the jobs those that a page shows.
func take(jobs map[string]running, page autoretouch.Page) (all []shown) {
	for _, e := range page.Entries {
		if r, ok := jobs[e.ID]; ok {
			delete(jobs, e.ID)
			all = append(all, shown{r, e})
		}
	}
	return all
}

// applyAll does what the statuses of executions call for, and returns those of which that was news. All wait for the ledger together:
// one after the other they would wait for the disk as often as there are executions.
func (p *poller) applyAll(ctx context.Context, executions []shown) (news map[string]bool) {
	var all sync.WaitGroup
	news = map[string]bool{}
	for _, e := range executions {
		all.Go(func() {
			if p.apply(ctx, e.running, e.now) {
				p.mu.Lock()
				defer p.mu.Unlock()
				news[e.now.ID] = true
			}
		})
	}
	all.Wait()
	return news
}

// isNew tells whether a status is one that was never heard of, and not told either.
func (p *poller) isNew(status autoretouch.Status) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.strange[status] || len(p.strange) == 100 {
		return false
	}
	p.strange[status] = true
	return true
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
		if p.isNew(e.Status) {
			p.log.Warn("unknown status of an execution, waiting", "status", e.Status, "execution", e.ID)
		}
		return false
	}
	if to == r.job.State {
		return false
	}
	r.f.log.Info(string(to), "file", r.job.Path, "job", r.job.ID)
	return p.did(p.step(r.job, to, detail, nil))
}

func (p *poller) completed(r running, e autoretouch.Execution) bool {
	if e.ResultPath == "" || e.ResultHash == "" {
		return false // says it is done but not where: the next round may
	}
	p.learn(r.job, e)
	return p.did(p.step(r.job, store.Downloading, "", func(j *store.Job) {
		j.Result = resultOf(e)
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
