package agent

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"hotfolder/config"
	"hotfolder/store"
)

// Desk answers what people ask of the jobs, whether the agent runs (Agent, or package control's client of it) or not (Books).
type Desk interface {
	Status(ctx context.Context) (Status, error)
	Jobs(ctx context.Context, f store.Filter) iter.Seq2[store.Job, error]
	Job(ctx context.Context, id string) (store.Job, error) // by its id or a unique beginning of it; store.ErrNotFound
	Retry(ctx context.Context, r RetryRequest) (Retried, error)
	Redeliver(ctx context.Context, r RedeliverRequest) (Redelivered, error)
}

// Status is what `hotfolder status --json` prints.
type Status struct {
	Folders  []FolderStatus      `json:"folders"`
	Counts   map[store.State]int `json:"counts"`
	Account  AccountStatus       `json:"account"`
	Agent    ProcessStatus       `json:"agent"`
	Troubles []Trouble           `json:"troubles"` // all that is wrong, the gravest first
	Lately   []Happening         `json:"lately"`   // the last that the log was warned of, the latest last
}

// FolderStatus is one hot folder in a Status.
type FolderStatus struct {
	Name    string              `json:"name"`
	State   string              `json:"state"`            // ok, warning, error, or stopped when the agent does not run
	Problem string              `json:"problem"`          // what is wrong and the mend; "" when nothing is
	Notice  string              `json:"notice,omitempty"` // what is not wrong but good to know: uploads that wait for their hours, how a network share is watched
	Counts  map[store.State]int `json:"counts"`

	Progress *Progress `json:"progress,omitempty"` // nil while the agent does not run
	PerHour  int       `json:"per_hour"`           // results delivered in the last hour
}

// AccountStatus is the account in a Status.
type AccountStatus struct {
	State        string `json:"state"`             // ok, login_needed, out_of_credits, unreachable, or unknown
	Balance      *int   `json:"balance,omitempty"` // credits; absent while unknown
	CreditsToday int    `json:"credits_today"`     // charged since local midnight
}

// ProcessStatus is the agent itself in a Status.
type ProcessStatus struct {
	Running   bool      `json:"running"`
	Since     time.Time `json:"since,omitzero"` // that it runs, or about that it does not
	Version   string    `json:"version"`
	PerHour   int       `json:"per_hour"`  // results delivered in the last hour
	Delivered int       `json:"delivered"` // results since it was started
	Failed    int       `json:"failed"`    // pictures since it was started
}

// RetryRequest names the failed jobs to take up again: these ids, or those that the filter chooses, or all.
type RetryRequest struct {
	IDs    []string     `json:"ids,omitempty"`
	Filter store.Filter `json:"filter,omitzero"`
	All    bool         `json:"all,omitempty"`
}

// Retried says what came of a RetryRequest.
type Retried struct {
	Jobs int `json:"jobs"` // taken up again
}

// Books is the Desk of a ledger that no agent works on.
type Books struct {
	Config  *config.Config
	Ledger  *store.Ledger // open for writing if Retry and Redeliver are to work
	Version string
}

// Status tells the counts; of an agent that does not run nothing else is known.
func (b Books) Status(context.Context) (Status, error) {
	counts, err := b.Ledger.Counts()
	if err != nil {
		return Status{}, fmt.Errorf("read the ledger: %w", err)
	}
	credits, err := b.Ledger.Credits(time.Now())
	if err != nil {
		return Status{}, fmt.Errorf("read the ledger: %w", err)
	}
	s := Status{
		Counts:   map[store.State]int{},
		Account:  AccountStatus{State: "unknown", CreditsToday: credits},
		Agent:    ProcessStatus{Version: b.Version},
		Troubles: []Trouble{},
		Lately:   []Happening{},
	}
	for _, f := range b.Config.Folders {
		fs := FolderStatus{Name: f.Name, State: "stopped", Counts: counts[f.Name]}
		if fs.Counts == nil {
			fs.Counts = map[store.State]int{}
		}
		for state, n := range fs.Counts {
			s.Counts[state] += n
		}
		s.Folders = append(s.Folders, fs)
	}
	return s, nil
}

// Jobs yields the jobs that the filter chooses, the earliest discovered first.
func (b Books) Jobs(ctx context.Context, f store.Filter) iter.Seq2[store.Job, error] {
	return func(yield func(store.Job, error) bool) {
		for job, err := range b.Ledger.Jobs(f) {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			if !yield(job, err) || err != nil {
				return
			}
		}
	}
}

// Latest returns the last jobs that something happened to, in a state or, when that is "", in any: up to most of them from each
// hot folder, as the ledger has only their order of discovery.
func (b Books) Latest(_ context.Context, state store.State, most int) (jobs []store.Job, err error) {
	states := store.States
	if state != "" {
		states = []store.State{state}
	}
	for _, f := range b.Config.Folders {
		for _, state := range states {
			some, err := b.Ledger.Latest(state, f.Name, most)
			if err != nil {
				return nil, fmt.Errorf("read the ledger: %w", err)
			}
			jobs = append(jobs, some...)
		}
	}
	slices.SortStableFunc(jobs, func(j, k store.Job) int { return k.LastStep().Compare(j.LastStep()) })
	return jobs[:min(most, len(jobs))], nil
}

// Job returns the job whose id begins with id.
func (b Books) Job(_ context.Context, id string) (store.Job, error) { return b.Ledger.Find(id) }

// Retry takes failed jobs up again where they failed: a result that could not be fetched is fetched, an execution that failed is
// run again, a file that was refused is looked at anew. Of the ids each must be a failed job.
func (b Books) Retry(ctx context.Context, r RetryRequest) (done Retried, err error) {
	for _, id := range r.IDs {
		job, err := b.Ledger.Find(id)
		if err != nil {
			return done, err
		}
		if job.State != store.Failed {
			return done, fmt.Errorf("%w: job %s is %s, and only a failed one can be retried", store.ErrStep, job.ID, job.State)
		}
		if err := retry(b.Ledger, job); err != nil {
			return done, err
		}
		done.Jobs++
	}
	if len(r.IDs) > 0 || !r.All && r.Filter == (store.Filter{}) {
		return done, nil
	}
	r.Filter.State = store.Failed
	for job, err := range b.Jobs(ctx, r.Filter) {
		if err != nil {
			return done, err
		}
		switch err := retry(b.Ledger, job); {
		case errors.Is(err, store.ErrStep): // it has failed no longer: somebody else was faster
			continue
		case err != nil:
			return done, err
		}
		done.Jobs++
	}
	return done, nil
}

// Values of Job.Retries after a person asked for the job.
const (
	asked    = -1
	accepted = -2 // for its result as it is
)

func retry(ledger rows, job store.Job) error {
	to := store.Queued
	switch {
	case job.Result.Path != "":
		to = store.Downloading
	case job.Execution != "":
		to = store.Processing
	case job.SHA256 == "": // it could not be read
		to = store.Gone // until the file is looked at anew
		if err := ledger.Unsee(job.Folder, job.Path); err != nil {
			return err
		}
	}
	_, err := ledger.Step(job, to, "retry", func(j *store.Job) { j.Error, j.Retries = "", asked })
	return err
}
