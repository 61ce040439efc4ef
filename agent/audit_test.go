package agent_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hotfolder/agent"
	"hotfolder/sandbox"
	"hotfolder/store"
)

// audit holds the ledger against the account and wants differences that begin so: kind, file, credits.
func (w *world) audit(want ...string) agent.Audit {
	w.Helper()
	found, err := agent.RunAudit(w.Context(), agent.AuditOptions{Config: w.cfg, API: w.api(), Desk: w.agent, Results: true})
	if err != nil {
		w.Fatal(err)
	}
	var got []string
	for _, d := range found.Differences {
		path := "?"
		if job, err := w.agent.Job(w.Context(), d.Job); err == nil {
			path = job.Path
		}
		got = append(got, fmt.Sprintf("%s %s %d", d.Kind, path, d.Credits))
		if d.Text == "" || d.Mend == "" || d.Execution == "" {
			w.Errorf("%+v", d)
		}
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		w.Errorf("differences %q, want %q", got, want)
	}
	return found
}

func TestAuditOfUndisturbedWork(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.audit()
		w.everyState()
		w.createElsewhere(picture(20), nil) // a person's, in the web app
		found := w.audit()
		if found.Executions != 7 || found.Jobs != 8 || found.Charged != 60 || found.Booked != 70 || found.Unpaid != 10 || found.Balance != 0 || found.Results != (agent.AuditResults{Read: true}) {
			w.Errorf("%+v", found)
		}
		w.sandbox.SetFaults(sandbox.Faults{})
		w.sandbox.SetCredits(1000)
		w.until("all but one delivered", 12*time.Hour, func() bool { return w.counts()[store.Delivered] == 7 })
		if found = w.audit(); found.Charged != 70 || found.Booked != 70 || found.Unpaid != 0 || found.Balance != 990 {
			w.Errorf("%+v", found)
		}
		if err := os.Remove(filepath.Join(w.dir, "out/a.png")); err != nil {
			t.Fatal(err)
		}
		w.write("out/qa.png", []byte("edited"))
		if found = w.audit(); found.Results != (agent.AuditResults{Missing: 1, Changed: 1, Read: true}) {
			w.Errorf("%+v", found)
		}
	})
}

// The executions of a workflow that is no longer in the configuration are not in a list that is looked through.
func TestAuditAfterAChangeOfWorkflow(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Delivered)
		time.Sleep(time.Hour)
		changed := *w.cfg
		changed.Folders = slices.Clone(changed.Folders)
		changed.Folders[0].Workflow = sandbox.FastCheck
		found, err := agent.RunAudit(w.Context(), agent.AuditOptions{Config: &changed, API: w.api(), Desk: w.agent})
		if err != nil || len(found.Differences) > 0 || found.Executions != 1 || found.Charged != 10 || found.Booked != 10 {
			w.Errorf("%+v, %v", found, err)
		}
	})
}

// Executions that nobody can find by accident: each kind of difference, by its cause.
func TestAuditNamesDifferences(t *testing.T) {
	in(t, studio{}, func(w *world) {
		for i := range 4 {
			w.drop(fmt.Sprintf("%d.jpg", i), picture(i))
		}
		w.settle(4, store.Delivered)
		w.sandbox.SetFaults(sandbox.Faults{Vanish: 1})
		w.drop("vanished.jpg", picture(4))
		w.until("it is given up", time.Hour, func() bool { return w.counts()[store.Failed] == 1 })
		w.sandbox.SetFaults(sandbox.Faults{ResultGone: 1})
		w.drop("unfetched.jpg", picture(5))
		w.until("it is given up", time.Hour, func() bool { return w.counts()[store.Failed] == 2 })
		w.sandbox.SetFaults(sandbox.Faults{})
		ids := map[string]string{}
		for _, path := range []string{"0.jpg", "1.jpg"} {
			ids[path] = w.job(path).ID
		}

		l := w.halted()
		if _, err := l.Note(ids["1.jpg"], func(j *store.Job) { j.Credits = 25 }); err != nil {
			t.Fatal(err)
		}
		l.Close()
		w.createElsewhere(picture(0), map[string]string{"hotfolder_job": ids["0.jpg"]})
		for range 2 {
			w.createElsewhere(picture(9), map[string]string{"hotfolder_job": strings.Repeat("0", 20)})
		}
		w.createElsewhere(picture(9), map[string]string{"hotfolder_job": ids["0.jpg"][:5]}) // the beginning of another's
		w.start()
		found := w.audit("credits 1.jpg 10", "not_in_ledger 0.jpg 10", "not_in_ledger ? 10", "status unfetched.jpg 10",
			"twice 0.jpg 10", "twice ? 10", "vanished vanished.jpg 10")
		if found.Charged != 90 || found.Booked != 75 {
			w.Errorf("%+v", found)
		}
	})
}

// The account has an execution that the ledger, an older copy, knows nothing of.
func TestAuditOfAnOldLedger(t *testing.T) {
	in(t, studio{config: "limits: {credits_per_day: 1}"}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Uploaded)
		w.createElsewhere(picture(1), map[string]string{"hotfolder_job": w.job("a.jpg").ID})
		w.audit("not_in_ledger a.jpg 10")
	})
}
