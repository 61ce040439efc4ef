// Package agent carries a job from "this file is ready" to "its result is durable".
//
// Read agent.go (what runs, and how it stops) and stage.go (how jobs are taken and what becomes of an error), then a file a
// stage in the order in which a job meets them: intake.go, upload.go, submit.go, lookup.go, poll.go with announced.go, deliver.go with guard.go and orders.go. What people see
// of it is in desk.go and trouble.go, what becomes of the originals in originals.go and leftovers.go. What keeps a lost ledger from
// costing money is in known.go, recover.go and audit.go.
package agent

import (
	"context"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"hotfolder/autoretouch"
	"hotfolder/config"
	"hotfolder/store"
	"hotfolder/watcher"
)

// Options are what an Agent works with. All but Once, FreeSpace and Events are needed.
type Options struct {
	Config  *config.Config
	Ledger  *store.Ledger
	API     *autoretouch.Client
	Log     *slog.Logger
	Version string
	Once    bool // take what is in the folders now, see it through, and end

	FreeSpace func(dir string) (uint64, error) // bytes that may still be written to its disk; nil: it is not looked at

	Events func() (watcher.Events, error) // source of file events; nil: none, the folders are looked at from time to time
}

// Agent is the pipeline, and the Desk while it runs.
type Agent struct {
	Books
	api      *autoretouch.Client
	log      *slog.Logger
	once     bool
	webhooks []string // the addresses that have the API call Announced

	folders  []*folder
	stages   []*stage
	polls    chan struct{} // rung when there is something new to poll for
	polled   atomic.Bool   // the API was asked how the executions fare
	hints    chan autoretouch.Execution
	lookups  chan struct{} // rung when an execution must be looked up
	credits  chan struct{} // rung when the balance matters
	known    known         // what the ledger may not know
	claims   sync.Map      // the contents for which an execution is being created → job id
	hashing  *slots        // one for each file that is hashed at once
	sending  *slots        // and for each picture that is uploaded
	fetching *slots        // and for each result that is downloaded
	rows     rows
	disk     disk
	mounts   *mounts
	events   func() (watcher.Events, error)
	asking   gate // list and details calls; each stage has a gate for its own calls
	login    gate
	ledger   gate
	troubles troubles
	account  account
	happened happenings
	since    time.Time

	polling, lookingUp pulse        // of these loops
	deliveries         atomic.Int64 // since the start
	failRate           rate
	freeSpace          func(dir string) (uint64, error)
	ended              atomic.Bool // Run has returned, or is about to
}

// folder is a hot folder and what is known of it now.
type folder struct {
	config.Folder
	log      *slog.Logger
	progress progress
	rate     rate
	failures atomic.Int64 // since the start
	watch    *watcher.Folder
	workflow gate     // the API's opinion of its workflow
	output   gate     // writing there
	damaged  sync.Map // the jobs whose result keeps arriving damaged
	unread   sync.Map // with Once: those whose picture cannot be read any more, and why
	refused  sync.Map // the jobs whose result could not be written, and "" for an order that could not be delivered
	offline  atomic.Bool
	notice   atomic.Pointer[string] // what people should know of the input though nothing is wrong; nil: it was not looked at yet
	oversize atomic.Int64           // pictures found since the start that the API scales down, where people are to be told
	out      *watcher.Root
	left     leftovers
	orders   chan struct{} // rung when a result waits for its order
	stuck    atomic.Int64  // results that wait for an order which only people can make whole
	looked   atomic.Bool   // with Once: all that was in the input is in the ledger
	probe    probe         // calls that may hang

	unwritten atomic.Pointer[string] // why the status page is not in the input, or still is
}

// jobsPerTransfer is how many jobs are in hand for each upload and each download at once: most of a job's time goes into waiting for
// the disk, before and after, and must not keep the line idle.
const jobsPerTransfer = 3

// grace is how long what is in hand may take to finish once the agent is told to stop.
const grace = 8 * time.Second

// leaveAfter is how long it may then take to let go of it.
const leaveAfter = time.Second

// New prepares an agent. It starts nothing. The error is one of the configuration.
func New(o Options) (*Agent, error) {
	a := &Agent{
		Books:   Books{Config: o.Config, Ledger: o.Ledger, Version: o.Version},
		api:     o.API,
		once:    o.Once,
		polls:   make(chan struct{}, 1),
		hints:   make(chan autoretouch.Execution, mostHints),
		lookups: make(chan struct{}, 1),
		credits: make(chan struct{}, 1),
		known:   newKnown(),
		rows:    o.Ledger,
		disk:    newDisk(),
		mounts:  openMounts(mountsFile(o.Config.DataDir), o.Log),
		events:  o.Events,

		freeSpace: o.FreeSpace,
		asking:    apiGate(),
		login:     gate{after: 1, base: 5 * time.Second, most: 5 * time.Second},
		ledger:    gate{after: 1, base: time.Second, most: 10 * time.Second},
		troubles:  troubles{log: o.Log, now: map[troubleKey]Trouble{}},
		account:   account{prices: map[string]price{}},
		since:     time.Now(),
	}
	a.log = slog.New(attentive{Handler: o.Log.Handler(), to: &a.happened})
	for _, c := range o.Config.Folders {
		f := &folder{
			Folder:   c,
			log:      a.log.With("folder", c.Name),
			workflow: gate{after: 1, base: 30 * time.Second, most: 5 * time.Minute},
			output:   gate{after: 1, base: time.Second, most: 30 * time.Second},
			left:     leftovers{wake: make(chan struct{}, 1)},
			orders:   make(chan struct{}, 1),
			probe:    newProbe(),
		}
		f.out = watcher.NewRoot(c.Output, a.mounts.of(c.Output))
		var err error
		if f.watch, err = watcher.New(a.watchOptions(f)); err != nil {
			return nil, err
		}
		a.folders = append(a.folders, f)
	}
	a.hashing = newSlots(runtime.GOMAXPROCS(0)+1, a.folders)
	limits := o.Config.Limits
	a.sending = newSlots(limits.Uploads, a.folders)
	a.fetching = newSlots(limits.Downloads, a.folders)
	a.stages = []*stage{
		newStage(a.folders, &stage{name: "upload", state: store.Queued, workers: jobsPerTransfer * limits.Uploads, do: a.upload, room: a.mayUpload}),
		newStage(a.folders, &stage{name: "submit", state: store.Uploaded, workers: submitters, shared: true, do: a.submit, room: a.mayCreate, folderGate: workflowGate}),
		newStage(a.folders, &stage{name: "download", state: store.Downloading, workers: jobsPerTransfer * limits.Downloads, do: a.deliver, folderGate: outputGate}),
	}
	return a, nil
}

func workflowGate(f *folder) *gate { return &f.workflow }

func outputGate(f *folder) *gate { return &f.output }

// Run works until ctx ends, gives what is in hand some seconds to finish, and returns nil after its last goroutine, but for those that
// a hanging share holds. With Once it returns when nothing is left that can go on by itself: nil, or *Unfinished, which says what is left.
// It may be called once.
func (a *Agent) Run(ctx context.Context) error {
	ctx, finish := context.WithCancel(ctx)
	defer finish()
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() {
		t := time.AfterFunc(grace, stop)
		context.AfterFunc(work, func() { t.Stop() })
	})()

	a.lookAtProgress()
	var watchers, all sync.WaitGroup
	for _, f := range a.folders {
		watchers.Go(func() { a.runWatch(ctx, f) })
		all.Go(func() { a.tidyLoop(ctx, work, f) })
		all.Go(func() { a.orderLoop(ctx, work, f) })
	}
	for _, s := range a.stages {
		all.Go(func() { a.loop(ctx, work, s) })
	}
	all.Go(func() { a.reconcile(ctx) })
	all.Go(func() { a.lookupLoop(ctx, work) })
	all.Go(func() { a.pollLoop(ctx, work) })
	all.Go(func() { a.accountLoop(ctx, work) })
	all.Go(func() { a.copyLoop(ctx) })
	all.Go(func() { a.progressLoop(ctx) })
	all.Go(func() { a.failuresLoop(ctx) })
	all.Go(func() { a.eveningLoop(ctx) })

	if a.once {
		watchers.Wait()
		a.waitUntilDone(ctx)
		finish()
	}
	watchers.Wait()
	a.ended.Store(true)
	a.waitOrLeave(work, &all)
	if a.once {
		return a.left()
	}
	return nil
}

// waitOrLeave waits for all goroutines, but when what is in hand was told to stop not for long: a call to the file system of a share
// that hangs can't be ended. Who is left behind comes to nothing, as in a crash.
func (a *Agent) waitOrLeave(work context.Context, all *sync.WaitGroup) {
	ended := make(chan struct{})
	go func() {
		all.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return
	case <-work.Done():
	}
	timeout := time.NewTimer(leaveAfter)
	defer timeout.Stop()
	select {
	case <-ended:
	case <-timeout.C:
		a.log.Warn("a folder does not answer, calls to its file system are left behind")
	}
}

// rows is what the agent writes into the ledger; tests make it fail.
type rows interface {
	Add(store.Job, store.Seen) (_ store.Job, added bool, err error)
	Step(known store.Job, to store.State, detail string, change func(*store.Job)) (store.Job, error)
	Note(id string, change func(*store.Job)) (store.Job, error)
	Unsee(folder, path string) error
	Batch(folder, group string, idle time.Duration) (store.Batch, error)
	Hold(id, why string) error
	Unhold(id string) error
	SetRelease(folder, order string, r store.Release) error
	SetReconciled(yes bool) error
}

// step moves a job on in the ledger and wakes whoever owes it the next thing.
func (a *Agent) step(known store.Job, to store.State, detail string, change func(*store.Job)) (store.Job, error) {
	job, err := a.rows.Step(known, to, detail, change)
	if err != nil {
		return job, asLedger(err)
	}
	a.ledgerWorks()
	a.wake(to)
	return job, nil
}

func (a *Agent) note(id string, change func(*store.Job)) (store.Job, error) {
	job, err := a.rows.Note(id, change)
	return job, asLedger(err)
}

// wake rings whoever owes something to jobs in that state.
func (a *Agent) wake(state store.State) {
	switch state {
	case store.Submitting:
		ring(a.lookups)
	case store.Processing, store.InQA, store.PaymentRequired:
		ring(a.polls)
	}
	for _, s := range a.stages {
		if s.state == state || state == store.Downloading && s.state == store.Uploaded { // a place in flight is free
			s.ring()
		}
	}
}

// stage is the one that takes jobs in that state.
func (a *Agent) stage(state store.State) *stage {
	i := slices.IndexFunc(a.stages, func(s *stage) bool { return s.state == state })
	return a.stages[i]
}

func (a *Agent) wakeAll() {
	for _, s := range a.stages {
		s.ring()
	}
	ring(a.polls)
	ring(a.lookups)
}

func ring(bell chan<- struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// fail gives a job up, with the reason for people.
func (a *Agent) fail(f *folder, job store.Job, why string) {
	job, err := a.step(job, store.Failed, why, func(j *store.Job) { j.Error = why })
	if err != nil {
		a.ledgerTrouble(err)
		return
	}
	a.failedOne(f)
	f.log.Error("failed", "file", job.Path, "job", job.ID, "why", why)
	a.leaveAside(f, job)
}
