package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"hotfolder/control"
)

// With limits.nice every thread of the agent stands back.
func TestNice(t *testing.T) {
	w := newWorld(t)
	w.login()
	w.configure(studioConfig + "limits: {nice: 7}\n")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "--config", w.file, "run")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // if the test ends too early
	w.await("the agent to answer", func() bool {
		client, err := control.Dial(t.Context(), w.path("data"))
		if err == nil {
			client.Close()
		}
		return err == nil
	})
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", cmd.Process.Pid))
	if err != nil || len(stats) < 3 {
		t.Errorf("threads %v, %v", stats, err)
	}
	nice := regexp.MustCompile(`\) \S(?: \S+){15} (\S+)`) // proc(5): the 19th, the third being the state
	for _, stat := range stats {
		line, err := os.ReadFile(stat)
		if err != nil {
			continue // it ended
		}
		if m := nice.FindSubmatch(line); m == nil || string(m[1]) != "7" {
			t.Errorf("%s", line)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
}
