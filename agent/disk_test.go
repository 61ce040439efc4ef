package agent_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/agent"
)

// Those who ask for a folder's sync while one is under way share the next, which begins after they asked, and its error.
func TestFolderSyncsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		begun := 0
		shared := agent.NewSyncs(func(string) error {
			begun++
			n := begun
			time.Sleep(time.Second)
			if n > 1 {
				return broken
			}
			return nil
		})
		var all sync.WaitGroup
		ask := func(want error, took time.Duration) {
			asked := time.Now()
			all.Go(func() {
				if err := shared("a"); err != want || time.Since(asked) != took {
					t.Errorf("%v after %v, want %v after %v", err, time.Since(asked), want, took)
				}
			})
			synctest.Wait()
		}
		ask(nil, time.Second)
		time.Sleep(time.Second / 2)
		ask(broken, 3*time.Second/2)
		ask(broken, 3*time.Second/2)
		time.Sleep(time.Second)
		ask(broken, 3*time.Second/2)
		all.Wait()
		if begun != 3 {
			t.Errorf("%d syncs", begun)
		}
	})
}
