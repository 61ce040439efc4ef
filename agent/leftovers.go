package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"hotfolder/config"
	"hotfolder/store"
)

// leftovers are the finished jobs of a hot folder whose originals are not yet where they belong: those of failed jobs, and those
// that a full disk, say, or a program that holds the file kept from it.
type leftovers struct {
	wake chan struct{}

	mu    sync.Mutex
	jobs  []string // ids, each once
	there map[string]bool
}

func (l *leftovers) add(jobs ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.there == nil {
		l.there = map[string]bool{}
	}
	for _, id := range jobs {
		if !l.there[id] {
			l.there[id] = true
			l.jobs = append(l.jobs, id)
		}
	}
}

func (l *leftovers) takeAll() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	jobs := l.jobs
	l.jobs, l.there = nil, nil
	return jobs
}

// leaveAside leaves the putting aside of a failed job's input to tidyLoop.
func (a *Agent) leaveAside(f *folder, job store.Job) {
	if f.Failed != "" {
		f.left.add(job.ID)
		ring(f.left.wake)
	}
}

const (
	tidyEvery = time.Minute
	mostStuck = 3 // originals that may fail before a round ends: likely there is more wrong than with these
)

// keepsOriginals tells whether all of a folder's originals stay where they are.
func (f *folder) keepsOriginals() bool { return f.AfterSuccess == config.Keep && f.Failed == "" }

// tidyLoop brings the originals of a hot folder where they belong.
func (a *Agent) tidyLoop(ctx, work context.Context, f *folder) {
	if f.keepsOriginals() {
		return
	}
	a.findLeftovers(f)
	for ctx.Err() == nil {
		a.tidy(work, f)
		pause(ctx, tidyEvery, f.left.wake)
	}
	a.tidy(work, f)
}

// findLeftovers finds what an earlier run left.
func (a *Agent) findLeftovers(f *folder) {
	for job, err := range a.Ledger.Jobs(store.Filter{Folder: f.Name}) {
		if err != nil {
			a.ledgerTrouble(err)
			return
		}
		if job.State == store.Delivered && job.Error != "" || job.State == store.Failed {
			f.left.add(job.ID)
		}
	}
}

// tidy tries each leftover once, unless too many fail: then the others are the first to be tried next time.
func (a *Agent) tidy(ctx context.Context, f *folder) {
	jobs := f.left.takeAll()
	var stuck []string
	for ; len(jobs) > 0 && len(stuck) < mostStuck; jobs = jobs[1:] {
		if err := a.putInPlace(ctx, f, jobs[0]); err != nil {
			stuck = append(stuck, jobs[0])
			a.troubles.raise(OriginalStuck, f.Name, reason(err), "")
		}
	}
	f.left.add(append(jobs, stuck...)...)
	if len(stuck) == 0 {
		a.troubles.clear(OriginalStuck, f.Name)
	}
}

func (a *Agent) putInPlace(ctx context.Context, f *folder, id string) error {
	job, err := a.Ledger.Get(id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case job.State == store.Failed:
		return a.putAside(ctx, f, job)
	case job.State == store.Delivered && job.Error != "":
		if err := a.putAway(ctx, f, job); err != nil {
			return err
		}
		_, err := a.note(id, func(j *store.Job) { j.Error = "" })
		return err
	}
	return nil
}
