// Bench measures a whole run of the agent: real files, the real binary, the sandbox on loopback. Beside it, in the same run, it
// measures a floor: a bare program that makes the same calls with the same parallelism, and keeps no ledger, checks no hash and
// syncs nothing. Every figure can so be read as a ratio, whatever the machine.
//
//	go run ./internal/bench -n 1000 -size 1000000
//	go run ./internal/bench -idle
//	go run ./internal/bench -drops
//
// With -drops it measures how soon a single picture is sent, and the upload rate; see drops.go.
// With -idle it measures an agent with a large ledger that has nothing to do; see idle.go.
package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"hotfolder/sandbox"
)

func main() {
	n := flag.Int("n", 1000, "pictures")
	size := flag.Int("size", 1_000_000, "bytes a picture")
	processing := flag.Duration("processing", 2*time.Second, "how long the API works on a picture")
	dir := flag.String("dir", "", "work in this folder instead of a temporary one, and keep it")
	dropping := flag.Bool("drops", false, "measure how soon a single picture is sent, and the upload rate")
	resting := flag.Bool("idle", false, "measure an agent that has nothing to do")
	a := archive{}
	flag.IntVar(&a.files, "files", 100_000, "with -idle: files in the folder")
	flag.IntVar(&a.rows, "rows", 1_000_000, "with -idle: jobs in the ledger")
	flag.DurationVar(&a.watch, "watch", 2*rescanEvery, "with -idle: how long the agent is watched")
	profile := flag.String("cpuprofile", "", "write a profile of the agent's CPU to this file")
	profiled := flag.Duration("profiled", 5*time.Second, "for how long, from its start on")
	floor := flag.String("floor", "", "") // set in the child process that is the floor
	flag.Parse()
	run := func() error { return bench(*n, *size, *processing, *dir, profiling{*profile, *profiled}) }
	if *resting {
		run = func() error { return idle(a, *dir) }
	}
	if *dropping {
		run = func() error { return drops(*dir) }
	}
	if *floor != "" {
		run = func() error { return runFloor(context.Background(), *floor) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(n, size int, processing time.Duration, dir string, p profiling) error {
	dir, remove, err := workIn(dir)
	if err != nil {
		return err
	}
	defer remove()
	binary, err := build(dir)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	input := filepath.Join(dir, "in")
	if err := makePictures(input, n, size); err != nil {
		return err
	}
	fmt.Printf("%d pictures of %d bytes, processing %v, %s/%s, %d cores\n", n, size, processing, runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	bare, err := measure(dir, "floor", n, processing, func(s setup) *exec.Cmd {
		return exec.Command(self, "-floor", s.file)
	})
	if err != nil {
		return fmt.Errorf("floor: %w", err)
	}
	profile := p.take(filepath.Join(dir, "agent", "data"))
	agent, err := measure(dir, "agent", n, processing, func(s setup) *exec.Cmd {
		return exec.Command(binary, "--config", s.config, "run", "--once")
	})
	if err := cmp.Or(err, profile()); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	if err := bare.timeFiles(filepath.Join(dir, "floor", "out")); err != nil {
		return err
	}
	if err := agent.timeJobs(binary, filepath.Join(dir, "agent", "hotfolder.yaml")); err != nil {
		return err
	}
	print(bare, agent, n)
	return nil
}

// workIn returns the folder to work in, made if need be, and what removes a temporary one.
func workIn(dir string) (string, func(), error) {
	if dir != "" {
		return dir, func() {}, os.MkdirAll(dir, 0o755)
	}
	temp, err := os.MkdirTemp("", "hotfolder-bench-")
	return temp, func() { os.RemoveAll(temp) }, err
}

func build(dir string) (binary string, err error) {
	binary = filepath.Join(dir, "hotfolder"+exeSuffix())
	if out, err := exec.Command("go", "build", "-trimpath", "-o", binary, "hotfolder").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return binary, nil
}

// serve has a handler answer on a free port of this machine until stop is called.
func serve(h http.Handler) (url string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: h}
	go server.Serve(listener)
	return "http://" + listener.Addr().String(), func() { server.Close() }, nil
}

func exeSuffix() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

// setup is what one measured process works with.
type setup struct {
	URL, Token, Input, Output string
	file, config              string
}

// figures are what one measured process cost.
type figures struct {
	wall, cpu time.Duration
	peak      int64 // bytes of resident memory
	calls     map[string]int
	books     sandbox.Books
	lag       []time.Duration // from completed to delivered, sorted
}

// measure runs a process against a sandbox of its own and checks that it brought every picture back.
func measure(dir, name string, n int, processing time.Duration, command func(setup) *exec.Cmd) (*figures, error) {
	work := filepath.Join(dir, name)
	s := setup{Input: filepath.Join(dir, "in"), Output: filepath.Join(work, "out"),
		file: filepath.Join(work, "setup.json"), config: filepath.Join(work, "hotfolder.yaml")}
	if err := os.MkdirAll(s.Output, 0o755); err != nil {
		return nil, err
	}
	box, err := sandbox.New(sandbox.Options{Credits: 1 << 30, Processing: processing, PassThrough: true})
	if err != nil {
		return nil, err
	}
	defer box.Close()
	url, stop, err := serve(box.Handler())
	if err != nil {
		return nil, err
	}
	defer stop()
	s.URL, s.Token = url, box.RefreshToken()
	if err := s.write(); err != nil {
		return nil, err
	}

	cmd := command(s)
	cmd.Env = append(os.Environ(), "AUTORETOUCH_REFRESH_TOKEN="+s.Token)
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	peak := watchPeak(cmd.Process.Pid)
	err = cmd.Wait()
	most := peak()
	if err != nil {
		return nil, fmt.Errorf("%w\n%.2000s", err, output.String())
	}
	f := &figures{wall: time.Since(began), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), peak: most, books: box.Books()}
	f.calls = f.books.Calls
	results, err := os.ReadDir(s.Output)
	if err != nil {
		return nil, err
	}
	if len(results) != n || len(f.books.Executions) != n {
		return nil, fmt.Errorf("%d results of %d executions for %d pictures\n%.2000s", len(results), len(f.books.Executions), n, output.String())
	}
	return f, nil
}

func (s setup) write() error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.file, data, 0o600); err != nil {
		return err
	}
	return s.writeConfig("log: {level: warn}\nlimits: {in_flight: 1000000}", "") // the floor knows no such limit either
}

// settle is when the agent takes a file that nobody has changed.
const settle = 100 * time.Millisecond

// writeConfig writes the agent's configuration, with lines of its own for the whole and for the folder.
func (s setup) writeConfig(whole, folder string) error {
	return os.WriteFile(s.config, fmt.Appendf(nil, `
account: {organization: %s}
api: {url: %q, auth_url: %q}
data_dir: data
dashboard: {listen: ""}
%s
folders:
  - {name: bench, input: %q, output: %q, workflow: %s, settle: %v, batch: none, %s}
`, sandbox.Organization, s.URL, s.URL, whole, s.Input, s.Output, sandbox.CatalogueJPEG, settle, folder), 0o600)
}

// timeFiles learns from the files how long results took from completion to their place.
func (f *figures) timeFiles(out string) error {
	for _, e := range f.books.Executions {
		info, err := os.Stat(filepath.Join(out, e.ResultName))
		if err != nil {
			return err
		}
		f.lag = append(f.lag, info.ModTime().Sub(e.FinishedAt))
	}
	slices.Sort(f.lag)
	return nil
}

// timeJobs learns from the ledger how long results took from completion to their place, by the sandbox's clock and the agent's, which
// are one.
func (f *figures) timeJobs(binary, config string) error {
	completed := map[string]time.Time{}
	for _, e := range f.books.Executions {
		completed[e.ID] = e.FinishedAt
	}
	cmd := exec.Command(binary, "--config", config, "jobs", "--json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var job struct {
			Execution   string    `json:"execution"`
			DeliveredAt time.Time `json:"delivered_at"`
		}
		if err := json.Unmarshal(lines.Bytes(), &job); err != nil {
			return err
		}
		f.lag = append(f.lag, job.DeliveredAt.Sub(completed[job.Execution]))
	}
	slices.Sort(f.lag)
	return cmd.Wait()
}

func (f *figures) status() int { return f.calls[sandbox.Executions] + f.calls[sandbox.Details] }

func (f *figures) all() (sum int) {
	for _, n := range f.calls {
		sum += n
	}
	return sum
}

func print(bare, agent *figures, n int) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer w.Flush()
	row := func(what, unit string, a, b float64) {
		fmt.Fprintf(w, "%s\t%.2f %s\t%.2f %s\t%.2f\n", what, a, unit, b, unit, a/b)
	}
	fmt.Fprintln(w, "\tagent\tfloor\tratio")
	row("wall time", "s", agent.wall.Seconds(), bare.wall.Seconds())
	row("pictures a second", "/s", float64(n)/agent.wall.Seconds(), float64(n)/bare.wall.Seconds())
	row("CPU", "s", agent.cpu.Seconds(), bare.cpu.Seconds())
	row("peak memory", "MiB", float64(agent.peak)/(1<<20), float64(bare.peak)/(1<<20))
	row("API calls a picture", "", float64(agent.all())/float64(n), float64(bare.all())/float64(n))
	row("status calls a picture", "", float64(agent.status())/float64(n), float64(bare.status())/float64(n))
	for _, part := range []struct {
		what string
		at   int // in hundredths
	}{{"median", 50}, {"95 %", 95}} {
		row("completed to in place, "+part.what, "s", agent.lag[n*part.at/100].Seconds(), bare.lag[n*part.at/100].Seconds())
	}
}
