package agent_test

import (
	"fmt"
	"testing"
	"time"

	"hotfolder/sandbox"
	"hotfolder/store"
)

// Hours in which nothing gets through, of whatever kind: no job is lost or failed, the API is not hammered, and soon after the end
// all is delivered and paid for once.
func TestHoursWithoutTheAPI(t *testing.T) {
	always := sandbox.Chance{P: 1}
	for name, faults := range map[string]sandbox.Faults{
		"no connection":               {DropBefore: always}, // as with DNS that fails, or TLS
		"too many requests":           {TooMany: always, RetryAfter: 2 * time.Minute},
		"a captive portal":            {Portal: always},
		"a proxy that asks for money": {Portal: always, PortalStatus: 402},
		"a proxy that knows no POST":  {Portal: always, PortalStatus: 405},
		"answers without end":         {Huge: always},
		"uploads that hang":           {StallRead: always},
		"downloads that hang":         {Stall: always},
		"downloads that are wrong":    {Corrupt: always},
		"access tokens that expire":   {TokenCalls: 1},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, studio{sandbox: sandbox.Options{Faults: faults}}, func(w *world) {
				const n = 10
				for i := range n {
					w.drop(fmt.Sprintf("%d.jpg", i), picture(i))
				}
				time.Sleep(30 * time.Minute)
				before := calls(w)
				time.Sleep(2 * time.Hour)
				if got := calls(w) - before; got > 2*60*n*3 {
					t.Errorf("%d calls in 2 hours, more than 3 a minute for each job", got)
				}
				if got := w.counts(); got[store.Failed]+got[store.Gone] > 0 {
					t.Errorf("given up: %v", got)
				}
				w.sandbox.SetFaults(sandbox.Faults{})
				soon := 15 * time.Minute
				if faults.Corrupt.P > 0 {
					soon = time.Hour // what is wrong with the results is most likely not the line
				}
				w.until("all delivered", soon, func() bool { return w.counts()[store.Delivered] == n })
				w.wantPaid(n)
			})
		})
	}
}
