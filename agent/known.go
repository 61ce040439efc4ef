package agent

import (
	"context"
	"errors"
	"hash/maphash"
	"io/fs"
	"sync"
	"time"

	"hotfolder/autoretouch"
	"hotfolder/config"
	"hotfolder/store"
	"hotfolder/watcher"
)

// A ledger that is not reconciled (a new one, or a copy in its place) does not know all that was paid for. Nothing is spent on it
// before the workflow's executions were read through once; a job of which the account has one takes that instead of a new one.
// Two agents that process one content at the same time are not kept apart by this: the API has no call for it.

// known is what the account holds, as long as the ledger may lack some of it. A million executions take 170 MB (measured).
type known struct {
	mu       sync.Mutex
	all      bool              // the ledger knows all, nothing is kept
	read     map[string]bool   // the workflows that were read through
	labels   map[uint64]uint32 // hash of a job's id → where its execution's begins in ids
	contents map[uint64]uint32 // hash of a content, see contentOf → the same
	ids      []byte            // length and text of each execution's id
	seed     maphash.Seed
}

func newKnown() known {
	return known{read: map[string]bool{}, labels: map[uint64]uint32{}, contents: map[uint64]uint32{}, seed: maphash.MakeSeed()}
}

// content is what must agree for two executions to have the same result.
type content struct{ workflow, version, sha string }

func (k *known) add(workflow string, e autoretouch.Execution) {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := uint32(len(k.ids))
	put := func(m map[uint64]uint32, key uint64) {
		if _, there := m[key]; there && !isDone(e) {
			return
		}
		if uint32(len(k.ids)) == at {
			k.ids = append(append(k.ids, byte(len(e.ID))), e.ID...) // at most 200 bytes, see the client
		}
		m[key] = at
	}
	if label := e.Labels[labelJob]; label != "" {
		put(k.labels, maphash.String(k.seed, label))
	}
	if mayShare(e) {
		put(k.contents, maphash.Comparable(k.seed, content{workflow, e.WorkflowVersion, e.InputHash}))
	}
}

// byLabel returns the execution that seems to carry the job's label; "": none does.
func (k *known) byLabel(job string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.idLocked(k.labels, maphash.String(k.seed, job))
}

// byContent returns an execution that seems to be of that content; "": there is none.
func (k *known) byContent(c content) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.idLocked(k.contents, maphash.Comparable(k.seed, c))
}

func (k *known) idLocked(m map[uint64]uint32, key uint64) string {
	at, there := m[key]
	if !there {
		return ""
	}
	return string(k.ids[at+1:][:k.ids[at]])
}

// has tells whether all of a workflow is known.
func (k *known) has(workflow string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.all || k.read[workflow]
}

func (k *known) hasRead(workflow string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.read[workflow] = true
}

// labelled is how many jobs the account has executions of.
func (k *known) labelled() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.labels)
}

// forget lets go of everything: the ledger knows.
func (k *known) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all, k.labels, k.contents, k.ids = true, nil, nil, nil
}

// reconcile reads the account, if the ledger is not reconciled, and notes that it is when all files that lay in the folders have
// come to know it. Until then every start reads it anew.
func (a *Agent) reconcile(ctx context.Context) {
	var yes bool
	a.insist(ctx, func() (err error) { yes, err = a.Ledger.Reconciled(); return err })
	if !yes && ctx.Err() == nil {
		a.readAccount(ctx)
		if a.known.labelled() > 0 {
			a.seeThrough(ctx)
		}
		a.insist(ctx, func() error { return a.rows.SetReconciled(true) })
	}
	if ctx.Err() == nil {
		a.known.forget()
		a.wakeAll()
	}
}

// insist does something with the ledger until it works, or ctx ends.
func (a *Agent) insist(ctx context.Context, do func() error) {
	for n := 1; ctx.Err() == nil; n++ {
		err := do()
		if err == nil {
			return
		}
		a.ledgerTrouble(err)
		pause(ctx, backoff(n, a.ledger.base, a.ledger.most, 0), nil)
	}
}

// readAccount reads all executions of the hot folders' workflows. Where there are any of ours it reads once more when those have
// surely shown that were created just before the start.
func (a *Agent) readAccount(ctx context.Context) {
	a.log.Info("the ledger may not know all that was paid for: nothing is spent before the account was looked through")
	began := time.Now()
	var readers sync.WaitGroup
	reads := map[string]bool{}
	for _, f := range a.folders {
		if reads[f.Workflow] {
			continue
		}
		reads[f.Workflow] = true
		readers.Go(func() {
			l := newListing(a.api, f.Workflow, func(ctx context.Context, err error, _ int) bool { return a.waitToRead(ctx, f, err) })
			a.readWorkflow(ctx, f, l)
			if a.known.labelled() > 0 {
				pause(ctx, time.Until(began.Add(a.Config.API.CreateLookup)), nil)
				a.readWorkflow(ctx, f, l)
			}
			if ctx.Err() == nil {
				a.known.hasRead(f.Workflow)
				a.stage(store.Uploaded).ring()
			}
		})
	}
	readers.Wait()
	if ctx.Err() != nil {
		return
	}
	a.log.Info("the account was looked through", "jobs", a.known.labelled())
}

func (a *Agent) readWorkflow(ctx context.Context, f *folder, l *listing) {
	for e, err := range l.all(ctx) {
		if err != nil {
			return // ctx ended
		}
		a.apiWorks(&a.asking)
		a.known.add(f.Workflow, e)
	}
	a.apiWorks(&a.asking)
	a.workflowWorks(f)
}

// waitToRead waits after a failure until the list may be asked for again; false: ctx ended.
func (a *Agent) waitToRead(ctx context.Context, f *folder, err error) bool {
	a.apiTrouble(&a.asking, f, err)
	for pause(ctx, time.Second, nil); ctx.Err() == nil; pause(ctx, time.Second, nil) {
		if a.mayAsk() && f.workflow.room(time.Now()) > 0 {
			return true
		}
	}
	return false
}

// seeThrough returns when no file that lies in a folder now can still be taken for a new one.
func (a *Agent) seeThrough(ctx context.Context) {
	var all sync.WaitGroup
	for _, f := range a.folders {
		all.Go(func() { a.lookOnce(ctx, f) })
	}
	all.Wait()
	for now := time.Now(); ctx.Err() == nil && a.owesCreate(now); {
		pause(ctx, time.Second, nil)
	}
}

// lookOnce returns when every file that lies in the folder is in the ledger.
func (a *Agent) lookOnce(ctx context.Context, f *folder) {
	o := a.watchOptions(f)
	o.Once, o.State, o.Owner, o.Events = true, nil, "", nil
	for ctx.Err() == nil {
		w, err := watcher.New(o)
		if err == nil {
			err = w.Run(ctx)
		}
		if err == nil {
			return
		}
		pause(ctx, 10*time.Second, nil) // offline
	}
}

// owesCreate tells whether a job that was found before then still waits for its execution.
func (a *Agent) owesCreate(then time.Time) bool {
	for _, f := range a.folders {
		for _, state := range []store.State{store.Queued, store.Uploaded, store.Submitting} {
			jobs, err := a.Ledger.Next(state, f.Name, 1, func(string) bool { return false })
			if err != nil || len(jobs) > 0 && jobs[0].DiscoveredAt.Before(then) {
				return true
			}
		}
	}
	return false
}

// adopt gives the job that execution, if it is one for it. What the account charged for it was charged when it was created.
func (a *Agent) adopt(ctx context.Context, f *folder, job store.Job, execution, how string) (done bool, err error) {
	if execution == "" {
		return false, nil
	}
	e, err := a.api.Execution(ctx, execution)
	ours := e.Labels[labelJob] == job.ID
	switch {
	case errors.Is(err, autoretouch.ErrNotFound):
		e.ID, ours = execution, true // the list has it: polling finds out
	case err != nil:
		return false, err
	case !ours && e.InputHash != job.SHA256:
		return false, nil // two texts of one hash
	}
	take := func(j *store.Job) {
		j.Execution, j.Workflow, j.Version, j.Result = e.ID, f.Workflow, e.WorkflowVersion, resultOf(e)
		j.Attempts, j.Retries, j.Error = 1, 0, ""
		if ours {
			j.Credits, j.SubmittedAt, j.Batch = e.ChargedCredits, e.Created, e.Labels[labelBatch]
		}
	}
	f.log.Info(how, "file", job.Path, "job", job.ID, "execution", e.ID)
	if isDone(e) {
		return true, a.adoptResult(ctx, f, job, e, how, take)
	}
	if job, err = a.step(job, store.Submitting, how, nil); err != nil {
		return true, err
	}
	_, err = a.step(job, store.Processing, how, take)
	return true, err
}

// adoptResult has the result delivered, to the name under which it lies there already if it does.
func (a *Agent) adoptResult(ctx context.Context, f *folder, job store.Job, e autoretouch.Execution, how string, take func(*store.Job)) error {
	for c := firstChoice; ; c = c.next() {
		name, at, err := f.findResult(ctx, job, e, c)
		if err != nil {
			return &outputError{err}
		}
		_, err = a.step(job, store.Downloading, how, func(j *store.Job) {
			take(j)
			j.Output = name
		})
		if !errors.Is(err, store.ErrTaken) {
			return err
		}
		c = at
	}
}

// findResult looks for the execution's result in the hot folder's output, under the names that the job's would get, from a choice
// on. It returns the name, "" when it is not there, and which one it is.
func (f *folder) findResult(ctx context.Context, job store.Job, e autoretouch.Execution, c choice) (name string, at choice, err error) {
	job.Result, job.CompletedAt = resultOf(e), e.Finished
	for range mostNames {
		name := f.resultName(job, c)
		sum, err := sumOf(ctx, f.outputPath(name))
		missing := errors.Is(err, fs.ErrNotExist)
		switch {
		case missing && f.Versions == config.VersionsKeep && (c.version == 1 || c.n > 1):
			c = c.nextVersion()
		case missing:
			return "", c, nil
		case err != nil:
			return "", c, err
		case sum == e.ResultHash:
			return name, c, nil
		default:
			c = c.next()
		}
	}
	return "", c, nil
}

func resultOf(e autoretouch.Execution) store.Result {
	return store.Result{Path: e.ResultPath, SHA256: e.ResultHash, ContentType: e.ResultContentType, Name: e.ResultName}
}
