package agent

import (
	"context"
	"fmt"
	"time"

	"hotfolder/tidy"
)

// failed is how many pictures failed since the start.
func (a *Agent) failed() (n int) {
	for _, f := range a.folders {
		n += int(f.failures.Load())
	}
	return n
}

// failedOne counts a picture that failed. As many as notify.failures within an hour are more than single bad pictures.
func (a *Agent) failedOne(f *folder) {
	f.failures.Add(1)
	now := time.Now()
	a.failRate.add(now)
	if n := a.failRate.last(now, 60); n >= a.Config.Notify.Failures && !a.once { // else its end says so
		a.troubles.raise(ManyFailed, "", fmt.Sprintf("%s within an hour", tidy.Count(n, "picture")), "")
	}
}

// failuresLoop sees when they were long ago.
func (a *Agent) failuresLoop(ctx context.Context) {
	for ctx.Err() == nil {
		if a.failRate.last(time.Now(), 60) < a.Config.Notify.Failures {
			a.troubles.clear(ManyFailed, "")
		}
		pause(ctx, time.Minute, nil)
	}
}
