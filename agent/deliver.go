package agent

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"hotfolder/autoretouch"
	"hotfolder/config"
	"hotfolder/store"
	"hotfolder/watcher"
)

// deliver brings the job's result under its final name: downloading → delivered. The name is the job's in the ledger before
// anything is written, so after a crash a file of that name with the right content is known to be this result.
func (a *Agent) deliver(ctx context.Context, f *folder, job store.Job) error {
	if err := a.outputThere(f); err != nil {
		return err
	}
	if f.Deliver == config.DeliverOrder && job.Output == "" && job.DeliveredAt.IsZero() && job.Retries != accepted {
		result, err := a.download(ctx, f, job, f.partDir(job))
		if err != nil {
			return err
		}
		defer result.discard()
		return a.hold(f, job, result)
	}
	job, at, err := a.claim(ctx, f, job)
	if err != nil {
		return err
	}
	if at == occupied {
		if err := removePart(a.disk, f.partDir(job), job.ID); err != nil {
			return &outputError{err}
		}
		return a.notWritten(ctx, f, job)
	}
	final := f.outputPath(job.Output)
	if at == present {
		if err := removePart(a.disk, filepath.Dir(final), job.ID); err != nil {
			return &outputError{err}
		}
		if err := a.disk.SyncDir(filepath.Dir(final)); err != nil { // what was here before may have ended in between
			return &outputError{err}
		}
		return a.delivered(ctx, f, job, "", job.Output)
	}
	result, err := a.download(ctx, f, job, filepath.Dir(final))
	if err != nil {
		return err
	}
	defer result.discard()
	if job, at, err = a.rename(ctx, f, job, at, result); err != nil {
		return err
	}
	if at == occupied || at == present {
		return errLater // begin again with the new claim
	}
	if err := a.disk.SyncDir(filepath.Dir(f.outputPath(job.Output))); err != nil {
		return &outputError{err}
	}
	return a.delivered(ctx, f, job, "", job.Output)
}

// download downloads the job's result into a part in dir, checks it, and flushes it. A result that cannot be right is held back.
func (a *Agent) download(ctx context.Context, f *folder, job store.Job, dir string) (_ *part, err error) {
	if err := makeDir(a.disk, dir); err != nil {
		return nil, &outputError{fmt.Errorf("create the output folder: %w", err)}
	}
	result, err := createPart(a.disk, dir, job.ID)
	if err != nil {
		return nil, &outputError{err}
	}
	defer func() {
		if err != nil {
			result.discard()
		}
	}()
	if err := a.fetch(ctx, f, job, result); err != nil {
		return nil, err
	}
	if err := result.flush(); err != nil {
		return nil, &outputError{err}
	}
	if err := a.outputThere(f); err != nil { // the download may have taken long
		return nil, err
	}
	why, err := f.guard(job, result.path)
	if err != nil {
		return nil, &outputError{fmt.Errorf("look at the result: %w", err)}
	}
	if why != "" || f.out.Network() != "" {
		if err := readsBack(ctx, result.path, job.Result.SHA256); err != nil {
			return nil, &outputError{err}
		}
	}
	if why != "" {
		return nil, a.holdBack(ctx, f, job, result, why)
	}
	return result, nil
}

// readsBack tells whether a flushed part holds what was written. A share that was away can have lost some of it without a word, or have
// done late what an earlier try had asked for. Elsewhere only what looks wrong is read: it would come from memory.
func readsBack(ctx context.Context, file, want string) error {
	sum, err := sumOf(ctx, file)
	if err == nil && sum != want {
		err = fmt.Errorf("%s reads back other than it was written", file)
	}
	return err
}

// rename gives a flushed part the name that the job claimed, or the next one that is free, not yet durably. When another claim
// shows something that stays (occupied) or this very result (present), the part keeps its own.
func (a *Agent) rename(ctx context.Context, f *folder, job store.Job, at place, result *part) (store.Job, place, error) {
	for {
		err := a.renameOnce(ctx, f, job, at, result)
		switch {
		case err == nil && at == older:
			job, err = a.takeOver(f, job)
			return job, at, err
		case !errors.Is(err, fs.ErrExist):
			return job, at, err
		}
		if job, at, err = a.claimNext(ctx, f, job); err != nil || at == occupied || at == present {
			return job, at, err
		}
	}
}

// renameOnce fails with fs.ErrExist when what has the name is not, or no longer, what may be replaced.
func (a *Agent) renameOnce(ctx context.Context, f *folder, job store.Job, at place, result *part) error {
	if at == older { // it was looked at before the download
		now, err := a.lookAtName(ctx, f, job, job.Output)
		if err != nil {
			return err
		}
		if now != older {
			return fs.ErrExist
		}
	}
	return asOutput(result.rename(f.outputPath(job.Output), at != vacant))
}

// outputThere tells whether the output folder can be written to now. It is never created: it may be a share that is not mounted.
func (a *Agent) outputThere(f *folder) error {
	if err := f.out.Check(); err != nil {
		return &outputError{err}
	}
	a.mounts.learn(f.Output, f.out.Mount())
	return nil
}

// fetch downloads the result into part and checks it.
func (a *Agent) fetch(ctx context.Context, f *folder, job store.Job, part *part) error {
	if err := a.fetching.take(ctx, f); err != nil {
		return err
	}
	defer a.fetching.give()
	_, err := a.api.Download(ctx, job.Result.Path, a.fetching.writer(f, part))
	if part.err != nil {
		return &outputError{part.err}
	}
	if errors.Is(err, autoretouch.ErrNotFound) {
		return a.resultGone(ctx, f, job, err)
	}
	if err != nil {
		return err
	}
	a.apiWorks(&a.stage(store.Downloading).gate)
	if got := hex.EncodeToString(part.hash.Sum(nil)); got != job.Result.SHA256 {
		return &damagedError{got, job.Result.SHA256}
	}
	return nil
}

// resultGone asks anew where the result is; a job whose result the API no longer has is given up after some tries.
func (a *Agent) resultGone(ctx context.Context, f *folder, job store.Job, cause error) error {
	e, err := a.api.Execution(ctx, job.Execution)
	if err != nil && !errors.Is(err, autoretouch.ErrNotFound) {
		return err
	}
	if err == nil && e.ResultPath != "" && e.ResultPath != job.Result.Path {
		if _, err := a.note(job.ID, func(j *store.Job) { j.Result = resultOf(e) }); err != nil {
			return err
		}
		return errLater
	}
	if a.stage(store.Downloading).failures(job.ID) < goneAfter {
		return cause // the API may only be late
	}
	if job.Attempts == 0 && job.DeliveredAt.IsZero() {
		return a.processAnew(job)
	}
	a.fail(f, job, "AutoRetouch no longer has the result of execution "+job.Execution+": ask its support, then 'hotfolder retry "+job.ID+"'")
	return errGivenUp
}

// processAnew gives a job that was to have another one's result an execution of its own, because that result is gone.
func (a *Agent) processAnew(job store.Job) error {
	shares := func(j store.Job) bool {
		return j.State == store.Delivered && j.Execution == job.Execution && j.Result.Path != ""
	}
	for {
		other, found, err := a.Ledger.SameContent(job.SHA256, shares)
		if err != nil {
			return asLedger(err)
		}
		if !found {
			break
		}
		if _, err := a.note(other.ID, func(j *store.Job) { j.Result.Path = "" }); err != nil { // nobody is to reuse it again
			return err
		}
	}
	const why = "AutoRetouch no longer has the result of the same picture"
	job, err := a.step(job, store.Failed, why, func(j *store.Job) { j.Error = why })
	if err != nil {
		return err
	}
	_, err = a.step(job, store.Queued, "processed anew", func(j *store.Job) {
		j.Execution, j.Result, j.Output, j.Error = "", store.Result{}, "", ""
	})
	return cmp.Or(err, errGivenUp)
}

// goneAfter is how many tries in a row a result must be missing: some minutes.
const goneAfter = 8

// delivered writes down that the result is durable, after the original has found its place.
func (a *Agent) delivered(ctx context.Context, f *folder, job store.Job, detail, output string) error {
	left := ""
	if err := a.putAway(ctx, f, job); ctx.Err() != nil {
		return ctx.Err()
	} else if err != nil { // no reason to hold the result back
		left = "the original stays in the input folder: " + reason(err)
		a.troubles.raise(OriginalStuck, f.Name, reason(err), "")
	}
	job, err := a.step(job, store.Delivered, detail, func(j *store.Job) { j.Error, j.Output = left, output })
	if err != nil {
		return err
	}
	if left != "" {
		f.left.add(job.ID)
	}
	a.outputWorks(f)
	f.rate.add(job.DeliveredAt)
	a.deliveries.Add(1)
	f.log.Info("delivered", "file", job.Path, "job", job.ID, "output", job.Output)
	return nil
}

// notWritten is delivered for a result whose name something else keeps.
func (a *Agent) notWritten(ctx context.Context, f *folder, job store.Job) error {
	return a.delivered(ctx, f, job, "not written: something else has the name "+f.resultName(job, firstChoice), "")
}

// takeOver gives the job the name that its result took from an older one, once that is durable. After a crash before that the file
// tells whose it is: the name's owner's still, or this job's.
func (a *Agent) takeOver(f *folder, job store.Job) (store.Job, error) {
	if err := a.disk.SyncDir(filepath.Dir(f.outputPath(job.Output))); err != nil {
		return job, &outputError{err}
	}
	if err := a.letGo(f, job.Output); err != nil {
		return job, err
	}
	return a.note(job.ID, func(j *store.Job) { j.Output = job.Output })
}

// letGo has a name be nobody's.
func (a *Agent) letGo(f *folder, name string) error {
	owner, err := a.Ledger.OwnerOf(f.Name, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return asLedger(err)
	}
	_, err = a.note(owner.ID, func(j *store.Job) { j.Output = "" })
	return err
}

// place says what is at a name that a job claims.
type place int

const (
	vacant      place = iota
	present           // this very result
	replaceable       // something that the result replaces
	older             // an older result of the same file that the result replaces; the name is the older one's until then
	earlier           // the result of another version of the file, which stays
	occupied          // something that stays, and no other name is to be tried
)

// claim reserves a name for the job's result in the ledger, or returns the one that it has.
func (a *Agent) claim(ctx context.Context, f *folder, job store.Job) (store.Job, place, error) {
	if job.Output == "" {
		return a.claimNext(ctx, f, job)
	}
	sum, err := sumOf(ctx, f.outputPath(job.Output))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return job, vacant, nil
	case err != nil:
		return job, vacant, &outputError{err}
	case sum == job.Result.SHA256:
		return job, present, nil
	}
	return a.claimNext(ctx, f, job)
}

// mostNames bounds the search for a free name.
const mostNames = 100_000

// claimNext reserves the first name that is free, or that may be replaced.
func (a *Agent) claimNext(ctx context.Context, f *folder, job store.Job) (store.Job, place, error) {
	c := firstChoice
	for tries := 0; tries < mostNames && ctx.Err() == nil; tries++ {
		name := f.resultName(job, c)
		at, err := a.lookAtName(ctx, f, job, name)
		switch {
		case err != nil:
			return job, at, err
		case at == earlier:
			c = c.nextVersion()
			continue
		case at == occupied && f.OnConflict == config.Skip && job.DeliveredAt.IsZero():
			return job, occupied, nil
		case at == occupied:
			c = c.next()
			continue
		case at == older:
			job.Output = name
			return job, older, nil
		}
		claimed, err := a.note(job.ID, func(j *store.Job) { j.Output = name })
		if !errors.Is(err, store.ErrTaken) {
			return claimed, at, err
		}
		c = c.next()
	}
	return job, occupied, &outputError{fmt.Errorf("no free name like %s", f.resultName(job, firstChoice))}
}

// lookAtName tells what a result would meet under a name. Of what is there, an older result of the same file is replaced if it is
// still as it was delivered, unless the folder keeps versions; anything else only where the folder says overwrite, and never the
// result of another file. A result that is delivered again replaces nothing.
func (a *Agent) lookAtName(ctx context.Context, f *folder, job store.Job, name string) (place, error) {
	owner, err := a.Ledger.OwnerOf(f.Name, name)
	owned := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return vacant, asLedger(err)
	}
	if owned && owner.Path == job.Path && owner.ID != job.ID && f.Versions == config.VersionsKeep {
		return earlier, nil
	}
	again := !job.DeliveredAt.IsZero()
	if owned && owner.ID != job.ID && again || owned && (owner.Path != job.Path || owner.State != store.Delivered && owner.ID != job.ID) {
		return occupied, nil
	}
	sum, err := sumOf(ctx, f.outputPath(name))
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return vacant, &outputError{err}
	}
	if !missing && sum == "" {
		return occupied, nil // a folder, say
	}
	at := replaceable
	switch ofOlder := owned && owner.ID != job.ID; {
	case missing:
		at = vacant
	case sum == job.Result.SHA256:
		at = present // delivered by an agent whose ledger is lost, or that died before it wrote it down, or by a share that reported a failure
	case ofOlder && sum == owner.Result.SHA256:
		return older, nil
	case again || f.OnConflict != config.Overwrite:
		return occupied, nil
	}
	if owned && owner.ID != job.ID {
		return at, a.letGo(f, name)
	}
	return at, nil
}

// sumOf is the hex SHA-256 of a file; "" for what is there but is no file.
func sumOf(ctx context.Context, file string) (string, error) {
	return sumBy(file, func(r io.ReadSeeker) (string, error) { return sha(ctx, r) })
}

func sumBy(file string, sum func(io.ReadSeeker) (string, error)) (string, error) {
	info, err := os.Lstat(file)
	if err != nil || !info.Mode().IsRegular() {
		return "", err
	}
	r, err := watcher.Open(file)
	if err != nil {
		return "", err
	}
	defer r.Close()
	return sum(r)
}
