package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"reflect"
	"strings"
	"time"

	"hotfolder/autoretouch"
	"hotfolder/config"
	"hotfolder/store"
)

// submitters is how many executions are created at once: the calls are short, and the ledger commits them together.
const submitters = 32

// The labels of an execution: by which it is found again, and which put it into an order of the web app (API.md, Executions).
const (
	labelJob          = "hotfolder_job"
	labelBatch        = "autoretouch_batch_id"
	labelBatchName    = "autoretouch_batch_name"
	labelBatchCreated = "autoretouch_batch_createdAt"
)

// orderIdle is how long nothing is added to an order until the next picture begins a new one.
const orderIdle = 24 * time.Hour

// mayCreate is how many executions of a folder may be created now.
func (a *Agent) mayCreate(f *folder) int {
	if a.troubles.has(OutOfCredits, "") || !a.known.has(f.Workflow) {
		return 0
	}
	busy := map[*folder]int{} // before the counts, so that none is missed in between
	all := 0
	for _, other := range a.folders {
		busy[other] = a.stage(store.Uploaded).busyFor(other)
		all += busy[other]
	}
	counts, err := a.Ledger.Counts()
	if err != nil {
		return 0
	}
	return min(a.inFlightRoom(f, counts)-all, a.affordable(f, counts, busy))
}

// inFlightRoom is what limits.in_flight leaves to a folder. A quarter of the limit is for those that have little in flight: executions
// may wait for a person for days, and those of one folder must not keep all others from theirs.
func (a *Agent) inFlightRoom(f *folder, counts map[string]map[store.State]int) int {
	limit := a.Config.Limits.InFlight
	kept := limit / 4 / len(a.folders)
	room := limit
	for _, other := range a.folders {
		c := counts[other.Name]
		n := c[store.Submitting] + c[store.Processing] + c[store.InQA] + c[store.PaymentRequired]
		if other != f {
			n = max(n, kept)
		}
		room -= n
	}
	return room
}

// affordable is how many executions of a folder credits_per_day still allows while so many are in hand. What may have been created
// and is not yet known counts as spent.
func (a *Agent) affordable(f *folder, counts map[string]map[store.State]int, busy map[*folder]int) int {
	limit := a.Config.Limits.CreditsPerDay
	if limit == 0 {
		return noLimit
	}
	left := a.creditsLeft(limit)
	cost := a.account.price(f.Workflow)
	if left < max(cost, 1) {
		if counts[f.Name][store.Uploaded] > 0 {
			a.troubles.raise(CreditsLimit, "", fmt.Sprintf("%d of %d are left", max(left, 0), limit), "")
		}
		return 0
	}
	a.troubles.clear(CreditsLimit, "")
	if cost == 0 { // the first one asks for its price
		return 1 - busy[f]
	}
	for _, other := range a.folders {
		price := cmp.Or(a.account.price(other.Workflow), cost) // as good a guess as any until it is known
		left -= price * (busy[other] + counts[other.Name][store.Submitting])
	}
	return left / cost
}

// creditsLeft is what is left of today's limit.
func (a *Agent) creditsLeft(limit int) int {
	spent, err := a.Ledger.Credits(time.Now())
	if err != nil {
		return 0
	}
	return limit - spent
}

// submit creates the job's execution: uploaded → submitting → processing. That it is about to is in the ledger before the call is
// made. When the answer does not say whether the call was handled, the job stays in submitting, which is lookup's.
func (a *Agent) submit(ctx context.Context, f *folder, job store.Job) error {
	before := a.account.price(f.Workflow)
	flow, err := a.workflow(ctx, f)
	if err != nil {
		return err
	}
	if done, err := a.adopt(ctx, f, job, a.known.byLabel(job.ID), "execution found by its label"); done || err != nil {
		return err
	}
	if a.login.shut() { // the try: it must cost no intent
		if _, err := a.api.Balance(ctx); err != nil {
			return err
		}
	}
	if limit := a.Config.Limits.CreditsPerDay; limit > 0 && (flow.price > before || a.creditsLeft(limit) < flow.price) {
		return errLater // at a higher price it is to be seen anew how many are affordable
	}
	if done, err := a.reuse(f, job, flow); done || err != nil {
		return err
	}
	defer a.claims.Delete(job.SHA256)
	if sharesResults(a.Config, f.Folder) {
		same := a.known.byContent(content{f.Workflow, flow.version, job.SHA256})
		if done, err := a.adopt(ctx, f, job, same, "execution of the same picture found in the account"); done || err != nil {
			return err
		}
	}
	labels, err := a.labels(f, job)
	if err != nil {
		return err
	}
	if job, err = a.step(job, store.Submitting, "", func(j *store.Job) { j.Batch = labels[labelBatch] }); err != nil {
		return err
	}
	id, err := a.api.Create(ctx, autoretouch.NewExecution{
		Workflow: f.Workflow, Version: f.WorkflowVersion,
		Name: path.Base(job.Path), ContentHash: job.SHA256, ContentType: job.ContentType,
		Labels: labels, Settings: f.Settings, Webhooks: a.webhooks,
	})
	if err != nil {
		return a.notCreated(f, job, err)
	}
	a.apiWorks(&a.stage(store.Uploaded).gate)
	a.workflowWorks(f)
	return a.created(f, job, id, flow.price, "execution created")
}

// labels are those of the job's execution.
func (a *Agent) labels(f *folder, job store.Job) (map[string]string, error) {
	labels := map[string]string{labelJob: job.ID}
	maps.Copy(labels, f.Labels)
	group, name, ok := order(f, job)
	if !ok {
		return labels, nil
	}
	batch, err := a.rows.Batch(f.Name, group, orderIdle)
	if err != nil {
		return nil, asLedger(err)
	}
	labels[labelBatch], labels[labelBatchName] = batch.ID, name
	labels[labelBatchCreated] = batch.CreatedAt.UTC().Format(time.RFC3339)
	return labels, nil
}

// order tells to which order of its hot folder a job belongs, and what people call that.
func order(f *folder, job store.Job) (group, name string, ok bool) {
	switch f.Batch {
	case config.BatchSubfolder:
		dir := path.Dir(job.Path)
		if dir == "." {
			return dir, f.Name, true
		}
		return dir, strings.ToValidUTF8(dir, "_"), true
	case config.BatchDay:
		day := job.DiscoveredAt.Local().Format(time.DateOnly)
		return day, f.Name + " " + day, true
	}
	return "", "", false
}

// OrderName is what people call the order to which a job of that hot folder belongs; "" when it is in none.
func OrderName(f config.Folder, job store.Job) string {
	_, name, _ := order(&folder{Folder: f}, job)
	return name
}

// created writes down the execution that carries the job's label.
func (a *Agent) created(f *folder, job store.Job, execution string, price int, how string) error {
	_, err := a.step(job, store.Processing, how, func(j *store.Job) {
		j.Execution, j.Workflow, j.Credits = execution, f.Workflow, price
		j.Attempts, j.Retries, j.Error = 1, 0, ""
	})
	if err == nil {
		f.log.Info(how, "file", job.Path, "job", job.ID, "execution", execution)
	}
	return err
}

// notCreated puts the job back where it was, if it is sure that no execution was created.
func (a *Agent) notCreated(f *folder, job store.Job, err error) error {
	if autoretouch.MaybeHandled(err) {
		ring(a.lookups)
		return err
	}
	back, why := store.Uploaded, "not created: "+err.Error()
	if errors.Is(err, autoretouch.ErrNoImage) {
		back, why = store.Queued, "the API no longer holds the picture"
	}
	if _, stepErr := a.step(job, back, why, nil); stepErr != nil {
		return stepErr
	}
	if back == store.Queued {
		return nil
	}
	return err
}

// reuse spares the job an execution when the same content was processed the same way before. While it still is, the job waits.
func (a *Agent) reuse(f *folder, job store.Job, flow price) (done bool, err error) {
	if f.Duplicates != config.Reuse {
		return false, nil
	}
	if _, claimed := a.claims.LoadOrStore(job.SHA256, job.ID); claimed {
		return false, errLater
	}
	defer func() {
		if done || err != nil {
			a.claims.Delete(job.SHA256)
		}
	}()
	var waits bool
	twin, found, err := a.Ledger.SameContent(job.SHA256, func(j store.Job) bool {
		if j.ID == job.ID || !a.sameWork(f, j) {
			return false
		}
		waits = waits || inFlight(j)
		done := j.State == store.Delivered || j.State == store.Downloading && j.Error == waitsForOrder
		return done && j.Result.Path != "" && j.Workflow == f.Workflow && j.Version == flow.version
	})
	switch {
	case err != nil:
		return false, asLedger(err)
	case found:
		_, err = a.step(job, store.Downloading, "the same picture as "+twin.Path+", which is paid for", func(j *store.Job) {
			j.Execution, j.Workflow, j.Version, j.Result = twin.Execution, twin.Workflow, twin.Version, twin.Result
		})
		if err == nil {
			f.log.Info("the same picture is paid for, its result is used", "file", job.Path, "job", job.ID, "same", twin.Path)
		}
		return true, err
	case waits:
		return false, errLater
	}
	return false, nil
}

// sameWork tells whether the job's folder has its pictures processed as f does.
func (a *Agent) sameWork(f *folder, j store.Job) bool {
	other := a.folder(j.Folder)
	return other != nil && (other == f || other.Workflow == f.Workflow && other.WorkflowVersion == f.WorkflowVersion &&
		reflect.DeepEqual(other.Settings, f.Settings))
}

func inFlight(j store.Job) bool {
	switch j.State {
	case store.Submitting, store.Processing, store.InQA, store.PaymentRequired, store.Downloading:
		return true
	}
	return false
}

func (a *Agent) folder(name string) *folder {
	for _, f := range a.folders {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// workflowWorks says that the API accepts the folder's workflow.
func (a *Agent) workflowWorks(f *folder) {
	f.workflow.passed()
	a.troubles.clear(WorkflowRefused, f.Name)
}
