package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestRealDiskFaults: in and out on a file system whose calls fail or take seconds, now and then or all of them. Another hot folder goes
// on meanwhile, and all is delivered when it is over.
func TestRealDiskFaults(t *testing.T) {
	forReal(t)
	faultfs := filepath.Join(t.TempDir(), "faultfs")
	build := exec.Command("go", "build", "-C", "testdata/faultfs", "-o", faultfs, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dir := t.TempDir()
	sick := &hotFolder{name: "sick", at: filepath.Join(dir, "mount"), behind: filepath.Join(dir, "behind")}
	control := filepath.Join(dir, "control")
	faults := func(text string) {
		write(t, control+".new", text, 0o600)
		if err := os.Rename(control+".new", control); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{sick.at, sick.behind} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	healthy := &hotFolder{name: "healthy", at: filepath.Join(dir, "healthy"), behind: filepath.Join(dir, "healthy")}
	t.Cleanup(func() { _ = unix.Unmount(sick.at, unix.MNT_DETACH) })
	startDaemon(t, faultfs, sick.behind, sick.at, control)
	until(t, "it is mounted", 20*time.Second, func() bool { return isMounted(sick.at) })

	s := newStudio(t, plan{folders: []*hotFolder{sick, healthy}})
	agent := s.start()
	s.drop(sick, 5)
	s.waitForResults()
	for _, f := range []struct{ faults, says string }{
		{"read EIO 1", "input_offline"},
		{"write ENOSPC 1", "the disk is full"},
		{"sync EIO 1", "output_unwritable"},
		{"read write sync EIO 0.1", ""},
		{"read write sync 2s 0.3", ""},
		{"read write sync 2s 1", ""},
	} {
		began := time.Now()
		s.drop(sick, 30)
		done := len(files(filepath.Join(sick.behind, "out")))
		until(t, "the agent is at it", time.Minute, func() bool { return len(files(filepath.Join(sick.behind, "out"))) > done })
		faults(f.faults)
		s.drop(sick, 5)
		s.drop(healthy, 20)
		s.waitForResults(healthy)
		healthyAfter := time.Since(began)
		until(t, "status says: "+f.says, time.Minute, func() bool { return s.says(f.says) })
		time.Sleep(3 * time.Second)
		faults("")
		over := time.Now()
		s.waitForResults()
		t.Logf("%s: the other folder's results were there after %.1f s, all %.1f s after it was over", f.faults, healthyAfter.Seconds(), time.Since(over).Seconds())
	}
	s.stop(agent)
	s.wantPromises()
}
