package main_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestRealDiskFaults: in and out on a file system whose calls fail or take seconds, now and then or all of them. Another hot folder goes
// on meanwhile, and all is delivered when it is over.
func TestRealDiskFaults(t *testing.T) {
	forReal(t)
	s, sick, healthy, faults := sickStudio(t)
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

// TestRealBadSectors: a disk cannot read a picture to its end. run --once says so and ends, and the picture is taken by itself once it can be
// read.
func TestRealBadSectors(t *testing.T) {
	forReal(t)
	s, sick, healthy, faults := sickStudio(t)
	photo, err := os.ReadFile("testdata/photos/coffee.jpg")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(sick.behind, "in", "coffee.jpg"), string(photo), 0o644)
	s.drop(sick, 2) // small ones
	s.drop(healthy, 3)
	once := func(code int, want map[string]int) {
		t.Helper()
		began := time.Now()
		c := s.loggedIn("run", "--once")
		out, _ := c.CombinedOutput()
		in := map[string]int{}
		for _, job := range s.jobs() {
			in[job.State]++
		}
		if c.ProcessState.ExitCode() != code || !maps.Equal(in, want) {
			t.Errorf("code %d, jobs %v\n%s", c.ProcessState.ExitCode(), in, out)
		}
		t.Logf("run --once took %.1f s", time.Since(began).Seconds())
	}
	faults("content EIO 1")
	once(1, map[string]int{"delivered": 5, "failed": 1})
	failed, _ := s.command("jobs", "--state", "failed").CombinedOutput()
	if want := "its disk or share fails (input/output error): copy it again, and it is taken by itself"; !strings.Contains(string(failed), want) {
		t.Errorf("%s\nwant %s", failed, want)
	}
	faults("")
	once(0, map[string]int{"delivered": 6, "gone": 1}) // as a job of its own: when it failed nothing was known of its content
	if n := len(s.box.Books().Charges); n != 6 {
		t.Errorf("%d charges", n)
	}
}

// TestRealHangAtTheStart: a file system answers no call when a command is started. check, run and redeliver say so and do what else there is
// to do, and the agent takes the folder up when it answers.
func TestRealHangAtTheStart(t *testing.T) {
	forReal(t)
	s, sick, healthy, faults := sickStudio(t)
	agent := s.start()
	s.drop(sick, 5)
	s.drop(healthy, 5)
	s.waitForResults()
	s.stop(agent)

	faults("read write sync hang 1")
	var begun []*exec.Cmd // Linux lets them end when the file system answers
	begin := func(args ...string) (says func(texts ...string)) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "said")
		out, err := os.Create(file)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		c := s.command(args...)
		c.Stdout, c.Stderr = out, out
		startProcess(t, c)
		begun = append(begun, c)
		began := time.Now()
		return func(texts ...string) {
			t.Helper()
			for _, text := range texts {
				until(t, args[0]+" says: "+text, time.Minute, func() bool {
					said, err := os.ReadFile(file)
					return err == nil && strings.Contains(string(said), text)
				})
			}
			t.Logf("%v: after %.1f s", args, time.Since(began).Seconds())
		}
	}
	checkSays := begin("check")
	config, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	local := s.config
	s.config = filepath.Join(s.dir, "far.yaml")
	write(t, s.config, strings.Replace(string(config), "data_dir: data", fmt.Sprintf("data_dir: %q", filepath.Join(sick.at, "data")), 1), 0o600)
	farSays := begin("run")
	s.config = local
	checkSays("sick: input "+filepath.Join(sick.at, "in")+" does not answer",
		"healthy: output "+filepath.Join(healthy.at, "out")+": wrote, renamed and deleted a file",
		"to watch, of at most") // the last thing it looks at
	farSays("data_dir " + filepath.Join(sick.at, "data") + " does not answer")
	const silent = "the output folder of sick: its file system does not answer"
	begin("redeliver", "--folder", "sick")(silent)

	agent = s.start()
	s.drop(sick, 5)
	s.drop(healthy, 5)
	s.waitForResults(healthy)
	if want := "a folder does not answer, it is taken up when it does\" path=" + filepath.Join(sick.at, "in"); !strings.Contains(s.log(), want) {
		t.Errorf("the log lacks %s", want)
	}
	sickSays := begin("redeliver", "--folder", "sick")
	begin("redeliver", "--folder", "healthy")("0 results to be downloaded again, 10 in place already")
	sickSays(silent)
	until(t, "status says so", time.Minute, func() bool { return s.says("the folder does not answer") })
	faults("")
	s.waitForResults()
	for _, c := range begun {
		_ = c.Wait() // says that something was wrong
	}
	s.stop(agent)
	s.wantPromises()
}

// sickStudio has a hot folder with faults and one without.
func sickStudio(t *testing.T) (_ *studio, sick, healthy *hotFolder, faults func(text string)) {
	t.Helper()
	sick, faults = sickFolder(t)
	dir := t.TempDir()
	healthy = &hotFolder{name: "healthy", at: dir, behind: dir}
	return newStudio(t, plan{folders: []*hotFolder{sick, healthy}}), sick, healthy, faults
}

// sickFolder is a hot folder on a file system of its own with the faults that are told it, and none at first.
func sickFolder(t *testing.T) (_ *hotFolder, faults func(text string)) {
	t.Helper()
	faultfs := filepath.Join(t.TempDir(), "faultfs")
	build := exec.Command("go", "build", "-C", "testdata/faultfs", "-o", faultfs, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dir := t.TempDir()
	sick := &hotFolder{name: "sick", at: filepath.Join(dir, "mount"), behind: filepath.Join(dir, "behind")}
	control := filepath.Join(dir, "control")
	faults = func(text string) {
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
	t.Cleanup(func() { _ = unix.Unmount(sick.at, unix.MNT_DETACH) })
	startDaemon(t, faultfs, sick.behind, sick.at, control)
	until(t, "it is mounted", 20*time.Second, func() bool { return isMounted(sick.at) })
	return sick, faults
}
