package agent_test

import (
	"context"
	"errors"
	"maps"
	"math"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hotfolder/agent"
	"hotfolder/store"
)

// TestCrashEverywhere lets the agent die before the n-th thing that it does to the ledger, the API or a disk, for every n, starts it
// again on what is left, and holds the promises against the folders and the books.
func TestCrashEverywhere(t *testing.T) {
	move := "after_success: move\nprocessed: done\nfailed: failed\n"
	for name, c := range map[string]crash{
		"killed":                       {},
		"killed, originals move":       {folder: move},
		"killed, to another disk":      {folder: move, otherDisk: true},
		"power cut, originals move":    {folder: move, power: true},
		"power cut, originals deleted": {folder: "after_success: delete\n", power: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			step := 1
			if testing.Short() {
				step = 7
			}
			for n, more := 1, true; more && !t.Failed(); n += step {
				in(t, studio{folder: c.folder, idle: true}, func(w *world) { more = c.dieBefore(w, n) })
			}
		})
	}
}

// crash is a way to die.
type crash struct {
	folder    string // keys of the hot folder
	otherDisk bool   // the folders for originals lie on
	power     bool   // what was not made durable is lost, too
}

// pictures are what is dropped and the results that they are to have.
var pictures = []struct {
	name, result string
	data         []byte
}{
	{"a.jpg", "a.png", picture(1)},
	{"shoot/b.jpg", "shoot/b.png", picture(2)},
	{"shoot/copy of a.jpg", "shoot/copy of a.png", picture(1)},
}

var letter = []byte("Dear Sir or Madam")

// dieBefore lets the agent die before the n-th thing that it does, and finish after that. It is false when there was no n-th.
func (c crash) dieBefore(w *world, n int) (more bool) {
	for _, p := range pictures {
		w.drop(p.name, p.data)
	}
	w.drop("shoot/letter.jpg", letter)

	ctx, kill := context.WithCancel(w.Context())
	defer kill()
	f := &fuse{left: n - 1, kill: kill}
	disk := &mortalDisk{fuse: f, otherDisk: c.otherDisk}
	w.transport = mortalAPI{f, w.sandbox.InProcess()}
	w.rows = func(r agent.Rows) agent.Rows { return mortalRows{f, r} }
	w.disk = func(d agent.Disk) agent.Disk {
		disk.Disk = d
		return disk
	}
	a, closeAll := w.open(false)
	w.agent = a
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	for deadline := time.Now().Add(10 * time.Minute); !f.isOut() && time.Now().Before(deadline); time.Sleep(time.Second) {
		if c.isDone(w) {
			break
		}
	}
	more = f.isOut()
	kill()
	<-ended
	closeAll()
	if more && c.power {
		disk.powerCut(w.T)
	}

	w.transport, w.rows = nil, nil
	disk.fuse = &fuse{left: math.MaxInt}
	w.start()
	w.until("all is done after death before "+f.last, time.Hour, func() bool { return c.isDone(w) })
	time.Sleep(time.Minute) // nothing more happens
	c.wantPromises(w)
	if w.Failed() {
		w.Logf("the agent died before thing %d: %s", n, f.last)
	}
	return more
}

func (c crash) isDone(w *world) bool {
	counts := w.counts()
	return counts[store.Delivered] == len(pictures) && counts[store.Failed] == 1
}

// wantPromises wants CONTRACT.md's promises kept: one execution and charge a picture, one whole result under its name, and no file
// anywhere that does not belong there.
func (c crash) wantPromises(w *world) {
	w.Helper()
	w.wantPaid(2)
	results := map[string]string{} // of each content
	books := w.sandbox.Books()
	for _, e := range books.Executions {
		results[e.InputHash] = e.ResultHash
	}
	want := map[string]string{}
	originals := "in/"
	switch {
	case strings.Contains(c.folder, "move"):
		originals = "done/"
	case strings.Contains(c.folder, "delete"):
		originals = ""
	}
	for _, p := range pictures {
		want["out/"+p.result] = results[sum(p.data)]
		if originals != "" {
			want[originals+p.name] = sum(p.data)
		}
	}
	if strings.Contains(c.folder, "failed") {
		want["failed/shoot/letter.jpg"] = sum(letter)
		want["failed/shoot/letter.jpg.error.txt"] = "a note"
	} else {
		want["in/shoot/letter.jpg"] = sum(letter)
	}
	got := map[string]string{}
	for name, sum := range w.files(".") {
		switch {
		case strings.HasPrefix(name, "data/"), name == "credentials.json":
			continue
		case path.Ext(name) == ".txt":
			sum = "a note"
		}
		got[name] = sum
	}
	if !maps.Equal(got, want) {
		w.Errorf("there is  %v\nwant      %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		for name := range got {
			if want[name] != "" && got[name] != want[name] {
				w.Errorf("%s holds %.8s, want %.8s", name, got[name], want[name])
			}
		}
	}
	credits := 0
	for job, err := range w.agent.Jobs(w.Context(), store.Filter{}) {
		if err != nil {
			w.Fatal(err)
		}
		credits += job.Credits
	}
	if credits != books.Charged() {
		w.Errorf("the ledger says %d credits, the account %d", credits, books.Charged())
	}
}

// fuse burns shorter with everything that the agent does and that outlasts it. Once it is out the agent is dead: nothing that it
// still does has any effect.
type fuse struct {
	kill func()

	mu   sync.Mutex
	left int
	out  bool
	last string // what the agent did not come to
}

var errDead = errors.New("the agent is dead")

// burn is called before the agent does something; its error says that this does not happen.
func (f *fuse) burn(what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left--; f.left >= 0 {
		return nil
	}
	if !f.out {
		f.out, f.last = true, what
		f.kill()
	}
	return errDead
}

func (f *fuse) isOut() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.out
}

// mortalAPI lets the agent die before a request is sent, and after it was handled, before the answer is seen.
type mortalAPI struct {
	fuse *fuse
	next http.RoundTripper
}

func (m mortalAPI) RoundTrip(req *http.Request) (*http.Response, error) {
	call := req.Method + " " + req.URL.Path
	if err := m.fuse.burn(call); err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	resp, err := m.next.RoundTrip(req)
	if dead := m.fuse.burn("the answer to " + call); dead != nil {
		if err == nil {
			resp.Body.Close()
		}
		return nil, dead
	}
	return resp, err
}

// mortalRows lets the agent die before it writes into the ledger.
type mortalRows struct {
	fuse *fuse
	agent.Rows
}

func (m mortalRows) Add(job store.Job, seen store.Seen) (store.Job, bool, error) {
	if err := m.fuse.burn("adding " + job.Path); err != nil {
		return job, false, err
	}
	return m.Rows.Add(job, seen)
}

func (m mortalRows) Step(id string, to store.State, detail string, change func(*store.Job)) (store.Job, error) {
	if err := m.fuse.burn("stepping a job to " + string(to)); err != nil {
		return store.Job{}, err
	}
	return m.Rows.Step(id, to, detail, change)
}

func (m mortalRows) Note(id string, change func(*store.Job)) (store.Job, error) {
	if err := m.fuse.burn("noting something of a job"); err != nil {
		return store.Job{}, err
	}
	return m.Rows.Note(id, change)
}

func (m mortalRows) Batch(folder, group string, idle time.Duration) (store.Batch, error) {
	if err := m.fuse.burn("putting a job into a batch"); err != nil {
		return store.Batch{}, err
	}
	return m.Rows.Batch(folder, group, idle)
}

func (m mortalRows) SetReconciled(yes bool) error {
	if err := m.fuse.burn("noting that the ledger is reconciled"); err != nil {
		return err
	}
	return m.Rows.SetReconciled(yes)
}

func (m mortalRows) Unsee(folder, path string) error {
	if err := m.fuse.burn("forgetting how " + path + " was seen"); err != nil {
		return err
	}
	return m.Rows.Unsee(folder, path)
}
