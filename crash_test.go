package main_test

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"hotfolder/sandbox"
)

var (
	kills = flag.Int("kills", 12, "how often TestCrash kills the agent, and TestPowerLoss its machine")
	seed  = flag.Uint64("seed", rand.Uint64(), "of the random moments and faults of both")
)

// TestCrash kills the real agent at random moments, under random faults of the API, until it was killed often enough, lets it finish,
// and holds the books of the sandbox against the folders. A longer run: go test -run TestCrash -kills 1000 -timeout 2h .
func TestCrash(t *testing.T) {
	t.Logf("seed %d: run again with -seed %[1]d", *seed)
	random := rand.New(rand.NewPCG(*seed, 0))
	s := newStudio(t, plan{seed: *seed, faults: sandbox.Faults{
		ServerError: sandbox.Chance{P: 0.05},
		TooMany:     sandbox.Chance{P: 0.05},
		DropBefore:  sandbox.Chance{P: 0.03},
		DropAfter:   sandbox.Chance{P: 0.15, At: []string{sandbox.Create, sandbox.Upload, sandbox.Retry}},
		Truncate:    sandbox.Chance{P: 0.1},
		Corrupt:     sandbox.Chance{P: 0.1},
		CutShort:    sandbox.Chance{P: 0.1},
		ListLag:     time.Second,
		TokenCalls:  50,
		Fail:        0.1, FailTimes: 1,
	}})
	folder := s.folders[0]
	s.drop(folder, 100)
	for range *kills {
		agent := s.start()
		time.Sleep(time.Duration(50+random.IntN(1000)) * time.Millisecond)
		if err := agent.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = agent.Wait()  // says that it was killed
		s.drop(folder, 2) // so that there is always something on its way
	}
	agent := s.start()
	s.waitForResults()
	s.stop(agent)
	s.wantPromises()
}
