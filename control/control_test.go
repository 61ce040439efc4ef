package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/agent"
	"hotfolder/store"
)

// desk is an agent that knows some jobs and remembers what it was asked.
type desk struct {
	jobs      []store.Job
	err       error
	filter    store.Filter
	request   agent.RetryRequest
	redeliver agent.RedeliverRequest
	hang      chan struct{} // Status waits for it

	troubles []agent.Trouble
}

func (d *desk) Status(ctx context.Context) (agent.Status, error) {
	if d.hang != nil {
		select {
		case <-d.hang:
		case <-ctx.Done():
		}
	}
	return agent.Status{
		Counts: map[store.State]int{store.Queued: len(d.jobs)}, Agent: agent.ProcessStatus{Running: true}, Troubles: d.troubles,
	}, d.err
}

func (d *desk) Jobs(_ context.Context, f store.Filter) iter.Seq2[store.Job, error] {
	d.filter = f
	return func(yield func(store.Job, error) bool) {
		for _, j := range d.jobs {
			if !yield(j, nil) {
				return
			}
		}
		if d.err != nil {
			yield(store.Job{}, d.err)
		}
	}
}

func (d *desk) Job(_ context.Context, id string) (store.Job, error) {
	for _, j := range d.jobs {
		if strings.HasPrefix(j.ID, id) {
			return j, nil
		}
	}
	return store.Job{}, fmt.Errorf("%w: %s", store.ErrNotFound, id)
}

func (d *desk) Retry(_ context.Context, r agent.RetryRequest) (agent.Retried, error) {
	d.request = r
	return agent.Retried{Jobs: 7}, d.err
}

func (d *desk) Redeliver(_ context.Context, r agent.RedeliverRequest) (agent.Redelivered, error) {
	d.redeliver = r
	return agent.Redelivered{Jobs: 7, There: 5, Lost: 1}, d.err
}

// serve runs a server for the desk until the test ends, or stop is called, and returns its data_dir.
func serve(t *testing.T, d agent.Desk, listen string) (dir string, s *Server, stop func()) {
	t.Helper()
	dir = t.TempDir()
	s, err := Listen(Options{Listen: listen, DataDir: dir, Desk: d, Log: discard})
	if err != nil {
		t.Fatal(err)
	}
	return dir, s, run(t, s)
}

var discard = slog.New(slog.DiscardHandler)

// run lets a server answer until the test ends or stop is called.
func run(t *testing.T, s *Server) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
		ended <- nil
	}
	t.Cleanup(stop)
	for PID(s.dataDir) == 0 {
		time.Sleep(time.Millisecond)
	}
	return stop
}

func dial(t *testing.T, dir string) *Client {
	t.Helper()
	c, err := Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

var someJobs = []store.Job{
	{ID: "abc", Folder: "packshots", Path: "a/ü b.jpg", State: store.Failed, Error: "cut short", Size: 5},
	{ID: "def", Folder: "packshots", Path: "bad\xff\n.jpg", Output: "bad\xff.png", State: store.Delivered,
		DeliveredAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), History: []store.Event{{State: store.Queued, Detail: "<&>"}}},
}

func TestClientIsTheDesk(t *testing.T) {
	d := &desk{jobs: someJobs}
	dir, _, _ := serve(t, d, "")
	c := dial(t, dir)

	status, err := c.Status(t.Context())
	if err != nil || !status.Agent.Running || status.Counts[store.Queued] != 2 {
		t.Errorf("Status = %+v, %v", status, err)
	}
	filter := store.Filter{State: store.Failed, Folder: "ü&=", Path: "bad\xff\n", Since: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Unfinished: true}
	var got []store.Job
	for job, err := range c.Jobs(t.Context(), filter) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, job)
	}
	if !reflect.DeepEqual(got, someJobs) {
		t.Errorf("Jobs = %+v\nwant   %+v", got, someJobs)
	}
	if d.filter != filter {
		t.Errorf("the desk was asked for %+v, want %+v", d.filter, filter)
	}
	if job, err := c.Job(t.Context(), "de"); err != nil || !reflect.DeepEqual(job, someJobs[1]) {
		t.Errorf("Job = %+v, %v", job, err)
	}
	for _, id := range []string{"nope", "", ".", "..", "../status", "a/b", "?"} {
		if _, err := c.Job(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Job(%q): %v, want ErrNotFound", id, err)
		}
	}
	for _, r := range []agent.RetryRequest{{IDs: []string{"a", "b"}}, {All: true}, {Filter: store.Filter{Path: "x\xff"}}} {
		if done, err := c.Retry(t.Context(), r); err != nil || done.Jobs != 7 || !reflect.DeepEqual(d.request, r) {
			t.Errorf("Retry = %+v, %v; the desk was asked for %+v, want %+v", done, err, d.request, r)
		}
	}
}

func TestRedeliverOverTheWire(t *testing.T) {
	d := &desk{jobs: someJobs}
	dir, _, _ := serve(t, d, "")
	c := dial(t, dir)
	want := agent.Redelivered{Jobs: 7, There: 5, Lost: 1}
	for _, r := range []agent.RedeliverRequest{{IDs: []string{"a", "b"}}, {Missing: true}, {Filter: store.Filter{Path: "x\xff", Folder: "ü"}, Missing: true}} {
		if done, err := c.Redeliver(t.Context(), r); err != nil || done != want || !reflect.DeepEqual(d.redeliver, r) {
			t.Errorf("Redeliver = %+v, %v; the desk was asked for %+v, want %+v", done, err, d.redeliver, r)
		}
	}
	if _, err := c.Redeliver(t.Context(), agent.RedeliverRequest{}); err == nil {
		t.Error("Redeliver of nothing: no error")
	}
	d.err = fmt.Errorf("%w: nonsense", store.ErrNotFound)
	if done, err := c.Redeliver(t.Context(), agent.RedeliverRequest{Missing: true}); !errors.Is(err, store.ErrNotFound) || done != want {
		t.Errorf("Redeliver = %+v, %v; want what was done before it failed", done, err)
	}
}

func TestErrorsSurviveTheWire(t *testing.T) {
	d := &desk{jobs: someJobs}
	dir, _, _ := serve(t, d, "")
	c := dial(t, dir)
	d.err = errors.New("the disk is on fire")
	if _, err := c.Status(t.Context()); err == nil || err.Error() != d.err.Error() {
		t.Errorf("Status: %v", err)
	}
	var jobs int
	var last error
	for _, err := range c.Jobs(t.Context(), store.Filter{}) {
		if last = err; err == nil {
			jobs++
		}
	}
	if jobs != 2 || last == nil || last.Error() != d.err.Error() {
		t.Errorf("Jobs: %d jobs, then %v", jobs, last)
	}
	d.err = fmt.Errorf("job abc: %w", store.ErrStep)
	if done, err := c.Retry(t.Context(), agent.RetryRequest{All: true}); !errors.Is(err, store.ErrStep) || err.Error() != d.err.Error() || done.Jobs != 7 {
		t.Errorf("Retry: %+v, %v; want the seven taken up before that", done, err)
	}
	if _, err := c.Retry(t.Context(), agent.RetryRequest{}); err == nil {
		t.Error("Retry of nothing: no error")
	}
	for _, err := range c.Jobs(t.Context(), store.Filter{State: "lost"}) {
		if err == nil || !strings.Contains(err.Error(), "lost") {
			t.Errorf("Jobs of an unknown state: %v", err)
		}
	}
}

func TestClientGivesUpWithItsContext(t *testing.T) {
	d := &desk{}
	dir, _, _ := serve(t, d, "")
	c := dial(t, dir)
	d.hang = make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Status(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNoAnswer) {
		t.Errorf("Status: %v", err)
	}
	close(d.hang)
}

func TestDialTellsWhoIsThere(t *testing.T) {
	write := func(t *testing.T, content string) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, fileName), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	contactTo := func(t *testing.T, l net.Listener) string {
		data, _ := json.Marshal(newContact(l.Addr().String()))
		return write(t, string(data))
	}
	listen := func(t *testing.T) net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	for name, c := range map[string]struct {
		dir  func(t *testing.T) string
		want error
	}{
		"nobody":            {func(t *testing.T) string { return t.TempDir() }, ErrNotRunning},
		"nothing":           {func(t *testing.T) string { return write(t, "") }, ErrNotRunning},
		"broken":            {func(t *testing.T) string { return write(t, `{"address":`) }, ErrNotRunning},
		"a strange address": {func(t *testing.T) string { return write(t, `{"address":"a b\u0000"}`) }, ErrNotRunning},
		"killed": {func(t *testing.T) string {
			l := listen(t)
			l.Close()
			return contactTo(t, l)
		}, ErrNotRunning},
		"another program on its port": {func(t *testing.T) string {
			l := listen(t)
			go http.Serve(l, http.NotFoundHandler())
			return contactTo(t, l)
		}, ErrNotRunning},
		"another agent on its port": {func(t *testing.T) string {
			_, s, _ := serve(t, &desk{}, "")
			return contactTo(t, s.listener)
		}, ErrNotRunning},
		"hung": {func(t *testing.T) string { return contactTo(t, listen(t)) }, context.DeadlineExceeded},
		"dying": {func(t *testing.T) string {
			l := listen(t)
			go func() {
				if c, err := l.Accept(); err == nil {
					io.WriteString(c, "HTTP/1.1 200 O")
					c.Close()
				}
			}()
			return contactTo(t, l)
		}, ErrNoAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			within := time.Minute
			if c.want == context.DeadlineExceeded {
				within = 100 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			if _, err := Dial(ctx, c.dir(t)); !errors.Is(err, c.want) {
				t.Errorf("Dial: %v, want %v", err, c.want)
			}
		})
	}
}

func TestStopLeavesNothing(t *testing.T) {
	dir, _, stop := serve(t, &desk{}, "")
	info, err := os.Stat(filepath.Join(dir, fileName))
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v; want mode 0600", fileName, info.Mode(), err)
	}
	dial(t, dir)
	stop()
	if files, _ := os.ReadDir(dir); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
	if _, err := Dial(t.Context(), dir); err != ErrNotRunning {
		t.Errorf("Dial after stop: %v", err)
	}
}

// A data folder that cannot be written to at the start, on a full disk for instance, is written to later.
func TestTheContactIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inTheWay := filepath.Join(t.TempDir(), "full")
		if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		s := &Server{contact: newContact("127.0.0.1:1"), dataDir: filepath.Join(inTheWay, "data"), log: slog.New(slog.NewTextHandler(&said, nil))}
		var told sync.WaitGroup
		told.Go(func() { s.tellWhere(t.Context()) })
		time.Sleep(time.Hour)
		if err := os.Remove(inTheWay); err != nil {
			t.Fatal(err)
		}
		told.Wait()
		if PID(s.dataDir) != os.Getpid() {
			t.Error("nobody finds the agent")
		}
		if n := strings.Count(said.String(), "cannot reach this agent yet"); n != 1 {
			t.Errorf("told %d times:\n%s", n, &said)
		}
	})
}

func TestStopCutsOffWhatHangs(t *testing.T) {
	d := &desk{}
	dir, s, stop := serve(t, d, "")
	s.grace = 10 * time.Millisecond
	c := dial(t, dir)
	d.hang = make(chan struct{})
	asked := make(chan error)
	go func() {
		_, err := c.Status(t.Context())
		asked <- err
	}()
	time.Sleep(20 * time.Millisecond) // until the request is in the handler; if it is not yet, the test proves less
	stop()
	<-asked
}

func TestStopSparesTheNextAgentsContact(t *testing.T) {
	dir, _, stop := serve(t, &desk{}, "")
	next := newContact("127.0.0.1:1")
	if err := next.write(dir); err != nil {
		t.Fatal(err)
	}
	stop()
	if got, err := readContact(dir); err != nil || got.Token != next.Token {
		t.Errorf("the other's contact: %+v, %v", got, err)
	}
}

func TestTakenPortMoves(t *testing.T) {
	_, first, _ := serve(t, &desk{}, "127.0.0.1:0")
	if first.Moved != nil {
		t.Errorf("Moved = %v from a free port", first.Moved)
	}
	dir, second, _ := serve(t, &desk{}, first.Address())
	if second.Moved == nil || second.Address() == first.Address() {
		t.Errorf("Moved = %v, Address = %s with %s taken", second.Moved, second.Address(), first.Address())
	}
	dial(t, dir)
	if _, off, _ := serve(t, &desk{}, ""); off.Moved != nil {
		t.Errorf("Moved = %v without a port to listen on", off.Moved)
	}
	dir, everywhere, _ := serve(t, &desk{}, "0.0.0.0:0")
	if !strings.HasPrefix(everywhere.Address(), "127.0.0.1:") {
		t.Errorf("Address = %s of a server that listens everywhere", everywhere.Address())
	}
	dial(t, dir)
}

func TestPages(t *testing.T) {
	d := &desk{}
	s, err := Listen(Options{DataDir: t.TempDir(), Desk: d, Log: discard})
	if err != nil {
		t.Fatal(err)
	}
	defer s.listener.Close()
	s.Handle("GET /{$}", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "page") }))
	for host, want := range map[string]int{"localhost": 200, "evil.example": 403} {
		if got := ask(s.http.Handler, request("GET", "/", host, nil, "")); got.Code != want {
			t.Errorf("page for %s: %d, want %d", host, got.Code, want)
		}
	}
	if got := ask(s.http.Handler, request("GET", "/api/status", "localhost", nil, "")); got.Code != 401 {
		t.Errorf("status without a token: %d", got.Code)
	}
}
