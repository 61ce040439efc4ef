package agent_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"hotfolder/agent"
	"hotfolder/store"
)

func TestManyFailuresAreTold(t *testing.T) {
	in(t, studio{config: "notify: {failures: 3}"}, func(w *world) {
		told := func() bool { return slices.Contains(w.troubles(), agent.ManyFailed) }
		for i := range 3 {
			if told() {
				t.Errorf("told after %d failures", i)
			}
			w.drop(fmt.Sprintf("%d.jpg", i), fmt.Appendf(nil, "no picture %d", i))
			w.settle(i+1, store.Failed)
		}
		if !told() {
			t.Error("three failures are not told")
		}
		time.Sleep(58 * time.Minute)
		if !told() {
			t.Error("forgotten within the hour")
		}
		time.Sleep(5 * time.Minute)
		if told() {
			t.Error("still told after an hour")
		}
	})
}
