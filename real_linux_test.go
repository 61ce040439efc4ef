package main_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var real = flag.Bool("real", false, "run what is called TestReal: real shares, networks and disks; as root, with the tools that .ci/run installs")

// forReal skips a test unless real faults are asked for. Then it wants these tools, and fails where one is missing.
func forReal(t *testing.T, tools ...string) {
	t.Helper()
	if !*real {
		t.Skip("a real fault: go test -run Real -real")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatal(err)
		}
	}
	t.Parallel() // they mostly wait
}

// daemon is a program that runs beside the test, until the test ends, with all processes that it starts.
type daemon struct {
	*testing.T
	line []string
	env  []string
	cmd  *exec.Cmd // nil: it does not run
	said bytes.Buffer
}

func startDaemon(t *testing.T, line ...string) *daemon {
	t.Helper()
	d := &daemon{T: t, line: line}
	d.start()
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", d.line[0], tail(d.said.String(), 5000))
		}
	})
	return d
}

func (d *daemon) start() {
	d.Helper()
	cmd := exec.Command(d.line[0], d.line[1:]...)
	cmd.Env = append(os.Environ(), d.env...)
	out := writerOnly{&d.said} // so that Wait waits for the program alone, not for what it started
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		d.Fatal(err)
	}
	d.cmd = cmd
}

type writerOnly struct{ io.Writer }

// signal sends a signal to the program and all that it started.
func (d *daemon) signal(s syscall.Signal) {
	for _, pid := range processes(d.cmd.Process.Pid) {
		if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
			d.Error(err)
		}
	}
}

// hold stops it in the middle of what it does until goOn is called.
func (d *daemon) hold() { d.signal(syscall.SIGSTOP) }
func (d *daemon) goOn() { d.signal(syscall.SIGCONT) }

func (d *daemon) kill() {
	if d.cmd == nil {
		return
	}
	d.signal(syscall.SIGKILL)
	_ = d.cmd.Wait() // says that it was killed
	d.cmd = nil
}

// processes are a process and all that it started, directly or not.
func processes(pid int) []int {
	all := []int{pid}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	parent := map[int]int{}
	for _, file := range stats {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it ended
		}
		id, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		rest := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
		parent[id], _ = strconv.Atoi(rest[1])
	}
	for i := 0; i < len(all); i++ {
		for id, of := range parent {
			if of == all[i] && !slices.Contains(all, id) {
				all = append(all, id)
			}
		}
	}
	return all
}

// until waits for something to come true.
func until(t *testing.T, what string, within time.Duration, true func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !true(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// says tells whether `hotfolder status` says something.
func (s *studio) says(text string) bool {
	out, _ := s.command("status", "--json").CombinedOutput() // an error while the agent starts or stops
	return strings.Contains(string(out), text)
}

// run runs a command to its end.
func run(t *testing.T, line ...string) string {
	t.Helper()
	out, err := exec.Command(line[0], line[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", line, err, out)
	}
	return string(out)
}

// isMounted tells whether something of FUSE is mounted at dir itself.
func isMounted(dir string) bool {
	var stat unix.Statfs_t
	return unix.Statfs(dir, &stat) == nil && stat.Type == unix.FUSE_SUPER_MAGIC
}

func write(t *testing.T, file, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}
