package agent

import (
	"context"
	"fmt"
	"strings"
	"time"

	"hotfolder/store"
)

// Unfinished is what Run with Once returns when not every picture has its result.
type Unfinished struct {
	Failed   int       // jobs that failed in this run
	Waiting  int       // jobs that wait for something that does not come by itself
	Troubles []Trouble // what they wait for
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
		parts = append(parts, t.Text+"; "+t.Mend)
	}
	return strings.Join(parts, "; ")
}

// balanceAnswer is how long Once waits for the balance when an execution says that there are no credits.
const balanceAnswer = 5 * time.Second

// patience is how long Once waits for an API that can't be reached.
const patience = 2 * time.Minute

// waitUntilDone returns when every job is finished or waits for a person, or the API is out of reach for long.
func (a *Agent) waitUntilDone(ctx context.Context) error {
	for ; ctx.Err() == nil; pause(ctx, 100*time.Millisecond, nil) {
		counts, err := a.Ledger.Counts()
		if err != nil {
			return err
		}
		active, waiting := 0, 0
		for _, f := range a.folders {
			c := counts[f.Name]
			stuck := c[store.InQA]
			work := c[store.PaymentRequired] + c[store.Queued] + c[store.Uploaded] + c[store.Submitting] + c[store.Processing] + c[store.Downloading]
			if a.needsPerson(f) {
				stuck, work = stuck+work, 0
			}
			active, waiting = active+work, waiting+stuck
		}
		if active > 0 && !a.outOfReach() {
			continue
		}
		u := &Unfinished{Failed: int(a.failures.Load()), Waiting: active + waiting, Troubles: a.troubles.list()}
		if u.Failed > 0 || u.Waiting > 0 || a.hasErrors() {
			return u
		}
		return nil
	}
	return nil
}

// needsPerson tells whether what is left of a folder can't go on by itself.
func (a *Agent) needsPerson(f *folder) bool {
	for _, code := range []Code{LoginNeeded, CreditsLimit} {
		if a.troubles.has(code, "") {
			return true
		}
	}
	if t, there := a.troubles.get(OutOfCredits, ""); there && time.Since(t.Since) > balanceAnswer {
		return true // else the balance, which is just being asked for, may say otherwise
	}
	for _, code := range []Code{WorkflowRefused, InputOffline, InputClaimed, OutputUnwritable} {
		if a.troubles.has(code, f.Name) {
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
