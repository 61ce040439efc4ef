package agent

import (
	"testing"
	"testing/synctest"
	"time"
)

// Calls that fail together are one trouble: they must not shut the gate for as long as that many tries would.
func TestAGateShutByManyOpensSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := apiGate()
		for range 50 {
			g.took()
		}
		for range 50 {
			g.failed(0)
		}
		if wait := time.Until(g.due()); wait > g.base {
			t.Errorf("shut for %v after one blip, want at most %v", wait, g.base)
		}
		g.failed(7 * time.Second)
		if wait := time.Until(g.due()); wait != 7*time.Second {
			t.Errorf("shut for %v, asked for 7 s", wait)
		}
	})
}

func TestAGateTriesEverMoreRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := apiGate()
		for range g.after {
			g.failed(0)
		}
		tries := 0
		for began := time.Now(); time.Since(began) < time.Hour; time.Sleep(100 * time.Millisecond) {
			if g.room(time.Now()) == 0 {
				continue
			}
			tries++
			g.took()
			if g.room(time.Now()) != 0 {
				t.Fatal("two tries at once")
			}
			g.failed(0)
			g.left()
		}
		if tries < 60 || tries > 300 {
			t.Errorf("%d tries in an hour", tries)
		}
		g.passed()
		if g.room(time.Now()) != noLimit {
			t.Error("still shut though a call passed")
		}
	})
}
