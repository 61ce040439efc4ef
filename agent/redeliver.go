package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"hotfolder/store"
	"hotfolder/watcher"
)

// RedeliverRequest names the jobs whose results are to be delivered again: these ids, or the delivered ones that the filter chooses.
type RedeliverRequest struct {
	IDs     []string     `json:"ids,omitempty"`
	Filter  store.Filter `json:"filter,omitzero"`
	Missing bool         `json:"missing,omitempty"` // of those that the filter chooses, only those whose result is no longer in its place
}

// Redelivered says what came of a RedeliverRequest.
type Redelivered struct {
	Jobs  int `json:"jobs"`  // whose results will be downloaded again
	There int `json:"there"` // whose results are in their place, and were left alone
	Lost  int `json:"lost"`  // whose results AutoRetouch no longer has
}

// Redeliver has results downloaded again, at no charge. One that is in its place as it was delivered is left alone; where something
// else has the name now, the result gets another one, unless only the missing ones are asked for. Of the ids each must be a delivered job, or one that failed with a result:
// that is delivered as it is.
func (b Books) Redeliver(ctx context.Context, r RedeliverRequest) (done Redelivered, err error) {
	again := redelivery{Books: b, outputs: map[string]error{}}
	for _, id := range r.IDs {
		job, err := b.Ledger.Find(id)
		if err != nil {
			return again.done, err
		}
		if err := again.named(ctx, job); err != nil {
			return again.done, err
		}
	}
	if len(r.IDs) > 0 {
		return again.done, nil
	}
	r.Filter.State = store.Delivered
	for job, err := range b.Jobs(ctx, r.Filter) {
		if err != nil {
			return again.done, err
		}
		if err := again.chosen(ctx, job, r.Missing); err != nil && !errors.Is(err, store.ErrStep) { // somebody else was faster
			return again.done, err
		}
	}
	return again.done, nil
}

// redelivery is a Redeliver under way.
type redelivery struct {
	Books
	outputs map[string]error // why a hot folder's output can't be looked at; nil: it can
	done    Redelivered
}

// named takes a job that a person named.
func (r *redelivery) named(ctx context.Context, job store.Job) error {
	switch {
	case job.State == store.Failed && job.Result.Path != "":
		return r.again(job, "a person takes the result as it is", accepted)
	case job.State != store.Delivered:
		return fmt.Errorf("%w: job %s is %s and has no result", store.ErrStep, job.ID, job.State)
	}
	there, err := r.isThere(ctx, job, true)
	if err != nil {
		return err
	}
	if there {
		r.done.There++
		return nil
	}
	return r.again(job, "delivered again", asked)
}

// chosen takes a delivered job that a filter chose. Of one that never had a place in the output nothing is missing.
func (r *redelivery) chosen(ctx context.Context, job store.Job, missing bool) error {
	if job.Output == "" || r.folder(job.Folder) == nil {
		return nil
	}
	there, err := r.isThere(ctx, job, !missing)
	switch {
	case err != nil:
		return err
	case there:
		r.done.There++
		return nil
	}
	return r.again(job, "delivered again", asked)
}

func (r *redelivery) again(job store.Job, why string, retries int) error {
	if job.Result.Path == "" {
		r.done.Lost++
		return nil
	}
	_, err := r.Ledger.Step(job, store.Downloading, why, func(j *store.Job) { j.Error, j.Retries = "", retries })
	if err == nil {
		r.done.Jobs++
	}
	return err
}

// isThere tells whether a job's result is in its place, with the right content or, if it is not to be read, any.
func (r *redelivery) isThere(ctx context.Context, job store.Job, read bool) (bool, error) {
	f := r.folder(job.Folder)
	if f == nil {
		return false, fmt.Errorf("job %s: the configuration has no hot folder %q any more", job.ID, job.Folder)
	}
	why, looked := r.outputs[f.Name]
	if !looked {
		root := watcher.NewRoot(f.Output, openMounts(mountsFile(r.Config.DataDir), slog.New(slog.DiscardHandler)).of(f.Output))
		why = watcher.Within(probeTime, func(func()) error { return root.Check() })
		r.outputs[f.Name] = why
	}
	if why != nil {
		return false, fmt.Errorf("the output folder of %s: %s; connect it first", f.Name, reason(why))
	}
	if job.Output == "" {
		return false, nil
	}
	file := f.outputPath(job.Output)
	there := false
	err := watcher.Within(probeTime, func(alive func()) error {
		if !read {
			_, err := os.Lstat(file)
			there = true
			return err
		}
		sum, err := sumBy(file, func(r io.ReadSeeker) (string, error) { return sha(ctx, living{r, alive}) })
		there = sum == job.Result.SHA256
		return err
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("the output folder of %s: %w", f.Name, err)
	}
	return there, nil
}

// living is a file that is read with signs of life.
type living struct {
	io.ReadSeeker
	alive func()
}

func (l living) Read(p []byte) (int, error) {
	l.alive()
	return l.ReadSeeker.Read(p)
}

func (r *redelivery) folder(name string) *folder {
	for _, c := range r.Config.Folders {
		if c.Name == name {
			return &folder{Folder: c}
		}
	}
	return nil
}
