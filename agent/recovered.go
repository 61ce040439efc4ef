package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"hotfolder/autoretouch"
	"hotfolder/store"
)

// What Recover makes of the account: the executions find their files, and become jobs.

// readAccount enters the executions that carry a label, and keeps those that the other files may share. Where there are any of ours
// it looks again when those surely show that were created just before.
func (r *recovery) readAccount(ctx context.Context) error {
	lists := map[string]*listing{}
	for _, f := range r.folders {
		if lists[f.Workflow] != nil {
			continue
		}
		lists[f.Workflow] = newListing(r.API, f.Workflow, someTries)
		w, err := r.API.Workflow(ctx, f.Workflow)
		if err != nil {
			return err
		}
		r.versions[f.Workflow] = w.Version
	}
	for _, o := range r.files {
		r.offers[r.contentOf(o)] = nil
	}
	if err := r.readLists(ctx, lists); err != nil || len(r.labels) == 0 {
		return err
	}
	pause(ctx, time.Until(r.began.Add(r.Config.API.CreateLookup)), nil)
	return r.readLists(ctx, lists)
}

func (r *recovery) readLists(ctx context.Context, lists map[string]*listing) error {
	enter, ctx := errgroup.WithContext(ctx)
	enter.SetLimit(entering)
	for workflow, l := range lists {
		for e, err := range l.all(ctx) {
			if err != nil {
				return cmp.Or(enter.Wait(), err)
			}
			r.met(workflow, e)
			if o := r.originalOf(workflow, e); o != nil {
				enter.Go(func() error { return r.enter(ctx, o, e) })
			}
		}
	}
	return enter.Wait()
}

// contentOf is what an execution must be of for the original to have its result.
func (r *recovery) contentOf(o *original) content {
	return content{o.f.Workflow, cmp.Or(o.f.WorkflowVersion, r.versions[o.f.Workflow]), o.sha}
}

// met counts an execution, and keeps it if a file may share it.
func (r *recovery) met(workflow string, e autoretouch.Execution) {
	r.count(func(report *Recovery) { report.Executions++ })
	of := content{workflow, e.WorkflowVersion, e.InputHash}
	offer, wanted := r.offers[of]
	if wanted && mayShare(e) && (offer == nil || isDone(e) && !isDone(*offer)) {
		r.offers[of] = &e
	}
}

// originalOf finds the file that an execution was created for; nil: it is not ours, or unknown.
func (r *recovery) originalOf(workflow string, e autoretouch.Execution) *original {
	label := e.Labels[labelJob]
	if label == "" {
		return nil
	}
	key := maphash.String(r.seed, label)
	if _, twice := r.labels[key]; twice {
		r.count(func(report *Recovery) { report.Twice++ })
		return nil
	}
	r.labels[key] = struct{}{}
	o := r.files[label]
	if o == nil {
		o = r.trace(workflow, e)
	}
	if o == nil {
		r.count(func(report *Recovery) {
			if report.Unmatched++; len(report.Named) < mostNamed {
				report.Named = append(report.Named, Unmatched{e.ID, e.InputName, e.Status, e.Created})
			}
		})
		return nil
	}
	o.matched = true
	return o
}

// trace finds out where a file that is gone was: the label is a hash of its path, and its name and all subfolders are known.
func (r *recovery) trace(workflow string, e autoretouch.Execution) *original {
	for _, f := range r.folders {
		if f.Workflow != workflow {
			continue
		}
		for i := range len(f.dirs) + 1 {
			dir := f.last
			if i > 0 {
				dir = f.dirs[i-1]
			}
			o := &original{f: f, path: path.Join(dir, e.InputName), sha: e.InputHash, seen: store.Seen{Size: -1}, gone: true}
			if o.id() == e.Labels[labelJob] && !strings.Contains(e.InputName, "/") && filepath.IsLocal(filepath.FromSlash(o.path)) {
				f.last = dir
				return o
			}
		}
	}
	return nil
}

// enterOffers gives the files without an execution of their own one that was created elsewhere for the same content. One without a
// result yet goes to one file; the others take it from that, as pictures do that come twice.
func (r *recovery) enterOffers(ctx context.Context) error {
	enter, ctx := errgroup.WithContext(ctx)
	enter.SetLimit(entering)
	inFlight := map[string]bool{}
	for id, o := range r.files {
		if o.matched {
			continue
		}
		offer := r.offers[r.contentOf(o)]
		if offer == nil || !sharesResults(r.Config, o.f.Folder) {
			r.noExecution(id)
			continue
		}
		if !isDone(*offer) {
			owner := r.files[offer.Labels[labelJob]]
			if owner != nil && owner.matched || inFlight[offer.ID] {
				continue
			}
			inFlight[offer.ID] = true
		}
		enter.Go(func() error { return r.enter(ctx, o, *offer) })
	}
	return enter.Wait()
}

// noExecution counts a file of which the account has nothing.
func (r *recovery) noExecution(job string) {
	before := false
	if r.ledger != nil {
		_, err := r.ledger.Get(job)
		before = err == nil
	}
	r.count(func(report *Recovery) {
		if before {
			report.Before++
		} else {
			report.New++
		}
	})
}

// enter enters the job of a file with its execution. Of the names under which the result lies it takes the first that is no other
// job's.
func (r *recovery) enter(ctx context.Context, o *original, e autoretouch.Execution) error {
	job := o.job(e)
	for c, name := firstChoice, ""; ; c = c.next() {
		if isDone(e) {
			var err error
			if name, c, err = o.f.findResult(ctx, job, e, c); err != nil {
				return fmt.Errorf("the output folder of %s: %s", o.f.Name, reason(err))
			}
		}
		job := o.standing(job, e, name)
		if r.ledger == nil {
			r.entered(o, e, job)
			return nil
		}
		err := r.ledger.Restore(job, o.seen)
		switch {
		case err == nil:
			r.entered(o, e, job)
			return nil
		case errors.Is(err, store.ErrExists):
			return r.wasThere(job)
		case !errors.Is(err, store.ErrTaken):
			return fmt.Errorf("enter %s: %w", job.Path, err)
		}
	}
}

// job is the file's with the execution. What was charged for an execution is the job's whose label it carries.
func (o *original) job(e autoretouch.Execution) store.Job {
	job := store.Job{
		ID: o.id(), Folder: o.f.Name, Path: o.path, SHA256: o.sha, Size: max(o.seen.Size, 0), ContentType: o.kind,
		Execution: e.ID, Workflow: o.f.Workflow, Version: e.WorkflowVersion, Attempts: 1,
	}
	if e.Labels[labelJob] == job.ID {
		job.Credits, job.Batch = e.ChargedCredits, e.Labels[labelBatch]
	}
	return job
}

// standing puts the job into the state that the execution and its result, if that lies in the output folder as output, tell.
func (o *original) standing(job store.Job, e autoretouch.Execution, output string) store.Job {
	created := e.Created
	if created.IsZero() {
		created = time.Now()
	}
	finished := created
	if e.Finished.After(created) {
		finished = e.Finished
	}
	add := func(state store.State, at time.Time, detail string) {
		job.State = state
		job.History = append(job.History, store.Event{State: state, Time: at, Detail: detail})
	}
	add(store.Queued, created, "recovered from the account")
	add(store.Uploaded, created, "")
	add(store.Processing, created, "")
	switch {
	case isDone(e):
		job.Result, job.Output = resultOf(e), output
		add(store.Downloading, finished, "")
		if output != "" {
			add(store.Delivered, finished, "the result lies in the output folder")
		} else if o.gone {
			add(store.Delivered, finished, "neither the original nor the result is in its folder any more")
		}
	case e.Status == autoretouch.InQA:
		add(store.InQA, finished, "")
	case e.Status == autoretouch.PaymentRequired:
		add(store.PaymentRequired, finished, "")
	case e.Status == autoretouch.Failed:
		job.Error = "AutoRetouch could not process the picture (execution " + e.ID + "): look at it, then 'hotfolder retry " + job.ID + "'"
		add(store.Failed, finished, job.Error)
	}
	return job
}

func (r *recovery) entered(o *original, e autoretouch.Execution, job store.Job) {
	r.count(func(report *Recovery) {
		report.Jobs[job.State]++
		if o.gone {
			report.NoOriginal++
		}
		if e.Labels[labelJob] != job.ID {
			report.ByContent++
		}
	})
}

// wasThere counts a job that the ledger had already. One that has no execution there takes it when the agent submits it, which it
// does only on a ledger that is not reconciled.
func (r *recovery) wasThere(job store.Job) error {
	was, err := r.ledger.Get(job.ID)
	if err != nil {
		return err
	}
	r.count(func(report *Recovery) {
		report.Before++
		if was.Execution == "" {
			report.Reconciled = false
		}
	})
	return nil
}

func (r *recovery) count(do func(*Recovery)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	do(&r.report)
}
