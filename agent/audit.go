package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"hotfolder/autoretouch"
	"hotfolder/config"
	"hotfolder/store"
)

// AuditOptions are what RunAudit works with.
type AuditOptions struct {
	Config  *config.Config
	API     *autoretouch.Client
	Desk    Desk
	Results bool // read the results in the output folders, too
}

// Audit holds the ledger against the account. Its JSON form is that of `hotfolder audit --json`.
type Audit struct {
	Executions  int          `json:"executions"`  // of the workflows or of its jobs, that carry the label of a job
	Jobs        int          `json:"jobs"`        // in the ledger
	Charged     int          `json:"charged"`     // credits for these executions, as the account says
	Booked      int          `json:"booked"`      // credits for its jobs, as the ledger says
	Unpaid      int          `json:"unpaid"`      // credits of these that are not charged yet: for what is not finished, or waits for credits
	Balance     int          `json:"balance"`     // credits
	Differences []Difference `json:"differences"` // all of them
	Results     AuditResults `json:"results"`
}

// AuditResults tells of the results of delivered jobs. Somebody may have taken or edited them: no difference to the account.
type AuditResults struct {
	Missing int  `json:"missing"`         // no longer under their name in the output folder
	Changed int  `json:"changed"`         // other content than was delivered
	Read    bool `json:"read"`            // false: nobody looked whether they changed
	Offline int  `json:"offline_folders"` // output folders that are not there
}

// Kind says how the ledger and the account differ.
type Kind string

// The kinds of differences.
const (
	NotInLedger  Kind = "not_in_ledger" // an execution carries the label of no job, or of one that does not know it
	Twice        Kind = "twice"         // a job has another execution
	Vanished     Kind = "vanished"      // a job's execution is not in the account
	OtherStatus  Kind = "status"        // the job is not where the execution is, and does not get there by itself
	OtherCredits Kind = "credits"       // other credits were charged than are booked
)

// Difference is one between the ledger and the account.
type Difference struct {
	Kind      Kind   `json:"kind"`
	Job       string `json:"job,omitempty"` // its id
	Execution string `json:"execution"`
	Credits   int    `json:"credits"` // charged for the execution, as far as known
	Text      string `json:"text"`    // what differs
	Mend      string `json:"mend"`
}

// RunAudit compares all executions of the hot folders' workflows with the jobs of the desk. It changes nothing; what is just moving
// on is no difference. Its memory grows with the jobs that have an execution.
func RunAudit(ctx context.Context, o AuditOptions) (Audit, error) {
	a := &audit{AuditOptions: o, entries: map[string]*entry{}, strangers: map[string]string{}}
	a.report.Differences = []Difference{}
	a.report.Results.Read = o.Results
	for _, step := range []func(context.Context) error{a.readLedger, a.readAccount, a.lookForMissing, a.balance} {
		if err := step(ctx); err != nil {
			return a.report, err
		}
	}
	return a.report, nil
}

// audit is a RunAudit under way.
type audit struct {
	AuditOptions
	entries   map[string]*entry // by execution
	strangers map[string]string // label that the ledger does not know → the first execution that carries it
	report    Audit
}

// entry is an execution as the ledger knows it.
type entry struct {
	job       string // the one whose label it should carry
	state     store.State
	credits   int
	submitted time.Time
	met       bool // it is in the account
}

// readLedger notes the executions of the jobs. Of several jobs with one execution, that of identical pictures, the first counts,
// unless another one paid for it.
func (a *audit) readLedger(ctx context.Context) error {
	outputs := map[string]*folder{}
	for _, c := range a.Config.Folders {
		if _, err := os.Stat(c.Output); err != nil {
			a.report.Results.Offline++
			continue
		}
		outputs[c.Name] = &folder{Folder: c}
	}
	for job, err := range a.Desk.Jobs(ctx, store.Filter{}) {
		if err != nil {
			return err
		}
		a.report.Jobs++
		a.report.Booked += job.Credits
		if job.Execution != "" {
			e := a.entries[job.Execution]
			if e == nil || e.credits == 0 && job.Credits > 0 {
				a.entries[job.Execution] = &entry{job: job.ID, state: job.State, credits: job.Credits, submitted: job.SubmittedAt}
			}
		}
		if f := outputs[job.Folder]; f != nil && job.State == store.Delivered && job.Output != "" {
			if err := a.result(ctx, f, job); err != nil {
				return err
			}
		}
	}
	return nil
}

// result looks whether a result lies where it was delivered to.
func (a *audit) result(ctx context.Context, f *folder, job store.Job) error {
	file := f.outputPath(job.Output)
	if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		a.report.Results.Missing++
		return nil
	}
	if !a.AuditOptions.Results {
		return nil
	}
	sum, err := sumOf(ctx, file)
	if err != nil {
		return fmt.Errorf("read the result: %w", err)
	}
	if sum != job.Result.SHA256 {
		a.report.Results.Changed++
	}
	return nil
}

// readAccount compares the executions with what the ledger knows.
func (a *audit) readAccount(ctx context.Context) error {
	read := map[string]bool{}
	for _, f := range a.Config.Folders {
		if read[f.Workflow] {
			continue
		}
		read[f.Workflow] = true
		for e, err := range newListing(a.API, f.Workflow, someTries).all(ctx) {
			if err == nil {
				err = a.execution(ctx, e)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *audit) execution(ctx context.Context, e autoretouch.Execution) error {
	label := e.Labels[labelJob]
	a.count(e)
	if known := a.entries[e.ID]; known != nil {
		known.met = true
		a.compare(known, e)
		return nil
	}
	if label == "" {
		return nil // a person's in the web app
	}
	job, err := a.Desk.Job(ctx, label)
	known := err == nil && job.ID == label
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	case !known:
		a.stranger(label, e)
	case job.Execution == e.ID, job.State == store.Submitting:
		// entered since the ledger was read, or about to be
	case job.Execution == "":
		a.differ(NotInLedger, job.ID, e, fmt.Sprintf("the ledger does not know it, its job of %s is %s", job.Path, job.State),
			"stop the agent and run 'hotfolder recover --force'")
	default:
		a.differ(Twice, job.ID, e, fmt.Sprintf("it is not the execution of its job, %s has %s", job.Path, job.Execution),
			"ask AutoRetouch's support for the credits")
	}
	return nil
}

// count counts what carries a job's label.
func (a *audit) count(e autoretouch.Execution) {
	if e.Labels[labelJob] != "" {
		a.report.Executions++
		a.report.Charged += e.ChargedCredits
	}
}

// stranger is an execution whose label is that of no job.
func (a *audit) stranger(label string, e autoretouch.Execution) {
	if first, twice := a.strangers[label]; twice {
		a.differ(Twice, label, e, "it carries the same label as "+first, "ask AutoRetouch's support for the credits")
		return
	}
	a.strangers[label] = e.ID
	a.differ(NotInLedger, label, e, fmt.Sprintf("the ledger has no job for it, of %q", e.InputName),
		"if no other computer works with this workflow, the ledger was lost: stop the agent and run 'hotfolder recover --force'")
}

// compare tells what differs for good between an execution and its job.
func (a *audit) compare(known *entry, e autoretouch.Execution) {
	state, ended := known.state, e.Status == autoretouch.Completed || e.Status == autoretouch.Failed
	switch {
	case state == store.Failed && e.Status != autoretouch.Failed && e.Status != autoretouch.PaymentRequired:
		a.differ(OtherStatus, known.job, e, fmt.Sprintf("the job is failed, the execution is %s", e.Status),
			"run 'hotfolder retry "+known.job+"', at no charge")
	case (state == store.Downloading || state == store.Delivered) && e.Status != autoretouch.Completed:
		a.differ(OtherStatus, known.job, e, fmt.Sprintf("the job is %s, the execution is %s", state, e.Status), "ask AutoRetouch's support")
	}
	settled := state == store.Downloading || state == store.Delivered || state == store.Failed
	switch {
	case e.Labels[labelJob] != known.job || e.ChargedCredits == known.credits:
	case !settled || !ended:
		a.report.Unpaid += max(0, known.credits-e.ChargedCredits)
	default:
		a.differ(OtherCredits, known.job, e, fmt.Sprintf("%d credits were charged, %d are booked", e.ChargedCredits, known.credits),
			"ask AutoRetouch's support if the charge is wrong; credits_per_day counted what is booked")
	}
}

// lookForMissing asks for the executions that the lists did not show, those of workflows no longer in the configuration among them.
func (a *audit) lookForMissing(ctx context.Context) error {
	for id, known := range a.entries {
		if known.met || time.Since(known.submitted) < a.Config.API.CreateLookup {
			continue
		}
		e, err := a.API.Execution(ctx, id)
		switch {
		case err == nil:
			a.count(e)
			a.compare(known, e)
		case errors.Is(err, autoretouch.ErrNotFound):
			e := autoretouch.Execution{ID: id, ChargedCredits: known.credits}
			a.differ(Vanished, known.job, e, fmt.Sprintf("the account does not know it, its job is %s", known.state), "ask AutoRetouch's support for the credits")
		default:
			return err
		}
	}
	return nil
}

func (a *audit) balance(ctx context.Context) (err error) {
	a.report.Balance, err = a.API.Balance(ctx)
	return err
}

func (a *audit) differ(kind Kind, job string, e autoretouch.Execution, text, mend string) {
	a.report.Differences = append(a.report.Differences, Difference{kind, job, e.ID, e.ChargedCredits, text, mend})
}
