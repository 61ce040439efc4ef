package agent

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"hotfolder/store"
)

// pulseless is by how much the next turn of a loop may be late.
const pulseless = 10 * time.Minute

// Pulse says why only a new start can help the agent: its ledger cannot be read, or one of its loops has long taken no turn. It is nil
// through all that passes by itself, such as an API that is away or a share that hangs, and for a damaged ledger, which a person must see
// to. If the ledger does not answer at all, Pulse does not return.
func (a *Agent) Pulse() error {
	if _, err := a.Ledger.Counts(); err != nil && !errors.Is(err, store.ErrDamaged) {
		return fmt.Errorf("the ledger cannot be read: %w", err)
	}
	for _, s := range a.stages {
		if since, is := s.pulse.stopped(); is {
			return fmt.Errorf("nothing has been taken for %s since %s", s.name, since.Format(time.DateTime))
		}
	}
	for what, p := range map[string]*pulse{"asked how the executions fare": &a.polling, "looked for lost executions": &a.lookingUp} {
		if since, is := p.stopped(); is {
			return fmt.Errorf("nobody has %s since %s", what, since.Format(time.DateTime))
		}
	}
	for _, f := range a.folders {
		if last := f.watch.Turned(); !last.IsZero() && time.Since(last) > pulseless {
			return fmt.Errorf("nobody has watched the hot folder %s since %s", f.Name, last.Format(time.DateTime))
		}
	}
	return nil
}

// pulse tells whether a loop lives. The zero value is one that was not begun.
type pulse struct{ last atomic.Pointer[turn] }

type turn struct{ at, next time.Time }

// beat notes a turn of the loop, and that the next one comes within d.
func (p *pulse) beat(d time.Duration) {
	now := time.Now()
	p.last.Store(&turn{now, now.Add(d)})
}

// stopped tells since when there was no turn, if the next one should have come long ago.
func (p *pulse) stopped() (since time.Time, is bool) {
	last := p.last.Load()
	if last == nil || time.Since(last.next) <= pulseless {
		return time.Time{}, false
	}
	return last.at, true
}
