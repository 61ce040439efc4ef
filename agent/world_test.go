package agent_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/agent"
	"hotfolder/autoretouch"
	"hotfolder/config"
	"hotfolder/sandbox"
	"hotfolder/store"
	"hotfolder/watcher"
)

// world is a studio in fake time: one hot folder, a ledger, the sandbox in process, and an agent that comes and goes.
type world struct {
	*testing.T
	dir         string
	sandbox     *sandbox.Server
	transport   http.RoundTripper                // to the sandbox; nil: straight
	rows        func(agent.Rows) agent.Rows      // what lies between the agent and the ledger; nil: nothing
	disk        func(agent.Disk) agent.Disk      // and between it and the disk
	free        func(dir string) (uint64, error) // of the disks; nil: nobody asks
	cfg         *config.Config
	events      func() (watcher.Events, error) // of the folders; nil: they are looked at from time to time
	credentials autoretouch.Credentials
	webhook     string       // to which the API announces results
	agent       *agent.Agent // while it runs
	stop        func() error
	died        time.Time // when it was killed; see dieAt
	logged      log
}

// studio says what is special about a world.
type studio struct {
	sandbox sandbox.Options
	folder  string // more keys of the hot folder, a line each
	config  string // more keys of the configuration
	second  string // more keys of a second hot folder, urgent, with in2 and out2, with commas between; "": there is none
	idle    bool   // the test itself starts the agent
}

// in runs a test in a world of its own.
func in(t *testing.T, s studio, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if s.sandbox.Credits == 0 {
			s.sandbox.Credits = 1_000_000
		}
		if s.sandbox.Processing == 0 {
			s.sandbox.Processing = 2 * time.Second
		}
		box, err := sandbox.New(s.sandbox)
		if err != nil {
			t.Fatal(err)
		}
		w := &world{T: t, dir: tempDir(t), sandbox: box}
		for _, dir := range []string{"in", "out", "in2", "out2"} {
			if err := os.Mkdir(filepath.Join(w.dir, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		w.credentials = &autoretouch.File{Path: filepath.Join(w.dir, "credentials.json")}
		if err := w.credentials.Save(autoretouch.Token{Refresh: box.RefreshToken()}); err != nil {
			t.Fatal(err)
		}
		w.configure(s)
		if !s.idle {
			w.start()
		}
		defer func() {
			if w.stop != nil {
				w.halt()
			}
			if err := box.Close(); err != nil {
				t.Error(err)
			}
			if t.Failed() {
				t.Log(w.logged.String())
			}
		}()
		test(w)
	})
}

// tempDir is a folder in memory where there is one to be had: a world costs a hundred flushes of a disk.
func tempDir(t *testing.T) string {
	const memory = "/dev/shm"
	if runtime.GOOS != "linux" {
		return t.TempDir()
	}
	if dir, err := os.MkdirTemp(memory, "hotfolder-"); err == nil {
		t.Cleanup(func() {
			if err := os.RemoveAll(dir); err != nil {
				t.Error(err)
			}
		})
		return dir
	}
	return t.TempDir()
}

func (w *world) configure(s studio) {
	text := fmt.Sprintf(`
account: {organization: %s}
data_dir: data
%s
folders:
  - name: packshots
    input: in
    output: out
    workflow: %s
    settle: 2s
    batch: none
`, sandbox.Organization, s.config, sandbox.PackshotWhite)
	for line := range strings.Lines(s.folder) {
		text += "    " + line
	}
	if s.second != "" {
		text += fmt.Sprintf("\n  - {name: urgent, input: in2, output: out2, workflow: %s, batch: none}\n", sandbox.PackshotWhite)
		text = strings.TrimSuffix(text, "}\n") + ", " + s.second + "}\n"
	}
	cfg, err := config.Parse(filepath.Join(w.dir, "hotfolder.yaml"), []byte(text), func(string) string { return "" })
	if err != nil {
		w.Fatal(err)
	}
	w.cfg = cfg
}

func (w *world) ledger() *store.Ledger {
	l, err := store.Open(filepath.Join(w.dir, "data", "ledger.db"))
	if err != nil {
		w.Fatal(err)
	}
	return l
}

// open makes an agent on the world's ledger; the caller runs it and closes the rest.
func (w *world) open(once bool) (*agent.Agent, func()) {
	transport := w.transport
	if transport == nil {
		transport = w.sandbox.InProcess()
	}
	api, err := autoretouch.New(autoretouch.Options{
		URL: w.cfg.API.URL, AuthURL: w.cfg.API.AuthURL, ClientID: w.cfg.API.ClientID,
		Organization: w.cfg.Account.Organization, UserAgent: "hotfolder-test", Timeout: w.cfg.API.Timeout,
		Credentials: w.credentials, Transport: transport,
	})
	if err != nil {
		w.Fatal(err)
	}
	l := w.ledger()
	a, err := agent.New(agent.Options{
		Config: w.cfg, Ledger: l, API: api, Version: "test", Once: once, FreeSpace: w.free, Events: w.events,
		Log: slog.New(slog.NewTextHandler(&w.logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		w.Fatal(err)
	}
	a.Through(w.rows, w.disk)
	if w.webhook != "" {
		a.AnnounceTo(w.webhook)
	}
	return a, func() {
		api.Close()
		if err := l.Close(); err != nil {
			w.Error(err)
		}
	}
}

func (w *world) start() {
	a, closeAll := w.open(false)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	w.agent = a
	w.stop = func() error {
		cancel()
		err := <-ended
		closeAll()
		return err
	}
}

// halt stops the agent as SIGTERM does.
func (w *world) halt() {
	w.Helper()
	began := time.Now()
	if err := w.stop(); err != nil {
		w.Errorf("Run: %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		w.Errorf("stopping took %v", took)
	}
	w.stop, w.agent = nil, nil
}

func (w *world) restart() {
	w.halt()
	w.start()
}

// runOnce takes what is there now, and returns what that left and how it stood at the end.
func (w *world) runOnce() (*agent.Unfinished, agent.Status) {
	w.Helper()
	a, closeAll := w.open(true)
	defer closeAll()
	err := a.Run(context.Background())
	left, ok := errors.AsType[*agent.Unfinished](err)
	if err != nil && !ok {
		w.Fatal(err)
	}
	s, err := a.Status(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return left, s
}

// wantOnce takes what is there now, and wants so many pictures to fail: by what Run returns as well as by what people are shown.
func (w *world) wantOnce(delivered, failed int) {
	w.Helper()
	left, s := w.runOnce()
	if p := s.Folders[0].Progress; p.Delivered != delivered || p.Failed != failed || s.Agent.Failed != failed || p.Waiting != 0 {
		w.Errorf("%+v, want %d delivered, %d failed", *p, delivered, failed)
	}
	if (left != nil) != (failed > 0) || left != nil && left.Failed != failed {
		w.Errorf("Run: %+v, want %d failed", left, failed)
	}
}

// drop puts a file into the input folder, whole at once.
func (w *world) drop(name string, data []byte) {
	w.Helper()
	w.write(filepath.Join("in", filepath.FromSlash(name)), data)
}

func (w *world) write(name string, data []byte) {
	w.Helper()
	file := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		w.Fatal(err)
	}
}

// until waits, in fake time, for something to come true.
func (w *world) until(what string, within time.Duration, true func() bool) {
	w.Helper()
	for deadline := time.Now().Add(within); !true(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("not within %v: %s\ncounts %v", within, what, w.counts())
		}
	}
}

func (w *world) counts() map[store.State]int {
	s, err := w.agent.Status(context.Background())
	if err != nil {
		w.Fatal(err)
	}
	return s.Counts
}

// settle waits until n jobs are in a state.
func (w *world) settle(n int, state store.State) {
	w.Helper()
	w.until(fmt.Sprintf("%d %s", n, state), 5*time.Minute, func() bool { return w.counts()[state] == n })
}

// job is the one job of a file.
func (w *world) job(path string) store.Job {
	w.Helper()
	var found store.Job
	for job, err := range w.agent.Jobs(context.Background(), store.Filter{}) {
		if err != nil {
			w.Fatal(err)
		}
		if job.Path == path {
			found = job
		}
	}
	if found.ID == "" {
		w.Fatalf("no job for %q", path)
	}
	return found
}

func (w *world) troubles() (codes []agent.Code) {
	s, err := w.agent.Status(context.Background())
	if err != nil {
		w.Fatal(err)
	}
	for _, t := range s.Troubles {
		codes = append(codes, t.Code)
	}
	return codes
}

// outputs are the files in the output folder and the hashes of what they hold.
func (w *world) outputs() map[string]string { return w.files("out") }

func (w *world) files(dir string) map[string]string {
	w.Helper()
	files := map[string]string{}
	root := filepath.Join(w.dir, dir)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == ".hotfolder-lock" { // there while the agent is
			return err
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) { // renamed under us by the agent
			return nil
		}
		rel, _ := filepath.Rel(root, path)
		files[filepath.ToSlash(rel)] = sum(data)
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return files
}

func sum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// wantOutputs wants exactly these files in the output folder, each with a result that the sandbox made.
func (w *world) wantOutputs(names ...string) {
	w.Helper()
	got := w.outputs()
	if have := slices.Sorted(maps.Keys(got)); !slices.Equal(have, slices.Sorted(slices.Values(names))) {
		w.Errorf("output folder has %q, want %q", have, names)
	}
	w.wantOnlyResults()
}

// wantOnlyResults wants each file in the output folder to be a whole result that the sandbox made.
func (w *world) wantOnlyResults() {
	w.Helper()
	made := map[string]bool{}
	for _, e := range w.sandbox.Books().Executions {
		made[e.ResultHash] = true
	}
	for name, sum := range w.outputs() {
		if !made[sum] {
			w.Errorf("%q is no result of the sandbox", name)
		}
	}
}

// wantPaid wants this many executions and as many charges.
func (w *world) wantPaid(n int) {
	w.Helper()
	books := w.sandbox.Books()
	if len(books.Executions) != n || len(books.Charges) != n {
		w.Errorf("%d executions and %d charges, want %d", len(books.Executions), len(books.Charges), n)
		for _, e := range books.Executions {
			w.Logf("%s job %s created %v", e.InputName, e.Labels["hotfolder_job"], e.CreatedAt)
		}
	}
}

// log is a log that may be read while it is written.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// picture is a small JPEG, a different one for each n.
func picture(n int) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, pixels(n), nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func pngPicture(n int) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, pixels(n)); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// blank is a PNG of that size.
func blank(width, height int) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func pixels(n int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, 48, 32))
	for i := range 24 {
		v := uint8(40)
		if n>>i&1 == 1 {
			v = 220
		}
		for dx := range 8 {
			for dy := range 8 {
				img.Set(i%6*8+dx, i/6*8+dy, color.RGBA{v, 255 - v, uint8(n * 37), 255})
			}
		}
	}
	return img
}
