package agent

import (
	"cmp"
	"context"
	"slices"
	"time"

	"hotfolder/autoretouch"
	"hotfolder/store"
)

// Create calls without an answer are looked for among the workflow's executions, by the label. A job found there goes on; one that is
// surely not there goes back to be created. The list may lag, so that is sure only when a look that began CreateLookup after
// the call was given up, and that went back far enough, did not show it.

// How much earlier than the intent an execution may claim to have been created, since clocks differ: for a look that may find it, and
// for one that is to be sure that it is not there.
const (
	likelyMargin = 10 * time.Minute
	sureMargin   = 24 * time.Hour
)

// missing is a job in submitting that nobody is just creating an execution for.
type missing struct {
	job    store.Job
	intent time.Time // when its create call was about to be made
	since  time.Time // when that call had surely ended
}

// lookupLoop looks executions up while there is any to be found.
func (a *Agent) lookupLoop(ctx, work context.Context) {
	known := map[string]missing{}
	wait := idleLook
	for ctx.Err() == nil {
		a.lookingUp.beat(idleLook)
		lost := a.lost(known)
		if len(lost) == 0 {
			wait = idleLook
		} else if !a.mayAsk() {
			wait = time.Second
		} else {
			a.lookAll(work, lost)
			wait = min(max(2*wait, a.Config.Polling.Min), 5*time.Second)
			if len(a.lost(known)) == 0 {
				continue
			}
		}
		a.lookingUp.beat(wait)
		pause(ctx, wait, a.lookups)
	}
}

// lost returns the jobs to look up by hot folder. It keeps in known since when each is, for this call of create: a job that was
// created again in vain begins anew.
func (a *Agent) lost(known map[string]missing) map[*folder][]missing {
	lost, still := map[*folder][]missing{}, map[string]bool{}
	for _, f := range a.folders {
		jobs, err := a.Ledger.Next(store.Submitting, f.Name, noLimit, a.stage(store.Uploaded).has)
		if err != nil {
			a.ledgerTrouble(err)
			continue
		}
		for _, listed := range jobs {
			job, err := a.Ledger.Get(listed.ID)
			if err != nil || job.State != store.Submitting || a.stage(store.Uploaded).has(job.ID) { // created meanwhile, or just being
				continue
			}
			m := missing{job: job, intent: job.History[len(job.History)-1].Time, since: time.Now()}
			if k, ok := known[job.ID]; ok && k.intent.Equal(m.intent) {
				m.since = k.since
			}
			known[job.ID], still[job.ID] = m, true
			lost[f] = append(lost[f], m)
		}
	}
	for id := range known {
		if !still[id] {
			delete(known, id)
		}
	}
	return lost
}

func (a *Agent) lookAll(ctx context.Context, lost map[*folder][]missing) {
	for f, jobs := range lost {
		began := time.Now()
		sure := func(m missing) bool { return began.Sub(m.since) > a.Config.API.CreateLookup }
		margin := likelyMargin
		if slices.ContainsFunc(jobs, sure) {
			margin = sureMargin
		}
		found, listErr := a.byLabel(ctx, f, jobs, margin)
		if listErr == nil {
			a.apiWorks(&a.asking)
		} else if ctx.Err() == nil {
			a.apiTrouble(&a.asking, f, listErr)
			f.log.Debug("lookup failed, will retry", "err", listErr)
		}
		for _, m := range jobs {
			var err error
			if e, ok := found[m.job.ID]; ok {
				err = a.created(f, m.job, e.ID, cmp.Or(e.ChargedCredits, a.account.price(f.Workflow)), "execution found by its label")
			} else if listErr == nil && sure(m) {
				_, err = a.step(m.job, store.Uploaded, "no execution carries its label: it is created again", nil)
			}
			if err != nil {
				a.ledgerTrouble(err)
			}
		}
	}
}

// byLabel finds the executions that carry the label of one of the jobs. It reads the list, newest first as far as was ever seen,
// until all are found or nothing older can be one of them; if the list turns out not to be in that order, to its end. What was
// found before an error is returned with it.
func (a *Agent) byLabel(ctx context.Context, f *folder, jobs []missing, margin time.Duration) (map[string]autoretouch.Execution, error) {
	wanted := map[string]bool{}
	earliest := time.Now()
	for _, m := range jobs {
		wanted[m.job.ID] = true
		if m.intent.Before(earliest) {
			earliest = m.intent
		}
	}
	found := map[string]autoretouch.Execution{}
	newestFirst, last := true, time.Time{}
	list := newListing(a.api, f.Workflow, someTries)
	for offset := 0; ; {
		a.lookingUp.beat(2 * time.Hour) // the pauses that the API may ask for between three tries, an hour each
		page, err := list.page(ctx, offset)
		if err != nil {
			return found, err
		}
		for _, e := range page.Entries {
			if id := e.Labels[labelJob]; wanted[id] {
				if _, twice := found[id]; twice && found[id].ID != e.ID {
					f.log.Warn("two executions carry one job's label", "job", id, "execution", e.ID, "other", found[id].ID)
				}
				found[id] = e
			}
			if !last.IsZero() && e.Created.After(last) {
				newestFirst = false
			}
			last = e.Created
		}
		offset += len(page.Entries)
		tooOld := newestFirst && !last.IsZero() && last.Before(a.byAPIClock(earliest).Add(-margin))
		if len(found) == len(wanted) || isLast(page, offset) || tooOld {
			return found, nil
		}
	}
}

// byAPIClock is a time of this machine's clock as the API's shows it at the latest: a clock that is ahead would make all executions seem too
// old. One that is behind only makes for longer looks.
func (a *Agent) byAPIClock(t time.Time) time.Time { return t.Add(min(a.api.Skew(), 0)) }
