package main_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hotfolder/sandbox"
)

// studio is one with nothing feigned but the API: real folders, the real binary, the sandbox behind a socket.
type studio struct {
	*testing.T
	dir     string
	binary  string
	config  string   // the file
	under   []string // the command that starts the program, before it
	folders []*hotFolder
	box     *sandbox.Server
	token   string
	dropped int // pictures, into all hot folders

	mu     sync.Mutex
	halves []string // names that were seen with less than a whole result
}

// hotFolder is one of the agent's, with the folders in and out.
type hotFolder struct {
	name   string
	at     string // where the agent has them
	behind string // where they are when nothing is between: the server's side of a share
	n      int    // pictures dropped
}

// plan says what is special about a studio. The zero value is one hot folder on the local disk and a sandbox that behaves.
type plan struct {
	seed    uint64
	faults  sandbox.Faults
	api     string // more of the configuration's keys of api
	under   []string
	folders []*hotFolder
	serve   func(http.Handler) (url string)
}

func newStudio(t *testing.T, p plan) *studio {
	t.Helper()
	dir := t.TempDir()
	if p.folders == nil {
		p.folders = []*hotFolder{{name: "packshots", at: dir, behind: dir}}
	}
	s := &studio{T: t, dir: dir, binary: buildAgent(t), config: filepath.Join(dir, "hotfolder.yaml"), under: p.under, folders: p.folders}
	box, err := sandbox.New(sandbox.Options{
		Credits: 1 << 30, Processing: 300 * time.Millisecond, PassThrough: true, Seed: p.seed, Faults: p.faults,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.box, s.token = box, box.RefreshToken()
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	serve := p.serve
	if serve == nil {
		serve = s.serve
	}
	url := serve(box.Handler())
	s.writeConfig(s.config, url, cmp.Or(p.api, "create_lookup: 3s"), func(f *hotFolder) string { return f.at })

	stop := make(chan struct{})
	var watchers sync.WaitGroup
	for _, f := range s.folders {
		for _, name := range []string{"in", "out"} {
			if err := os.MkdirAll(filepath.Join(f.behind, name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		watchers.Go(func() { s.watch(f, stop) })
	}
	t.Cleanup(func() {
		close(stop)
		watchers.Wait()
		if t.Failed() {
			t.Logf("the agent's log ended so:\n%s", tail(s.log(), 20000))
		}
	})
	return s
}

// writeConfig writes a configuration with each hot folder where at says.
func (s *studio) writeConfig(file, url, api string, at func(*hotFolder) string) {
	s.Helper()
	text := fmt.Sprintf(`
account: {organization: %s}
api: {url: %q, auth_url: %[2]q, %[3]s}
data_dir: data
polling: {min: 100ms, max: 1s}
dashboard: {listen: ""}
log: {level: debug}
folders:
`, sandbox.Organization, url, api)
	for _, f := range s.folders {
		text += fmt.Sprintf("  - {name: %s, input: %q, output: %q, workflow: %s, settle: 100ms, rescan: 2s, batch: none}\n",
			f.name, filepath.Join(at(f), "in"), filepath.Join(at(f), "out"), sandbox.FastCheck)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
}

var buildOnce = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "hotfolder-test-")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "hotfolder")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is released
	out, err := build.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return binary, nil
})

func buildAgent(t *testing.T) string {
	t.Helper()
	binary, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

func TestMain(m *testing.M) {
	code := m.Run()
	if binary, err := buildOnce(); err == nil {
		os.RemoveAll(filepath.Dir(binary))
	}
	os.Exit(code)
}

// serve serves on loopback until the test ends.
func (s *studio) serve(handler http.Handler) (url string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	s.Cleanup(func() {
		server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			s.Error(err)
		}
	})
	return "http://" + listener.Addr().String()
}

// command is a command of hotfolder.
func (s *studio) command(args ...string) *exec.Cmd {
	line := append(slices.Clone(s.under), s.binary, "--config", s.config)
	line = append(line, args...)
	return exec.Command(line[0], line[1:]...)
}

// loggedIn is a command that brings its login.
func (s *studio) loggedIn(args ...string) *exec.Cmd {
	cmd := s.command(args...)
	cmd.Env = append(os.Environ(), "AUTORETOUCH_REFRESH_TOKEN="+s.token)
	return cmd
}

func (s *studio) start() *exec.Cmd {
	s.Helper()
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.Fatal(err)
	}
	defer log.Close()
	cmd := s.loggedIn("run")
	cmd.Stdout, cmd.Stderr = log, log
	startProcess(s.T, cmd)
	return cmd
}

// startProcess starts a program that the test waits for, unless it ends too early: then it is killed.
func startProcess(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState != nil {
			return
		}
		_ = cmd.Process.Kill()
		ended := make(chan struct{})
		go func() {
			_ = cmd.Wait()
			close(ended)
		}()
		select {
		case <-ended:
		case <-time.After(5 * time.Second): // a share hangs; it is let go of when that ends
			t.Errorf("process %d does not end", cmd.Process.Pid)
		}
	})
}

func (s *studio) logFile() string { return filepath.Join(s.dir, "agent.log") }

// log is all that the agents wrote.
func (s *studio) log() string {
	data, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// stop ends the agent as a service manager would.
func (s *studio) stop(agent *exec.Cmd) {
	s.Helper()
	began := time.Now()
	if runtime.GOOS == "windows" { // which has no such signal
		_ = agent.Process.Kill()
		_ = agent.Wait()
		return
	}
	if err := agent.Process.Signal(os.Interrupt); err != nil {
		s.Fatal(err)
	}
	if err := agent.Wait(); err != nil {
		s.Errorf("the agent ended with %v", err)
	}
	if took := time.Since(began); took > 30*time.Second { // ten, on a machine that has nothing else to do
		s.Errorf("stopping took %v", took)
	}
}

// drop puts more pictures into a hot folder, each a different one.
func (s *studio) drop(f *hotFolder, n int) {
	s.Helper()
	for range n {
		name := filepath.Join(f.behind, "in", fmt.Sprintf("shoot %d", s.dropped%3), fmt.Sprintf("%04d.jpg", s.dropped))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			s.Fatal(err)
		}
		if err := os.WriteFile(name, smallPicture(s.dropped), 0o644); err != nil {
			s.Fatal(err)
		}
		s.dropped++
		f.n++
	}
}

func smallPicture(n int) []byte {
	img := image.NewRGBA(image.Rect(0, 0, 64, 64))
	random := rand.New(rand.NewPCG(uint64(n), 1))
	for i := range img.Pix {
		img.Pix[i] = uint8(random.Uint32())
	}
	img.Set(0, 0, color.White)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// watch looks at an output folder all the time: whatever has a final name must be a whole result.
func (s *studio) watch(f *hotFolder, stop <-chan struct{}) {
	seen := map[string]bool{}
	for {
		select {
		case <-stop:
			return
		case <-time.After(2 * time.Millisecond):
		}
		s.look(f, seen)
	}
}

// look notes what has a final name in an output folder and is no whole result. What was seen before is not looked at again.
func (s *studio) look(f *hotFolder, seen map[string]bool) {
	for name, path := range files(filepath.Join(f.behind, "out")) {
		if seen[name] || strings.HasPrefix(filepath.Base(name), ".hotfolder-") {
			continue
		}
		seen[name] = true
		data, err := os.ReadFile(path)
		if err == nil && !s.isResult(data) {
			s.mu.Lock()
			s.halves = append(s.halves, fmt.Sprintf("%s with %d bytes", name, len(data)))
			s.mu.Unlock()
		}
	}
}

func (s *studio) isResult(data []byte) bool {
	sum := hashOf(data)
	return slices.ContainsFunc(s.box.Books().Executions, func(e sandbox.Execution) bool { return e.ResultHash == sum })
}

// files are all files below dir by their name in it, but for those that were removed while they were open and that FUSE, killed, could not
// remove in earnest.
func files(dir string) map[string]string {
	found := map[string]string{}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasPrefix(d.Name(), ".fuse_hidden") {
			rel, _ := filepath.Rel(dir, path)
			found[filepath.ToSlash(rel)] = path
		}
		return nil // what vanishes meanwhile is not there
	})
	return found
}

// waitForResults waits until every picture of these hot folders is delivered; of all, if none is named.
func (s *studio) waitForResults(of ...*hotFolder) {
	s.Helper()
	if len(of) == 0 {
		of = s.folders
	}
	want := 0
	for _, f := range of {
		want += f.n
	}
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		done := 0
		for _, j := range s.jobs() {
			if j.State == "delivered" && slices.ContainsFunc(of, func(f *hotFolder) bool { return f.name == j.Folder }) {
				done++
			}
		}
		if done == want {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("%d of %d pictures delivered", done, want)
		}
	}
}

// job is what `hotfolder jobs --json` says of one.
type job struct {
	ID, Folder, Path, State, Execution, Output, Error string
	Credits                                           int
}

// jobs asks the running agent, as a user would. It may just be starting: then there are none.
func (s *studio) jobs() []job {
	out, err := s.command("jobs", "--json").Output()
	if err != nil {
		return nil
	}
	return parseJobs(s.T, out)
}

// parseJobs reads what `hotfolder jobs --json` printed.
func parseJobs(t *testing.T, out []byte) (jobs []job) {
	t.Helper()
	for line := range bytes.Lines(out) {
		var j job
		if err := json.Unmarshal(line, &j); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// history is what the ledger says of the job of a file.
func (s *studio) history(name string) string {
	for _, j := range s.jobs() {
		if filepath.Base(j.Path) == name {
			out, _ := s.command("jobs", "show", j.ID).CombinedOutput()
			return string(out)
		}
	}
	return "no job"
}

// wantPromises holds the sandbox's books against the folders and the ledger.
func (s *studio) wantPromises() {
	s.Helper()
	books := s.box.Books()
	if len(books.Executions) != s.dropped || len(books.Charges) != s.dropped {
		s.Errorf("%d executions and %d charges for %d pictures", len(books.Executions), len(books.Charges), s.dropped)
		byInput := map[string][]string{}
		for _, e := range books.Executions {
			byInput[e.InputName] = append(byInput[e.InputName], e.ID+" created "+e.CreatedAt.Format(time.StampMilli))
		}
		for name, list := range byInput {
			if len(list) > 1 {
				s.Errorf("%s: %v\n%s", name, list, s.history(name))
			}
		}
	}
	resultOf := map[string]string{}
	for _, e := range books.Executions {
		resultOf[e.InputHash] = e.ResultHash
	}
	for _, f := range s.folders {
		want := map[string]string{}
		for name, path := range files(filepath.Join(f.behind, "in")) {
			want[name] = resultOf[sumOf(s.T, path)]
		}
		got := map[string]string{}
		for name, path := range files(filepath.Join(f.behind, "out")) {
			got[name] = sumOf(s.T, path)
		}
		if len(want) != f.n {
			s.Errorf("%s: the input folder has %d files, %d were dropped: %v", f.name, len(want), f.n, slices.Sorted(maps.Keys(want)))
		}
		if !maps.Equal(got, want) {
			s.Errorf("%s: the output folder has %v\nwant %v", f.name, got, want)
		}
	}
	credits := 0
	for _, j := range s.jobs() {
		credits += j.Credits
	}
	if credits != books.Charged() {
		s.Errorf("the ledger says %d credits, the account was charged %d", credits, books.Charged())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.halves) > 0 {
		s.Errorf("seen before they were whole: %v", s.halves)
	}
}

func sumOf(t *testing.T, path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return hashOf(data)
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }
