package agent

import (
	"errors"
	"fmt"
	"time"

	"hotfolder/store"
)

// pulseless is for how long a stage may be without a turn of its loop, which comes every idleLook at least.
const pulseless = 10 * time.Minute

// Pulse says why only a new start can help the agent: its ledger cannot be read, or a stage has long taken no look at it. It is nil
// through all that passes by itself, such as an API that is away, and for a damaged ledger, which a person must see to. If the
// ledger does not answer at all, Pulse does not return.
func (a *Agent) Pulse() error {
	if _, err := a.Ledger.Counts(); err != nil && !errors.Is(err, store.ErrDamaged) {
		return fmt.Errorf("the ledger cannot be read: %w", err)
	}
	for _, s := range a.stages {
		if last := s.looked.Load(); last != nil && time.Since(*last) > pulseless {
			return fmt.Errorf("nothing has been taken for %s since %s", s.name, last.Format(time.DateTime))
		}
	}
	return nil
}

// beat notes a turn of the stage's loop.
func (s *stage) beat() {
	now := time.Now()
	s.looked.Store(&now)
}
