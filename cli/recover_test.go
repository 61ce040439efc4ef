package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hotfolder/agent"
	"hotfolder/autoretouch"
	"hotfolder/config"
	"hotfolder/sandbox"
)

// soonSure is a configuration for a list that does not lag.
var soonSure = strings.Replace(studioConfig, "timeout: 2s", "timeout: 2s, create_lookup: 1s", 1)

func TestRecover(t *testing.T) {
	w := newWorld(t)
	w.configure(soonSure)
	w.login()
	w.drop("packshots/a.jpg", "packshots/sub/b.jpg", "website/c.jpg")
	w.want(0, `3 delivered, 0 failed`, `(?s).*`, "run", "--once")
	const reading = `reading the folders, then the account; .* 1s at least\n`
	w.want(1, `^$`, `hotfolder: the ledger .*ledger.db is in good order; .*--force.*\n`, "recover")
	w.want(0, `^3 pictures in the input folders, 3 executions in the account\n3 jobs to be entered: 3 delivered\nnothing was changed\n$`, reading, "recover", "--dry-run")

	stop := w.start()
	w.want(1, `^$`, `hotfolder: the agent with process id \d+ runs; stop it first\n`, "recover", "--force")
	stop()

	ledger := w.path("data/ledger.db")
	rebuilt := `^3 pictures in the input folders, 3 executions in the account\n3 jobs entered: 3 delivered\nthe ledger is rebuilt; .*\n$`
	for name, lose := range map[string]func() error{
		"gone":    func() error { return os.Remove(ledger) },
		"emptied": func() error { return os.Truncate(ledger, 0) },
		"cut":     func() error { return os.Truncate(ledger, 5000) },
	} {
		if err := lose(); err != nil {
			t.Fatal(err)
		}
		aside := `the old ledger is now .*ledger-.*\.db\n`
		if name == "gone" {
			aside = ""
		}
		w.want(0, rebuilt, reading+aside, "recover")
		w.want(0, `(?m)^all +3 +0$`, ``, "status")
	}
	w.want(0, rebuilt, reading+`the old ledger is now .*\n`, "recover", "--force")

	w.drop("packshots/sub/new.jpg")
	w.want(0, `1 delivered, 0 failed`, `(?s).*`, "run", "--once")
	w.want(0, `^ok +4 executions in the account for 4 jobs in the ledger; 31 credits charged, 31 booked, balance 969\n$`, ``, "audit")
	if n := w.box.Books().Calls[sandbox.Create]; n != 4 {
		t.Errorf("%d executions were created", n)
	}
	if kept, _ := filepath.Glob(w.path("data/ledger-*.db")); len(kept) < 1 {
		t.Error("a ledger was not kept")
	}
}

func TestRecoverJSON(t *testing.T) {
	w := newWorld(t)
	w.want(3, `^$`, `(?s).*hotfolder: not logged in; run 'hotfolder login'\n`, "recover", "--dry-run")
	w.login()
	w.drop("packshots/a.jpg")
	var found agent.Recovery
	got := w.run("recover", "--json")
	if err := json.Unmarshal([]byte(got.stdout), &found); err != nil || got.code != 0 || found.Files != 1 || found.New != 1 || !found.Reconciled {
		t.Errorf("exit %d, %v: %s%s", got.code, err, got.stdout, got.stderr)
	}
	if err := os.Rename(w.path("out/website"), w.path("away")); err != nil {
		t.Fatal(err)
	}
	w.want(1, `^$`, `(?s)reading .*hotfolder: the output folder of website: .*; connect it first\n`, "recover")
}

func TestAudit(t *testing.T) {
	w := newWorld(t)
	w.want(3, `^$`, `hotfolder: not logged in; .*\n`, "audit")
	w.login()
	w.want(0, `^ok +0 executions in the account for 0 jobs in the ledger; 0 credits charged, 0 booked, balance 1,000\n$`, ``, "audit")
	w.box.SetCredits(0)
	w.drop("packshots/a.jpg")
	w.want(1, `(?s).*`, `(?s).*`, "run", "--once")
	w.want(0, `^ok +1 execution in the account for 1 job in the ledger; 0 credits charged, 10 booked \(10 not charged yet\), balance 0\n$`, ``, "audit")
	w.box.SetCredits(1000)
	w.drop("packshots/b.jpg")
	w.want(0, `2 delivered`, `(?s).*`, "run", "--once")
	if err := os.Remove(w.path("out/packshots/b.jpg")); err != nil {
		t.Fatal(err)
	}
	write(t, w.path("out/packshots/a.jpg"), []byte("edited"))
	job := w.repeat()
	look := func() {
		t.Helper()
		w.want(1, `^error   twice: execution \S+, job `+job+`, 10 credits: .* [ab].jpg has \S+\n +mend: .*\n`+
			`warning 1 delivered result no longer in the output folder; 'hotfolder redeliver --missing' brings them back\n        3 executions in the account for 2 jobs in the ledger; 30 credits charged, 20 booked, .*\n$`,
			`hotfolder: audit found 1 difference, named above\n`, "audit")
		w.want(1, `warning 1 delivered result changed since\n`, `hotfolder: .*\n`, "audit", "--results")
		var found agent.Audit
		got := w.run("audit", "--json")
		if err := json.Unmarshal([]byte(got.stdout), &found); err != nil || got.code != 1 || len(found.Differences) != 1 || found.Differences[0].Kind != agent.Twice {
			t.Errorf("exit %d, %v: %s%s", got.code, err, got.stdout, got.stderr)
		}
	}
	look()
	stop := w.start()
	look()
	stop()
	w.box.SetFaults(sandbox.Faults{ServerError: sandbox.Chance{P: 1}})
	w.want(4, `^$`, `hotfolder: AutoRetouch does not answer as it should \(HTTP 50.*\); try again in a while\n`, "audit")
}

// repeat creates an execution with the label of one that there is, as only a second agent could, and returns the label.
func (w *world) repeat() (label string) {
	w.t.Helper()
	c, err := config.Load(w.file, os.Getenv)
	if err != nil {
		w.t.Fatal(err)
	}
	api, err := newClient(c)
	if err != nil {
		w.t.Fatal(err)
	}
	defer api.Close()
	first := w.box.Books().Executions[0]
	_, err = api.Create(w.t.Context(), autoretouch.NewExecution{
		Workflow: first.Workflow, Name: first.InputName, ContentHash: first.InputHash, ContentType: first.InputType, Labels: first.Labels,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return first.Labels["hotfolder_job"]
}
