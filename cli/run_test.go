package cli

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"hotfolder/agent"
	"hotfolder/control"
	"hotfolder/store"
)

func TestRunOnce(t *testing.T) {
	w := newWorld(t)
	w.login()
	w.want(0, `^nothing to do\n$`, `(?s).*`, "run", "--once")
	w.drop("packshots/a.jpg", "packshots/sub/b.jpg", "website/c.jpg")
	w.want(0, `packshots 2 of 2, website 1 of 1\n3 delivered, 0 failed in \S+s\n$`, `(?s).*`, "run", "--once")
	for _, result := range []string{"out/packshots/a.jpg", "out/packshots/sub/b.jpg", "out/website/c.jpg"} {
		if _, err := os.Stat(w.path(result)); err != nil {
			t.Error(err)
		}
	}
	if n := w.box.Books().Calls["POST /v1/workflow/execution/create"]; n != 3 {
		t.Errorf("%d executions were created", n)
	}
}

func TestRunOnceFails(t *testing.T) {
	w := newWorld(t)
	w.drop("packshots/a.jpg")
	w.want(3, `0 delivered, 0 failed, 1 waiting`, `(?s).*\nhotfolder: 1 not finished; .*run 'hotfolder login'.*\n`, "run", "--once")
	w.box.SetCredits(0)
	w.login()
	w.want(1, `1 waiting`, `(?s).*\nhotfolder: 1 not finished; .*out of credits.*\n`, "run", "--once")
}

// What is printed, the error and the exit code speak of the same pictures: those that failed in this run.
func TestRunOnceCountsItsFailures(t *testing.T) {
	w := newWorld(t)
	w.login()
	w.drop("packshots/bad.jpg")
	const failed = `(?s).*\nhotfolder: 1 failed \(see 'hotfolder jobs --state failed'\)\n`
	w.want(1, `(?m)^0 delivered, 1 failed in \S+s$`, failed, "run", "--once")
	w.want(0, `^nothing to do\n$`, `(?s).*`, "run", "--once")
	write(t, w.path("in/packshots/bad.jpg"), []byte("no picture either")) // with which the first job is gone
	w.want(1, `^packshots 1 of 1, website 0 of 0\n0 delivered, 1 failed in \S+s\n$`, failed, "run", "--once")
	w.remove("in/website")
	w.want(1, `^nothing was done\n$`, `(?s).*\nhotfolder: website: the input folder cannot be reached: .*`, "run", "--once")
}

// A cut-short picture is waited for, so a wrong one that is failed at once is dropped.
func TestFailedJobs(t *testing.T) {
	w := newWorld(t)
	w.login()
	w.drop("packshots/a.jpg", "packshots/bad.jpg")
	stop := w.start()
	w.awaitFile("out/packshots/a.jpg")
	w.await("the delivery", func() bool { return strings.Contains(w.run("jobs", "--state", "delivered").stdout, "a.jpg") }) // in the ledger
	w.await("the failure", func() bool { return strings.Contains(w.run("jobs", "--state", "failed").stdout, "bad.jpg") })
	look := func() {
		t.Helper()
		w.want(0, `(?m)^\w{8}  packshots +delivered .*B  a\.jpg -> a\.jpg$`, ``, "jobs", "--state", "delivered")
		w.want(0, `(?m)^\w{8}  packshots +failed .*B  bad\.jpg: .*$`, ``, "jobs", "--path", w.path("in/packshots/bad.jpg"))
		w.want(0, `^$`, `no such job\n`, "jobs", "--folder", "website")
		w.want(0, `^$`, `no such job; --path takes the whole way to .*\n`, "jobs", "--path", "nowhere.jpg")
		w.want(0, `a\.jpg`, ``, "jobs", "--since", "1h")
		w.want(0, `^$`, `no such job\n`, "jobs", "--since", "0s")
		failed := strings.Fields(w.run("jobs", "--state", "failed").stdout)[6]
		w.want(0, `^`+failed+`\tpackshots/bad\.jpg\n:4\n$`, `Completion ended .*\n`, "__complete", "retry", failed[:2])
		w.want(0, `(?m)^\w{8}\tpackshots/a\.jpg$`, `Completion ended .*\n`, "__complete", "jobs", "show", "")
		w.want(0, `^:4\n$`, `Completion ended .*\n`, "__complete", "retry", failed, "")
		w.want(1, `^$`, `hotfolder: no such job: zzz; 'hotfolder jobs' lists them\n`, "jobs", "show", "zzz")
		delivered := strings.Fields(w.run("jobs", "--state", "delivered").stdout)[6]
		w.want(1, `^$`, `hotfolder: step not allowed: job `+delivered+`\w+ is delivered, and only a failed one can be retried\n`, "retry", delivered)
		w.want(0, `(?m)^FOLDER +STATE +DELIVERED +FAILED\npackshots +\w+ +1 +1\nwebsite +\w+ +0 +0\nall +1 +1$`, ``, "status")
	}
	look()
	w.want(0, `^1 failed job taken up again\n$`, ``, "retry", "--all")
	w.want(0, `^no failed job taken up again\n$`, ``, "retry", "--folder", "website")
	w.want(1, `^$`, `hotfolder: no such job: zzz; 'hotfolder jobs' lists them\n`, "retry", "zzz")
	w.await("the next failure", func() bool { return strings.Contains(w.run("jobs", "--state", "failed").stdout, "bad.jpg") })
	if got := stop(); got.code != 0 {
		t.Errorf("run: exit %d, %s", got.code, got.stderr)
	}
	look()
	w.want(0, `^1 failed job taken up again\n$`, ``, "retry", "--path", "bad.jpg")
	w.want(0, `QUEUED.*\npackshots +stopped +1 +1 +0\n`, ``, "status")
}

func TestStatusWhileItRunsAndAfter(t *testing.T) {
	w := newWorld(t)
	w.login()
	w.want(0, `^agent    has never run; 'hotfolder check' .*\naccount  unknown, `, ``, "status")
	w.want(0, ``, ``, "logout")
	w.want(0, `\naccount  login needed \('hotfolder login'\), `, ``, "status")
	w.login()
	w.want(0, `^$`, ``, "jobs", "--json")
	w.want(0, `^no failed job taken up again\n$`, ``, "retry", "--all")
	w.want(1, `^$`, `hotfolder: no such job: abc; 'hotfolder jobs' lists them\n`, "retry", "abc")
	if _, err := os.Stat(w.path("data/ledger.db")); err == nil {
		t.Error("looking made a ledger")
	}

	w.drop("website/a.jpg")
	for range 2 { // in one process
		stop := w.start()
		w.awaitFile("out/website/a.jpg")
		w.await("the balance", func() bool {
			s := w.status()
			return s.Account.Balance != nil && s.Counts[store.Delivered] == 1
		})
		if s := w.status(); !s.Agent.Running || s.Agent.Since.IsZero() || s.Account.State != "ok" || *s.Account.Balance > 1000 ||
			s.Account.CreditsToday != 1 || len(s.Folders) != 2 || s.Folders[1].State != "ok" {
			t.Errorf("while it runs: %+v", s)
		}
		w.want(0, `agent    running since .*\naccount  ok, (999|1,000) credits, 1 spent today\n`, ``, "status")
		if got := stop(); got.code != 0 || got.stdout != "" {
			t.Errorf("run: exit %d, stdout %q, stderr %s", got.code, got.stdout, got.stderr)
		}
		if s := w.status(); s.Agent.Running || s.Counts[store.Delivered] != 1 || s.Folders[0].State != "stopped" {
			t.Errorf("after it: %+v", s)
		}
	}
}

func (w *world) status() (s agent.Status) {
	w.t.Helper()
	got := w.run("status", "--json")
	if err := json.Unmarshal([]byte(got.stdout), &s); err != nil || got.code != 0 {
		w.t.Errorf("status --json: exit %d, %v: %s%s", got.code, err, got.stdout, got.stderr)
	}
	return s
}

func TestSecondAgentRefuses(t *testing.T) {
	w := newWorld(t)
	w.login()
	stop := w.start()
	pid := regexp.QuoteMeta(" " + jsonNumber(control.PID(w.path("data"))) + " ")
	w.want(1, `^$`, `hotfolder: the agent with process id`+pid+`works with .*ledger.db already; stop it first, .*\n`, "run")
	w.want(1, `^$`, `(?s)hotfolder: the agent with process id`+pid+`.*`, "run", "--once")
	stop()
}

func jsonNumber(n int) string {
	b, _ := json.Marshal(n)
	return string(b)
}

func TestJobsJSON(t *testing.T) {
	w := newWorld(t)
	w.login()
	two := "two <&>.jpg"
	if runtime.GOOS == "windows" { // has no < and >
		two = "two &.jpg"
	}
	w.drop("packshots/one.jpg", "packshots/"+two)
	if got := w.run("run", "--once"); got.code != 0 {
		t.Fatal(got.stderr)
	}
	lines := strings.Split(strings.TrimSpace(w.run("jobs", "--json").stdout), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines: %s", len(lines), lines)
	}
	keys := []string{"id", "folder", "path", "sha256", "size", "state", "execution", "output", "attempts", "credits",
		"discovered_at", "uploaded_at", "submitted_at", "completed_at", "delivered_at"}
	for _, line := range lines {
		var job map[string]any
		if err := json.Unmarshal([]byte(line), &job); err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			if job[key] == nil {
				t.Errorf("%s is missing in %s", key, line)
			}
		}
		if job["history"] != nil || job["error"] != nil {
			t.Errorf("too much in %s", line)
		}
		var whole store.Job
		shown := w.run("jobs", "show", "--json", job["id"].(string)[:8])
		if err := json.Unmarshal([]byte(shown.stdout), &whole); err != nil || len(whole.History) < 5 || whole.ID != job["id"] {
			t.Errorf("jobs show --json: %v, %s%s", err, shown.stdout, shown.stderr)
		}
		w.want(0, `(?s)job +`+whole.ID+`.*sha256 +`+whole.SHA256+`.*queued.*delivered`, ``, "jobs", "show", whole.ID)
	}
}

// The sandbox announces its results to the address that the configuration names.
func TestRunHearsAnnouncements(t *testing.T) {
	w := newWorld(t)
	w.login()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w.configure(studioConfig + fmt.Sprintf("webhook: {listen: %q, url: %q}\n", l.Addr(), "http://"+l.Addr().String()))
	w.drop("packshots/a.jpg")
	w.want(0, `1 delivered`, `(?s).*results cannot be announced by AutoRetouch: .*`, "run", "--once") // the port is taken
	if n := len(w.box.Books().Deliveries); n > 0 {
		t.Errorf("%d announcements to a port of somebody else", n)
	}

	l.Close()
	stop := w.start()
	w.drop("packshots/b.jpg")
	w.awaitFile("out/packshots/b.jpg")
	w.await("the announcement", func() bool { return len(w.box.Books().Deliveries) == 1 })
	if d := w.box.Books().Deliveries[0]; d.Status != http.StatusNoContent {
		t.Errorf("%+v", d)
	}
	if got := stop(); got.code != 0 || strings.Contains(got.stderr, "announced") {
		t.Errorf("run: exit %d, %s", got.code, got.stderr)
	}
}
