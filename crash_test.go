package main_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
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

var (
	kills = flag.Int("kills", 12, "how often TestCrash kills the agent")
	seed  = flag.Uint64("seed", rand.Uint64(), "of the random moments and faults of TestCrash")
)

// TestCrash kills the real agent at random moments, under random faults of the API, until it was killed often enough, lets it finish,
// and holds the books of the sandbox against the folders. A longer run: go test -run TestCrash -kills 1000 -timeout 2h .
func TestCrash(t *testing.T) {
	t.Logf("seed %d: run again with -seed %[1]d", *seed)
	c := newCrash(t, *seed)
	c.drop(100)
	for range *kills {
		agent := c.start()
		time.Sleep(time.Duration(50+c.rand.IntN(1000)) * time.Millisecond)
		if err := agent.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = agent.Wait() // says that it was killed
		c.drop(2)        // so that there is always something on its way
	}
	agent := c.start()
	c.waitForResults()
	c.stop(agent)
	c.wantPromises()
}

// crash is a studio whose agent is killed: real files, the real binary, the sandbox on loopback.
type crash struct {
	*testing.T
	rand           *rand.Rand
	binary, config string
	in, out, data  string
	box            *sandbox.Server
	token          string
	n              int // pictures dropped
	log            bytes.Buffer

	mu     sync.Mutex
	halves []string // names that were seen with less than a whole result
}

func newCrash(t *testing.T, seed uint64) *crash {
	dir := t.TempDir()
	c := &crash{
		T: t, rand: rand.New(rand.NewPCG(seed, 0)),
		binary: buildAgent(t), config: filepath.Join(dir, "hotfolder.yaml"),
		in: filepath.Join(dir, "in"), out: filepath.Join(dir, "out"), data: filepath.Join(dir, "data"),
	}
	for _, d := range []string{c.in, c.out} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	url := c.serve(seed)
	text := fmt.Sprintf(`
account: {organization: %s}
api: {url: %q, auth_url: %[2]q, create_lookup: 3s}
data_dir: data
polling: {min: 100ms, max: 1s}
dashboard: {listen: ""}
log: {level: info}
folders:
  - {name: packshots, input: in, output: out, workflow: %s, settle: 100ms, rescan: 2s, batch: none}
`, sandbox.Organization, url, sandbox.FastCheck)
	if err := os.WriteFile(c.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() { c.watch(stop) })
	t.Cleanup(func() {
		close(stop)
		watcher.Wait()
		if t.Failed() {
			t.Logf("the agent's log ended so:\n%s", tail(c.log.String(), 20000))
		}
	})
	return c
}

var buildOnce = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "hotfolder-crash-")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "hotfolder")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput()
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

func (c *crash) serve(seed uint64) (url string) {
	box, err := sandbox.New(sandbox.Options{
		Credits: 1 << 30, Processing: 300 * time.Millisecond, PassThrough: true, Seed: seed,
		Faults: sandbox.Faults{
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
		},
	})
	if err != nil {
		c.Fatal(err)
	}
	c.box, c.token = box, box.RefreshToken()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.Fatal(err)
	}
	server := &http.Server{Handler: box.Handler()}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	c.Cleanup(func() {
		server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			c.Error(err)
		}
		if err := box.Close(); err != nil {
			c.Error(err)
		}
	})
	return "http://" + listener.Addr().String()
}

func (c *crash) start() *exec.Cmd {
	cmd := exec.Command(c.binary, "--config", c.config, "run")
	cmd.Env = append(os.Environ(), "AUTORETOUCH_REFRESH_TOKEN="+c.token)
	cmd.Stdout, cmd.Stderr = &c.log, &c.log
	if err := cmd.Start(); err != nil {
		c.Fatal(err)
	}
	return cmd
}

// stop ends the agent as a service manager would.
func (c *crash) stop(agent *exec.Cmd) {
	began := time.Now()
	if runtime.GOOS == "windows" { // which has no such signal
		_ = agent.Process.Kill()
		_ = agent.Wait()
		return
	}
	if err := agent.Process.Signal(os.Interrupt); err != nil {
		c.Fatal(err)
	}
	if err := agent.Wait(); err != nil {
		c.Errorf("the agent ended with %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		c.Errorf("stopping took %v", took)
	}
}

// drop puts more pictures into the input folder, each a different one.
func (c *crash) drop(n int) {
	for range n {
		name := filepath.Join(c.in, fmt.Sprintf("shoot %d", c.n%3), fmt.Sprintf("%04d.jpg", c.n))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			c.Fatal(err)
		}
		if err := os.WriteFile(name, smallPicture(c.n), 0o644); err != nil {
			c.Fatal(err)
		}
		c.n++
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

// watch looks at the output folder all the time: whatever has a final name must be a whole result.
func (c *crash) watch(stop <-chan struct{}) {
	seen := map[string]bool{}
	for {
		select {
		case <-stop:
			return
		case <-time.After(2 * time.Millisecond):
		}
		for name, path := range files(c.out) {
			if seen[name] || strings.HasPrefix(filepath.Base(name), ".hotfolder-") {
				continue
			}
			seen[name] = true
			data, err := os.ReadFile(path)
			if err == nil && !c.isResult(data) {
				c.mu.Lock()
				c.halves = append(c.halves, fmt.Sprintf("%s with %d bytes", name, len(data)))
				c.mu.Unlock()
			}
		}
	}
}

func (c *crash) isResult(data []byte) bool {
	sum := sha256.Sum256(data)
	return slices.ContainsFunc(c.box.Books().Executions, func(e sandbox.Execution) bool { return e.ResultHash == hex.EncodeToString(sum[:]) })
}

// files are all files below dir by their name in it.
func files(dir string) map[string]string {
	found := map[string]string{}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			found[filepath.ToSlash(rel)] = path
		}
		return nil // what vanishes meanwhile is not there
	})
	return found
}

func (c *crash) waitForResults() {
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		jobs := c.jobs()
		done := 0
		for _, j := range jobs {
			if j.State == "delivered" {
				done++
			}
		}
		if done == c.n {
			return
		}
		if time.Now().After(deadline) {
			c.Fatalf("%d of %d pictures delivered", done, c.n)
		}
	}
}

// job is what `hotfolder jobs --json` says of one.
type job struct {
	ID, Path, State, Execution, Output, Error string
	Credits                                   int
}

// jobs asks the running agent, as a user would. It may just be starting: then there are none.
func (c *crash) jobs() (jobs []job) {
	out, err := exec.Command(c.binary, "--config", c.config, "jobs", "--json").Output()
	if err != nil {
		return nil
	}
	for line := range bytes.Lines(out) {
		var j job
		if err := json.Unmarshal(line, &j); err != nil {
			c.Fatalf("%v in %q", err, line)
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// history is what the ledger says of the job of a file.
func (c *crash) history(name string) string {
	for _, j := range c.jobs() {
		if filepath.Base(j.Path) == name {
			out, _ := exec.Command(c.binary, "--config", c.config, "jobs", "show", j.ID).CombinedOutput()
			return string(out)
		}
	}
	return "no job"
}

// wantPromises holds the sandbox's books against the folders and the ledger.
func (c *crash) wantPromises() {
	books := c.box.Books()
	if len(books.Executions) != c.n || len(books.Charges) != c.n {
		c.Errorf("%d executions and %d charges for %d pictures", len(books.Executions), len(books.Charges), c.n)
		byInput := map[string][]string{}
		for _, e := range books.Executions {
			byInput[e.InputName] = append(byInput[e.InputName], e.ID+" created "+e.CreatedAt.Format(time.StampMilli))
		}
		for name, list := range byInput {
			if len(list) > 1 {
				c.Errorf("%s: %v\n%s", name, list, c.history(name))
			}
		}
	}
	resultOf := map[string]string{}
	for _, e := range books.Executions {
		resultOf[e.InputHash] = e.ResultHash
	}
	want := map[string]string{}
	for name, path := range files(c.in) {
		want[name] = resultOf[sumOf(c.T, path)]
	}
	got := map[string]string{}
	for name, path := range files(c.out) {
		got[name] = sumOf(c.T, path)
	}
	if len(want) != c.n {
		c.Errorf("the input folder has %d files, %d were dropped", len(want), c.n)
	}
	if !maps.Equal(got, want) {
		c.Errorf("the output folder has %v\nwant %v", got, want)
	}
	credits := 0
	for _, j := range c.jobs() {
		credits += j.Credits
	}
	if credits != books.Charged() {
		c.Errorf("the ledger says %d credits, the account was charged %d", credits, books.Charged())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.halves) > 0 {
		c.Errorf("seen before they were whole: %v", c.halves)
	}
}

func sumOf(t *testing.T, path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }
