package agent_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotfolder/store"
)

// A folder whose share hangs holds up neither another hot folder nor the agent's end: not when it hangs at once, and not in the middle of
// downloads and of writing to the disk.
func TestAShareThatHangsHoldsNothingUp(t *testing.T) {
	for _, where := range []string{"create", "write", "sync", "rename to"} {
		t.Run(where, func(t *testing.T) {
			in(t, studio{idle: true, second: "settle: 2s"}, func(w *world) {
				answers := make(chan struct{})
				w.watch(func(op, what string) error {
					if op == where && strings.HasPrefix(what, filepath.Join(w.dir, "out")+string(filepath.Separator)) {
						<-answers
					}
					return nil
				}, oneDisk, nil)
				const n = 60
				for i := range n {
					w.drop(fmt.Sprintf("%d.jpg", i), picture(i))
				}
				w.start()
				time.Sleep(time.Minute)
				for i := range n {
					w.write(fmt.Sprintf("in2/%d.jpg", i), picture(n+i))
				}
				w.until("the other folder's are delivered", 10*time.Minute, func() bool { return w.counts()[store.Delivered] == n })
				w.halt()
				close(answers)
				w.start()
				w.settle(2*n, store.Delivered)
				w.wantPaid(2 * n)
			})
		})
	}
}
