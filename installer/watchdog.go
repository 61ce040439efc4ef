package installer

import (
	"context"
	"errors"
	"sync"
	"time"
)

// deadAfter is for how many tellEvery the service may be ill: five minutes, as in the systemd unit. They are counted rather than
// measured, since a machine that wakes up from hibernation has long heard nothing.
const deadAfter = 30

// guard calls die, once, when look has had nothing but errors to tell, or has not returned, for deadAfter. It is what systemd's watchdog
// does, for Windows' service manager and launchd, which have none but start a service again that ended by itself.
func guard(ctx context.Context, look func() (status string, err error), die func(why error)) {
	var wg sync.WaitGroup
	defer wg.Wait()
	looked := make(chan error)
	wg.Go(func() { // look may never return
		for ctx.Err() == nil {
			_, err := look()
			select {
			case looked <- err:
			case <-ctx.Done():
			}
			select {
			case <-time.After(tellEvery):
			case <-ctx.Done():
			}
		}
	})
	t := time.NewTicker(tellEvery)
	defer t.Stop()
	silent := errors.New("it does not answer")
	why := silent
	for ill := 0; ill < deadAfter; {
		select {
		case err := <-looked:
			if why = err; err == nil {
				ill, why = 0, silent
			}
		case <-t.C:
			ill++
		case <-ctx.Done():
			return
		}
	}
	die(why)
}
