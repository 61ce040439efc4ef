package agent_test

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/agent"
	"hotfolder/sandbox"
	"hotfolder/store"
)

const wholeOrders = "deliver: order\ndeliver_after: 6h\n"

// visible are the files in a folder of the output that people see, in order.
func (w *world) visible(dir string) (names []string) {
	for name := range w.outputs() {
		if path.Dir(name) == dir && !strings.HasPrefix(path.Base(name), ".") {
			names = append(names, path.Base(name))
		}
	}
	slices.Sort(names)
	return names
}

func (w *world) wantVisible(dir string, want ...string) {
	w.Helper()
	if got := w.visible(dir); !slices.Equal(got, want) {
		w.Errorf("in %s there is %q, want %q", dir, got, want)
	}
}

// appearsTogether waits until n files appear in a folder of the output, at one moment.
func (w *world) appearsTogether(dir string, n int, within time.Duration) {
	w.Helper()
	w.until(fmt.Sprintf("%d files in %s", n, dir), within, func() bool {
		synctest.Wait() // not in the middle of the renames
		got := w.visible(dir)
		if len(got) != 0 && len(got) != n {
			w.Fatalf("only a part of %s is there: %q", dir, got)
		}
		return len(got) == n
	})
}

// list is what a list in the output says.
func (w *world) list(name string) string {
	text, err := os.ReadFile(filepath.Join(w.dir, "out", name))
	if err != nil {
		w.Error(err)
	}
	return string(text)
}

func (w *world) wantList(name string, want ...string) {
	w.Helper()
	text := w.list(name)
	for _, part := range want {
		if !strings.Contains(text, part) {
			w.Errorf("%s lacks %q:\n%s", name, part, text)
		}
	}
}

// The results of a subfolder appear together when the last of them is there, across a restart; other subfolders wait for none of it.
func TestAnOrderAppearsTogether(t *testing.T) {
	in(t, studio{folder: wholeOrders, idle: true}, func(w *world) {
		w.drop("shoot/a.jpg", picture(1))
		w.drop("shoot/again a.jpg", picture(1)) // waits for a result that waits for the order
		w.drop("other/d.jpg", picture(4))
		w.start() // so that its first look finds them all
		w.settle(3, store.Downloading)
		w.sandbox.SetFaults(sandbox.Faults{InQA: 1, QAFor: time.Hour})
		w.drop("shoot/c.jpg", picture(3))
		w.settle(1, store.Delivered)
		w.wantVisible("other", "_COMPLETE.txt", "d.png")
		time.Sleep(50 * time.Minute)
		w.restart()
		downloads := w.sandbox.Books().Calls[sandbox.Download]
		w.appearsTogether("shoot", 4, time.Hour)
		w.settle(4, store.Delivered)
		w.wantVisible("shoot", "_COMPLETE.txt", "a.png", "again a.png", "c.png")
		w.wantList("shoot/_COMPLETE.txt", "shoot: all 3 pictures are here.", "shoot/a.png", "shoot/c.png")
		if got := w.sandbox.Books().Calls[sandbox.Download] - downloads; got != 1 {
			t.Errorf("%d downloads after the restart, want the last one's", got)
		}
		if got := w.outputs(); len(got) != 6 {
			t.Errorf("the output has %v", keys(got))
		}
		w.wantPaid(3)

		w.drop("shoot/late.jpg", picture(5)) // a further delivery
		w.sandbox.SetFaults(sandbox.Faults{})
		w.settle(5, store.Delivered)
		w.wantVisible("shoot", "_COMPLETE.txt", "_COMPLETE_2.txt", "a.png", "again a.png", "c.png", "late.png")
		w.wantList("shoot/_COMPLETE_2.txt", "all 1 pictures", "shoot/late.png")
	})
}

// It does so with a ledger on a slow disk.
func TestAnOrderWaitsForNoLedgerWhileItAppears(t *testing.T) {
	in(t, studio{folder: wholeOrders, idle: true}, func(w *world) {
		const n = 100
		for i := range n {
			w.drop(fmt.Sprintf("shoot/%d.jpg", i), picture(i))
		}
		w.watch(func(op, _ string) error {
			if strings.HasPrefix(op, "ledger") {
				time.Sleep(300 * time.Millisecond)
			}
			return nil
		}, oneDisk, nil)
		w.start()
		w.appearsTogether("shoot", n+1, time.Hour)
		w.settle(n, store.Delivered)
	})
}

// A result that was just put aside for its order is not taken for one that is still to be downloaded: that would empty it again, perhaps
// in the moment in which it gets its name.
func TestEachResultOfAnOrderIsDownloadedOnce(t *testing.T) {
	in(t, studio{folder: wholeOrders, idle: true}, func(w *world) {
		const n = 300
		for i := range n {
			w.drop(fmt.Sprintf("shoot/%d.jpg", i), picture(i))
		}
		w.start()
		w.settle(n, store.Delivered)
		if got := w.sandbox.Books().Calls[sandbox.Download]; got != n {
			t.Errorf("%d downloads of %d results", got, n)
		}
	})
}

// What is not there in time is listed, with why, and follows; so is what failed.
func TestAnOrderThatIsNotWholeInTime(t *testing.T) {
	in(t, studio{folder: wholeOrders, sandbox: sandbox.Options{Faults: sandbox.Faults{InQA: 1, QAFor: 10 * time.Hour}}}, func(w *world) {
		w.drop("c.jpg", picture(3))
		w.settle(1, store.InQA)
		w.sandbox.SetFaults(sandbox.Faults{})
		w.drop("a.jpg", picture(1))
		w.drop("letter.jpg", letter)
		time.Sleep(5 * time.Hour)
		w.wantVisible(".")
		w.settle(1, store.Failed)
		time.Sleep(70 * time.Minute)
		w.wantVisible(".", "_MISSING.txt", "a.png")
		w.wantList("_MISSING.txt", "packshots: 2 of 3 pictures are missing.", "  c.jpg: waits for a person at AutoRetouch since", "  letter.jpg: failed: the file is not a JPEG", "  a.png")

		if err := os.Remove(filepath.Join(w.dir, "in/letter.jpg")); err != nil { // given up
			t.Fatal(err)
		}
		w.until("the rest is there", 5*time.Hour, func() bool { return w.counts()[store.Delivered] == 2 })
		w.wantVisible(".", "_COMPLETE.txt", "_MISSING.txt", "a.png", "c.png")
		w.wantPaid(2)
	})
}

// An order that is still being copied is not whole, however fast its first pictures come back.
func TestAnOrderThatIsStillCopied(t *testing.T) {
	in(t, studio{folder: wholeOrders}, func(w *world) {
		for i := range 10 {
			slow := picture(i)
			w.drop(fmt.Sprintf("shoot/%d.jpg", i), slow[:len(slow)-9])
			time.Sleep(25 * time.Second)
			w.wantVisible("shoot")
			w.drop(fmt.Sprintf("shoot/%d.jpg", i), slow)
		}
		w.settle(10, store.Delivered)
		if got := w.visible("shoot"); len(got) != 11 || got[10] != "_COMPLETE.txt" {
			t.Errorf("there is %q", got)
		}
	})
}

// A result that waits and is lost is downloaded again, one that cannot be right is listed, and a name that somebody took is left alone.
func TestWhatHappensToAnOrderMeanwhile(t *testing.T) {
	in(t, studio{folder: wholeOrders, sandbox: sandbox.Options{Faults: sandbox.Faults{InQA: 1, QAFor: time.Hour}}}, func(w *world) {
		w.drop("shoot/slow.jpg", picture(9))
		w.settle(1, store.InQA)
		w.sandbox.SetFaults(sandbox.Faults{ResultIs: "empty"})
		w.drop("shoot/bad.jpg", picture(3))
		w.settle(1, store.Failed)
		w.sandbox.SetFaults(sandbox.Faults{})
		w.drop("shoot/a.jpg", picture(1))
		w.drop("shoot/b.jpg", picture(2))
		w.settle(2, store.Downloading)
		time.Sleep(time.Minute)
		w.remove("out/shoot/.hotfolder-" + w.job("shoot/a.jpg").ID + ".part")
		w.write("out/shoot/b.png", []byte("somebody's"))
		w.write("out/shoot/_MISSING.txt", []byte("somebody's"))
		w.until("it is delivered", 2*time.Hour, func() bool { return w.counts()[store.Delivered] == 3 })
		w.wantVisible("shoot", "_MISSING.txt", "_MISSING_2.txt", "a.png", "b.png", "b_2.png", "slow.png")
		w.wantList("shoot/_MISSING_2.txt", "shoot/b_2.png", "shoot/bad.jpg: failed: the result is empty")
		w.wantPaid(4)
	})
}

// Orders that wait when deliver is set back to each are delivered at the next start.
func TestOrdersThatAreNoLongerWanted(t *testing.T) {
	in(t, studio{folder: wholeOrders, sandbox: sandbox.Options{Faults: sandbox.Faults{InQA: 1, QAFor: time.Hour}}}, func(w *world) {
		w.drop("slow.jpg", picture(9))
		w.settle(1, store.InQA)
		w.sandbox.SetFaults(sandbox.Faults{})
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Downloading)
		time.Sleep(time.Minute)
		w.wantVisible(".")
		w.halt()
		w.configure(studio{})
		w.start()
		w.settle(1, store.Delivered)
		w.wantOutputs("a.png")
	})
}

// A run that takes what is there now ends although an order waits for people, and the next one goes on.
func TestOnceWithAnOrderThatWaits(t *testing.T) {
	in(t, studio{folder: wholeOrders, idle: true, sandbox: sandbox.Options{Faults: sandbox.Faults{InQA: 0.5, QAFor: time.Hour}, Seed: 3}}, func(w *world) {
		for i := range 6 {
			w.drop(fmt.Sprintf("shoot/%d.jpg", i), picture(i))
		}
		once := func() error {
			a, closeAll := w.open(true)
			defer closeAll()
			return a.Run(w.Context())
		}
		began := time.Now()
		var left *agent.Unfinished
		if err := once(); !errors.As(err, &left) || left.Waiting != 6 || time.Since(began) > 10*time.Minute {
			t.Errorf("Run after %v: %v, want six waiting", time.Since(began), err)
		}
		w.wantVisible("shoot")
		time.Sleep(2 * time.Hour)
		if err := once(); err != nil {
			t.Errorf("Run: %v", err)
		}
		if got := w.visible("shoot"); len(got) != 7 {
			t.Errorf("there is %q", got)
		}
		w.wantPaid(6)
	})
}

// Wherever the agent dies, an order is delivered once, whole, with one list.
func TestCrashesWhileAnOrderIsDelivered(t *testing.T) {
	for name, c := range map[string]crash{
		"killed":                 {},
		"killed, originals move": {scene: scene{folder: moveOriginals}},
		"killed, on a share":     {scene: scene{disk: linkDisk}},
		"power cut":              {scene: scene{folder: deleteOriginals}, power: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everyNth(t, func(n int) (more bool) {
				in(t, studio{folder: wholeOrders + c.folder, idle: true}, func(w *world) {
					w.drop("shoot/a.jpg", picture(1))
					w.drop("shoot/b.jpg", picture(2))
					var last string
					more, last = w.dieBefore(n, c.disk, c.power, func() bool { return w.counts()[store.Delivered] == 2 })
					want := []string{"out/shoot/_COMPLETE.txt", "out/shoot/a.png", "out/shoot/b.png"}
					switch c.folder {
					case "":
						want = append(want, "in/shoot/a.jpg", "in/shoot/b.jpg")
					case moveOriginals:
						want = append(want, "done/shoot/a.jpg", "done/shoot/b.jpg")
					}
					w.wantFiles(want...)
					w.wantPaid(2)
					if w.Failed() {
						w.Logf("the agent died before thing %d: %s", n, last)
					}
				})
				return more
			})
		})
	}
}
