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
	"encoding/pem"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"hotfolder/sandbox"
)

func main() {
	b := batch{}
	flag.IntVar(&b.n, "n", 1000, "pictures")
	flag.IntVar(&b.size, "size", 1_000_000, "bytes a picture")
	flag.DurationVar(&b.processing, "processing", 2*time.Second, "how long the API works on a picture")
	flag.IntVar(&b.rounds, "rounds", 3, "how often the floor and the agent are measured, by turns; the median counts")
	flag.StringVar(&b.store, "sandbox", "", "where the sandbox keeps the pictures, such as a RAM disk, so that the disk is the agent's alone; otherwise a temporary folder")
	flag.BoolVar(&b.https, "https", false, "by HTTPS and HTTP/2, as the real API is reached")
	dir := flag.String("dir", "", "work in this folder instead of a temporary one, and keep it")
	dropping := flag.Bool("drops", false, "measure how soon a single picture is sent, and the upload rate")
	resting := flag.Bool("idle", false, "measure an agent that has nothing to do")
	a := archive{}
	flag.IntVar(&a.files, "files", 100_000, "with -idle: files in the folder")
	flag.IntVar(&a.rows, "rows", 1_000_000, "with -idle: jobs in the ledger")
	flag.DurationVar(&a.watch, "watch", 5*rescanEvery, "with -idle: how long the agent is watched")
	profile := flag.String("cpuprofile", "", "write a profile of the agent's CPU to this file")
	profiled := flag.Duration("profiled", 5*time.Second, "for how long, from its start on")
	floor := flag.String("floor", "", "") // set in the child process that is the floor
	flag.Parse()
	run := func() error { return b.run(*dir, profiling{*profile, *profiled}) }
	if *resting {
		run = func() error { return idle(a, *dir) }
	}
	if *dropping {
		run = func() error { return drops(*dir) }
	}
	if *floor != "" {
		run = func() error { return runFloor(context.Background(), *floor) }
	} else {
		debug.SetGCPercent(1000) // the sandbox has the cores with those that are measured: its garbage is not to be felt
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// batch is a number of pictures that lie in the input folder when the agent starts.
type batch struct {
	n, size    int // pictures, and bytes of each
	processing time.Duration
	rounds     int
	store      string
	https      bool
}

func (b batch) run(dir string, p profiling) error {
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
	if err := makePictures(input, b.n, b.size); err != nil {
		return err
	}
	if err := flush(input); err != nil {
		return err
	}
	fmt.Printf("%d pictures of %d bytes, processing %v, %s/%s, %d cores, median of %d\n",
		b.n, b.size, b.processing, runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), b.rounds)
	var bare, agent []*figures
	for round := range b.rounds {
		work := filepath.Join(dir, fmt.Sprint("floor", round+1))
		f, err := b.measure(input, work, func(s setup) *exec.Cmd {
			return exec.Command(self, "-floor", s.file)
		}, func(f *figures, s setup) error { return f.timeFiles(s.Output) })
		if err != nil {
			return fmt.Errorf("floor: %w", err)
		}
		bare = append(bare, f)
		work = filepath.Join(dir, fmt.Sprint("agent", round+1))
		profile := p.take(filepath.Join(work, "data"))
		f, err = b.measure(input, work, func(s setup) *exec.Cmd {
			return exec.Command(binary, "--config", s.config, "run", "--once")
		}, func(f *figures, s setup) error { return f.timeJobs(binary, s.config) })
		if err := cmp.Or(err, profile()); err != nil {
			return fmt.Errorf("agent: %w", err)
		}
		agent = append(agent, f)
	}
	b.print(bare, agent)
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

// serve has a handler answer on a free port of this machine until the server is closed: as the real API does, by HTTPS and HTTP/2, if it
// is told in which file to leave its certificate.
func serve(h http.Handler, certificate string) (*httptest.Server, error) {
	server := httptest.NewUnstartedServer(h)
	if certificate == "" {
		server.Start()
		return server, nil
	}
	server.EnableHTTP2 = true
	server.StartTLS()
	block := &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
	if err := os.WriteFile(certificate, pem.EncodeToMemory(block), 0o600); err != nil {
		server.Close()
		return nil, err
	}
	return server, nil
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
	CA                        string // the file with the certificate of the API; "": it has none
	file, config              string
}

// figures are what one measured process cost.
type figures struct {
	began     time.Time
	wall, cpu time.Duration
	peak      peak
	calls     map[string]int
	books     sandbox.Books
	first     time.Duration   // from the start to the first result in its place
	lag       []time.Duration // from completed to delivered, sorted
}

// measure runs a process in a folder against a sandbox of its own, checks that it brought every picture back, and has learn see how long
// each took. What was written is on the disk and emptied when it returns, so that the next one does not pay for it, and all find the
// pictures in memory, as far as that holds them.
func (b batch) measure(input, work string, command func(setup) *exec.Cmd, learn func(*figures, setup) error) (*figures, error) {
	if err := os.RemoveAll(work); err != nil { // of a folder that is used once more
		return nil, err
	}
	s := setup{Input: input, Output: filepath.Join(work, "out"),
		file: filepath.Join(work, "setup.json"), config: filepath.Join(work, "hotfolder.yaml")}
	if err := os.MkdirAll(s.Output, 0o755); err != nil {
		return nil, err
	}
	stored := ""
	if b.store != "" {
		stored = filepath.Join(b.store, "autoretouch-sandbox")
		defer os.RemoveAll(stored)
	}
	box, err := sandbox.New(sandbox.Options{Credits: 1 << 30, Processing: b.processing, PassThrough: true, Dir: stored})
	if err != nil {
		return nil, err
	}
	defer box.Close()
	if b.https {
		s.CA = filepath.Join(work, "ca.pem")
	}
	server, err := serve(box.Handler(), s.CA)
	if err != nil {
		return nil, err
	}
	defer server.Close()
	s.URL, s.Token = server.URL, box.RefreshToken()
	if err := s.write(); err != nil {
		return nil, err
	}
	if err := read(input); err != nil {
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
	stopWatching := watchPeak(cmd.Process.Pid)
	err = cmd.Wait()
	most := stopWatching()
	if err != nil {
		return nil, fmt.Errorf("%w\n%.2000s", err, output.String())
	}
	f := &figures{began: began, wall: time.Since(began), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), peak: most, books: box.Books()}
	f.calls = f.books.Calls
	results, err := os.ReadDir(s.Output)
	if err != nil {
		return nil, err
	}
	if len(results) != b.n || len(f.books.Executions) != b.n {
		return nil, fmt.Errorf("%d results of %d executions for %d pictures\n%.2000s", len(results), len(f.books.Executions), b.n, output.String())
	}
	if err := flush(s.Output); err != nil {
		return nil, err
	}
	if err := learn(f, s); err != nil {
		return nil, err
	}
	return f, empty(s.Output)
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
api: {url: %q, auth_url: %q, ca_file: %q}
data_dir: data
dashboard: {listen: ""}
%s
folders:
  - {name: bench, input: %q, output: %q, workflow: %s, settle: %v, batch: none, %s}
`, sandbox.Organization, s.URL, s.URL, s.CA, whole, s.Input, s.Output, sandbox.CatalogueJPEG, settle, folder), 0o600)
}

// timeFiles learns from the files how long results took from completion to their place.
func (f *figures) timeFiles(out string) error {
	for _, e := range f.books.Executions {
		info, err := os.Stat(filepath.Join(out, e.ResultName))
		if err != nil {
			return err
		}
		f.inPlace(info.ModTime(), e.FinishedAt)
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
		f.inPlace(job.DeliveredAt, completed[job.Execution])
	}
	slices.Sort(f.lag)
	return cmd.Wait()
}

// inPlace counts a result.
func (f *figures) inPlace(at, completed time.Time) {
	if len(f.lag) == 0 || at.Sub(f.began) < f.first {
		f.first = at.Sub(f.began)
	}
	f.lag = append(f.lag, at.Sub(completed))
}

func (f *figures) status() int { return f.calls[sandbox.Executions] + f.calls[sandbox.Details] }

func (f *figures) all() (sum int) {
	for _, n := range f.calls {
		sum += n
	}
	return sum
}

func (b batch) print(bare, agent []*figures) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer w.Flush()
	row := func(what, unit string, of func(*figures) float64) {
		a, f := medianOf(agent, of), medianOf(bare, of)
		fmt.Fprintf(w, "%s\t%.2f %s\t%.2f %s\t%.2f\n", what, a, unit, f, unit, a/f)
	}
	n := float64(b.n)
	fmt.Fprintln(w, "\tagent\tfloor\tratio")
	row("wall time", "s", func(f *figures) float64 { return f.wall.Seconds() })
	row("pictures a second", "/s", func(f *figures) float64 { return n / f.wall.Seconds() })
	row("first result", "s", func(f *figures) float64 { return f.first.Seconds() })
	row("CPU", "s", func(f *figures) float64 { return f.cpu.Seconds() })
	row("peak memory", "MiB", func(f *figures) float64 { return float64(f.peak.memory) / (1 << 20) })
	row("open files, at most", "", func(f *figures) float64 { return float64(f.peak.files) })
	row("API calls a picture", "", func(f *figures) float64 { return float64(f.all()) / n })
	row("status calls a picture", "", func(f *figures) float64 { return float64(f.status()) / n })
	row("completed to in place, median", "s", func(f *figures) float64 { return f.lag[b.n*50/100].Seconds() })
	row("completed to in place, 95 %", "s", func(f *figures) float64 { return f.lag[b.n*95/100].Seconds() })
}

func medianOf(all []*figures, of func(*figures) float64) float64 {
	var values []float64
	for _, f := range all {
		values = append(values, of(f))
	}
	return median(values)
}
