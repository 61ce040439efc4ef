package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"hotfolder/autoretouch"
	"hotfolder/store"
	"hotfolder/watcher"
)

// stage is one thing that is owed to the jobs of one state. It takes them from the ledger, by turns from the hot folders and of each
// the earliest first, and does that thing to several at once.
type stage struct {
	name    string
	state   store.State
	workers int  // for each hot folder: one whose share hangs keeps its own, and no other's
	shared  bool // for all of them together
	do      func(ctx context.Context, f *folder, job store.Job) error
	room    func(f *folder) int // how many jobs of the folder may be taken now; nil: any number

	gate       gate                  // of the stage's own calls of the API
	folderGate func(f *folder) *gate // what else holds the folder's jobs back; nil: nothing
	wake       chan struct{}         // rung when there may be something to take
	pulse      pulse                 // of loop
	turns      turns                 // of the hot folders

	mu     sync.Mutex
	inHand map[string]*folder
	delays map[string]*delay // by job, those that failed and are to be tried again
}

// delay keeps one job back after failures of its own, or while it waits for another one.
type delay struct {
	failures int
	damaged  int           // of them, the last ones in a row that were a damaged result
	unread   time.Time     // since when its picture is watcher.Unreadable; zero: it is not
	wait     time.Duration // the last one, of a job that did not fail
	until    time.Time
}

const (
	jobBackoff    = time.Second
	maxJobBackoff = time.Minute
	maxPostponed  = 15 * time.Second

	maxDamagedBackoff = time.Hour // of a result that keeps arriving damaged: what is wrong is neither the line's fault nor soon over
	damagedAfter      = 8         // downloads in a row until people are told: some minutes

	unreadableAfter = 2 * time.Minute // until a picture that cannot be read any more is left to the watcher

	idleLook = 30 * time.Second // nothing should need this look; it bounds what a missed wake-up could cost
)

func newStage(folders []*folder, s *stage) *stage {
	s.gate, s.turns = apiGate(), newTurns(folders)
	s.wake = make(chan struct{}, 1)
	s.inHand, s.delays = map[string]*folder{}, map[string]*delay{}
	return s
}

// apiGate is a gate for calls of the API of one kind.
func apiGate() gate { return gate{after: 3, base: time.Second, most: time.Minute} }

// gates are all that hold a folder's jobs back in a stage while there is trouble.
func (a *Agent) gates(s *stage, f *folder) []*gate {
	gates := []*gate{&a.ledger, &a.login, &s.gate}
	if s.folderGate != nil {
		gates = append(gates, s.folderGate(f))
	}
	return gates
}

func (s *stage) ring() { ring(s.wake) }

// loop takes jobs until ctx ends and does them under work, and returns when the last of them is done.
func (a *Agent) loop(ctx, work context.Context, s *stage) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for ctx.Err() == nil {
		s.pulse.beat(idleLook)
		if !a.take(s, func(f *folder, job store.Job) {
			wg.Go(func() {
				a.conclude(work, s, f, job, s.do(work, f, job))
				s.ring()
			})
		}) {
			pause(ctx, a.idle(s), s.wake)
		}
	}
}

// pause waits until ctx ends, d has passed or wake is rung.
func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-t.C:
	}
}

// take starts as many jobs as there is room for, and tells whether there were any.
func (a *Agent) take(s *stage, start func(*folder, store.Job)) (any bool) {
	for _, same := range s.turns {
		for again := true; again; any = any || again {
			again = false
			for _, f := range slices.Clone(same) {
				n := s.workers - s.busyFor(f)
				if s.shared { // it gets its share of what is free; what it leaves, the next round gives to the others
					free := s.workers - s.busy()
					if free == 0 {
						return any || again
					}
					n = max(1, free/len(same))
				}
				if a.takeFrom(s, f, n, start) {
					s.turns.served(f)
					again = true
				}
			}
		}
	}
	return any
}

// takeFrom starts up to n jobs of a folder, and tells whether there were any.
func (a *Agent) takeFrom(s *stage, f *folder, n int, start func(*folder, store.Job)) (any bool) {
	now := time.Now()
	if s.room != nil {
		n = min(n, s.room(f))
	}
	gates := a.gates(s, f)
	for _, g := range gates {
		n = min(n, g.room(now))
	}
	if n <= 0 {
		return false
	}
	jobs, err := a.next(s, f, n, now)
	if err != nil {
		a.ledgerTrouble(err)
		return false
	}
	for _, job := range jobs {
		any = true
		s.hold(f, job.ID)
		for _, g := range gates {
			g.took()
		}
		start(f, job)
	}
	return any
}

// busy is how many jobs are in hand.
func (s *stage) busy() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.inHand)
}

// busyFor is how many of them are a hot folder's.
func (s *stage) busyFor(f *folder) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range s.inHand {
		if of == f {
			n++
		}
	}
	return n
}

// next lists jobs that may be taken. Where only one may be, to see whether a trouble is over, one that has not failed itself comes
// first: the trouble may be that of those that did.
func (a *Agent) next(s *stage, f *folder, n int, now time.Time) ([]store.Job, error) {
	// What is in hand before the look at the ledger may be done with during it, and the look shows it as it was.
	inHand := s.allInHand()
	skip := func(id string) bool { return inHand[id] != nil || s.holds(id, now) }
	if n == 1 {
		jobs, err := a.Ledger.Next(s.state, f.Name, 1, func(id string) bool { return skip(id) || s.failures(id) > 0 })
		if err != nil || len(jobs) > 0 {
			return jobs, err
		}
	}
	return a.Ledger.Next(s.state, f.Name, n, skip)
}

func (s *stage) allInHand() map[string]*folder {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.inHand)
}

func (s *stage) holds(id string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.delays[id]
	return s.inHand[id] != nil || d != nil && now.Before(d.until)
}

func (s *stage) hold(f *folder, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inHand[id] = f
}

func (s *stage) done(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.inHand, id)
	delete(s.delays, id)
}

// delay keeps a job back after a failure, and tells of those in a row and how long it waits.
func (s *stage) delay(id string, err error, asked time.Duration) (now delay, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.inHand, id)
	d := s.delays[id]
	if d == nil {
		d = &delay{}
		s.delays[id] = d
	}
	d.failures++
	d.damaged++
	if _, damaged := errors.AsType[*damagedError](err); !damaged {
		d.damaged = 0
	}
	switch {
	case !isInput(err) || !watcher.Unreadable(err):
		d.unread = time.Time{}
	case d.unread.IsZero():
		d.unread = time.Now()
	}
	longest := maxJobBackoff
	if d.keepsDamaged() {
		longest = maxDamagedBackoff
	}
	wait = backoff(d.failures, jobBackoff, longest, asked)
	d.until = time.Now().Add(wait)
	return *d, wait
}

func (d delay) keepsDamaged() bool { return d.damaged >= damagedAfter }

func (d delay) keepsUnread() bool {
	return !d.unread.IsZero() && time.Since(d.unread) >= unreadableAfter
}

// postpone keeps a job back though it did not fail, each time for longer: about as long as it waited already.
func (s *stage) postpone(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.inHand, id)
	wait := jobBackoff
	if d := s.delays[id]; d != nil {
		wait = min(max(wait, 2*d.wait), maxPostponed)
	}
	s.delays[id] = &delay{wait: wait, until: time.Now().Add(wait)}
}

// putBack lets go of a job for no fault of its own.
func (s *stage) putBack(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.inHand, id)
}

// idle is how long there is nothing to do for a stage unless it is woken.
func (a *Agent) idle(s *stage) time.Duration {
	now := time.Now()
	next := now.Add(idleLook)
	earlier := func(t time.Time) {
		if t.After(now) && t.Before(next) {
			next = t
		}
	}
	for _, f := range a.folders {
		for _, g := range a.gates(s, f) {
			earlier(g.due())
		}
		if s.state == store.Queued {
			_, change := f.Hours.Open(now)
			earlier(change)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.delays {
		earlier(d.until)
	}
	return next.Sub(now)
}

// conclude does what a stage's outcome calls for. This is the one place that decides what is tried again, and when.
func (a *Agent) conclude(work context.Context, s *stage, f *folder, job store.Job, err error) {
	defer func() {
		for _, g := range a.gates(s, f) {
			g.left()
		}
	}()
	log := f.log.With("file", job.Path, "job", job.ID)
	switch {
	case err == nil, errors.Is(err, errGivenUp):
		a.doneWith(s, f, job)
		a.notRefused(f, job.ID)
	case work.Err() != nil:
		s.putBack(job.ID)
	case errors.Is(err, errLater):
		s.postpone(job.ID)
	case errors.Is(err, store.ErrStep), errors.Is(err, store.ErrNotFound): // somebody else stepped it meanwhile
		a.doneWith(s, f, job)
		a.notRefused(f, job.ID)
		log.Warn("job changed while in hand", "stage", s.name, "err", err)
	case isLedger(err):
		s.putBack(job.ID)
		a.ledgerTrouble(err)
	case isOutput(err):
		s.postpone(job.ID) // it may be this result's own trouble: the others go first
		a.outputTrouble(f, job.ID, err)
	case autoretouch.ClassOf(err) == autoretouch.Input:
		a.fail(f, job, apiReason(err))
		a.doneWith(s, f, job)
	case autoretouch.ClassOf(err) == autoretouch.Transient:
		d, wait := s.delay(job.ID, err, autoretouch.RetryAfter(err))
		if d.keepsDamaged() {
			f.damaged.Store(job.ID, nil)
			a.troubles.raise(ResultDamaged, f.Name, fmt.Sprintf("%s, execution %s: %v", job.Path, job.Execution, err), "")
		}
		if isInput(err) {
			if d.keepsUnread() && a.leaveUnread(s, f, job, err) {
				return
			}
			log.Warn("the picture cannot be read, will retry", "err", err, "attempt", d.failures, "wait", wait.Round(time.Millisecond))
			return
		}
		a.apiTrouble(&s.gate, f, err)
		log.Log(work, retryLevel(d.failures), s.name+" failed, will retry", "err", err, "attempt", d.failures, "wait", wait.Round(time.Millisecond))
	default:
		s.putBack(job.ID)
		a.apiTrouble(&s.gate, f, err)
	}
}

// doneWith lets go of a job of which the stage owes nothing any more.
func (a *Agent) doneWith(s *stage, f *folder, job store.Job) {
	s.done(job.ID)
	f.unread.Delete(job.ID)
	a.notDamaged(s, f, job)
}

// notDamaged says that a job is done with. If its result kept arriving damaged, the others of which that is so are tried at once: what was
// wrong may be over.
func (a *Agent) notDamaged(s *stage, f *folder, job store.Job) {
	if _, was := f.damaged.LoadAndDelete(job.ID); !was {
		return
	}
	over := true
	for id := range f.damaged.Range {
		over = false
		s.hurry(id.(string))
	}
	if over {
		a.troubles.clear(ResultDamaged, f.Name)
	}
}

// leaveUnread leaves a picture that cannot be read any more to the watcher, which takes it anew when it can be read, and has it fail when
// that lasts. With Once the watcher has ended: the job waits for the next run, and people are told. It tells whether the job is done with.
func (a *Agent) leaveUnread(s *stage, f *folder, job store.Job, err error) bool {
	if a.once {
		f.unread.Store(job.ID, job.Path+": "+cannotRead(err))
		return false
	}
	if err := a.letGoOf(job, "the file cannot be read any more"); err != nil {
		a.ledgerTrouble(err)
		return false
	}
	s.done(job.ID)
	f.watch.Look()
	return true
}

// count is how many jobs a folder keeps in one of its sets.
func count(jobs *sync.Map) (n int) {
	for range jobs.Range {
		n++
	}
	return n
}

// hurry holds a job that failed back no longer.
func (s *stage) hurry(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.delays[id]; d != nil {
		d.until = time.Time{}
	}
}

// has tells whether the job is in hand.
func (s *stage) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inHand[id] != nil
}

// failures is how often in a row the job failed.
func (s *stage) failures(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.delays[id]; d != nil {
		return d.failures
	}
	return 0
}
