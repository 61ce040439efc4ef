package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hotfolder/store"
)

// Unfinished is what Run with Once returns when not every picture has its result.
type Unfinished struct {
	Failed   int       // jobs that failed in this run
	Waiting  int       // jobs that wait for something that does not come by itself
	Troubles []Trouble // what they wait for
	Notices  []string  // and what else
}

func (u *Unfinished) Error() string {
	var parts []string
	if u.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed (see 'hotfolder jobs --state failed')", u.Failed))
	}
	if u.Waiting > 0 {
		parts = append(parts, fmt.Sprintf("%d not finished", u.Waiting))
	}
	for _, t := range u.Troubles {
		text := t.Text + "; " + t.Mend
		if t.Folder != "" {
			text = t.Folder + ": " + text
		}
		parts = append(parts, text)
	}
	parts = append(parts, u.Notices...)
	return strings.Join(parts, "; ")
}

// balanceAnswer is how long Once waits for the balance when an execution says that there are no credits.
const balanceAnswer = 5 * time.Second

// patience is how long Once waits for an API that can't be reached.
const patience = 2 * time.Minute

// waitUntilDone returns when every job is finished or waits for a person, or the API is out of reach for long.
func (a *Agent) waitUntilDone(ctx context.Context) {
	for ; ctx.Err() == nil; pause(ctx, 100*time.Millisecond, nil) {
		active, _, err := a.unfinished()
		if err != nil || active == 0 || a.outOfReach() {
			return
		}
	}
}

// left says what a run with Once leaves: nil, if that is nothing.
func (a *Agent) left() error {
	active, waiting, err := a.unfinished()
	if err != nil {
		return err
	}
	counts, err := a.Ledger.Counts()
	if err != nil {
		return err
	}
	u := &Unfinished{Failed: a.failed(), Waiting: active + waiting, Troubles: a.troubles.list()}
	for _, f := range a.folders {
		if wait := f.waitsForHours(counts[f.Name][store.Queued]); wait != "" {
			u.Notices = append(u.Notices, f.Name+": "+wait)
		}
		for _, why := range f.unread.Range {
			u.Notices = append(u.Notices, f.Name+": "+why.(string))
		}
	}
	if u.Failed > 0 || u.Waiting > 0 || a.hasErrors() {
		return u
	}
	return nil
}

// unfinished counts the jobs that go on by themselves, and those that wait for a person.
func (a *Agent) unfinished() (active, waiting int, err error) {
	counts, err := a.Ledger.Counts()
	if err != nil {
		return 0, 0, err
	}
	for _, f := range a.folders {
		for state, n := range counts[f.Name] {
			switch {
			case state.Final():
			case a.needsPerson(f, state):
				waiting += n
			case state == store.Downloading:
				held := min(n, int(f.stuck.Load())+count(&f.damaged))
				waiting, active = waiting+held, active+n-held
			case state == store.Queued:
				held := min(n, count(&f.unread))
				waiting, active = waiting+held, active+n-held
			default:
				active += n
			}
		}
	}
	return active, waiting, nil
}

// stuck says what can't go on while there is a trouble; no states: nothing can.
var stuck = map[Code][]store.State{
	LoginNeeded:      nil,
	LedgerDamaged:    nil,
	OutOfCredits:     {store.Uploaded, store.PaymentRequired},
	CreditsLimit:     {store.Uploaded},
	WorkflowRefused:  {store.Uploaded},
	InputOffline:     {store.Queued},
	InputClaimed:     {store.Queued},
	OutputUnwritable: {store.Downloading},
}

// needsPerson tells whether a folder's jobs in a state can't go on by themselves, or not before its hours begin.
func (a *Agent) needsPerson(f *folder, state store.State) bool {
	switch state {
	case store.InQA:
		return a.polled.Load() // before that they may be done long since
	case store.Queued:
		if f.waitsForHours(1) != "" {
			return true
		}
	}
	for code, states := range stuck {
		t, there := a.troubles.get(code, f.Name)
		if !there {
			t, there = a.troubles.get(code, "")
		}
		if code == OutOfCredits && time.Since(t.Since) < balanceAnswer {
			continue // the balance, which is just being asked for, may say otherwise
		}
		if there && (states == nil || slices.Contains(states, state)) {
			return true
		}
	}
	return false
}

func (a *Agent) outOfReach() bool {
	t, there := a.troubles.get(APIUnreachable, "")
	return there && time.Since(t.Since) > patience
}

func (a *Agent) hasErrors() bool {
	for _, t := range a.troubles.list() {
		if t.Severity == Error {
			return true
		}
	}
	return false
}
