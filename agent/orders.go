package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/sync/errgroup"

	"hotfolder/config"
	"hotfolder/store"
)

// With deliver: order the results of a subfolder appear together. Each is downloaded and checked as soon as it is there, and lies
// under the hidden name of its part, durably, before its job is held in the ledger. When all the others are finished, or time is
// up, names are claimed in the ledger, all the parts get them, the list is written, and then the jobs are delivered: in this order,
// so that whatever is broken off is done again from where it was, by what the ledger and the disk say.

const (
	waitsForOrder = "waits for the other pictures of its order"
	orderLook     = 2 * time.Second  // between two looks at the orders that wait
	orderQuiet    = 10 * time.Second // besides settle: how long no further picture of an order was found when it is taken for whole
)

// hold keeps a result that is flushed until its order is delivered.
func (a *Agent) hold(f *folder, job store.Job, result *part) error {
	if err := a.disk.SyncDir(filepath.Dir(result.path)); err != nil {
		return &outputError{err}
	}
	if err := a.rows.Hold(job.ID, waitsForOrder); err != nil {
		return asLedger(err)
	}
	result.path = "" // to stay
	a.ledgerWorks()
	a.outputWorks(f)
	f.log.Info("result is here, "+waitsForOrder, "file", job.Path, "job", job.ID)
	ring(f.orders)
	return nil
}

// partDir is the folder in which the part of a result lies that is held: that of all the names that it may get.
func (f *folder) partDir(job store.Job) string {
	return filepath.Dir(f.outputPath(f.resultName(job, firstChoice)))
}

// orderLoop delivers the orders of a hot folder; where there are to be none, those that are held since there were.
func (a *Agent) orderLoop(ctx, work context.Context, f *folder) {
	for ctx.Err() == nil {
		wait := orderLook
		held, err := a.deliverOrders(work, f)
		if err == nil {
			a.notRefused(f, "")
		}
		switch {
		case work.Err() != nil:
			return
		case isOutput(err):
			a.outputTrouble(f, "", err)
		case errors.Is(err, errLater): // the output folder is in trouble
		case err != nil:
			a.ledgerTrouble(err)
		case held == 0 && f.Deliver != config.DeliverOrder:
			return
		case held == 0:
			wait = idleLook
		}
		pause(ctx, wait, ringsFor(held, f))
	}
}

// ringsFor is the bell that is listened to while nothing is held: each result of a large order rings it.
func ringsFor(held int, f *folder) <-chan struct{} {
	if held > 0 {
		return nil
	}
	return f.orders
}

// deliverOrders delivers those that are due, and tells how many results were held.
func (a *Agent) deliverOrders(ctx context.Context, f *folder) (held int, err error) {
	orders, err := a.Ledger.Orders(f.Name)
	if err != nil {
		return 0, asLedger(err)
	}
	stuck := 0
	for _, name := range slices.Sorted(maps.Keys(orders)) {
		o := orders[name]
		held += o.Held
		due, wrong := a.isDue(f, name, o)
		switch {
		case wrong != nil:
		case !due:
			if a.waitsForPeople(f, o) {
				stuck += o.Held
			}
		case f.output.room(time.Now()) > 0:
			wrong = a.deliverOrder(ctx, f, name, o)
		default:
			wrong = errLater
		}
		err = cmp.Or(err, wrong)
	}
	f.stuck.Store(int64(stuck))
	return held, err
}

// isDue tells whether an order is to be delivered now: all of it is there, time is up, or its delivery has begun.
func (a *Agent) isDue(f *folder, name string, o *store.Order) (bool, error) {
	last, err := a.Ledger.LastRelease(f.Name, name)
	if err != nil {
		return false, asLedger(err)
	}
	if o.First <= last.Last || f.Deliver != config.DeliverOrder || time.Since(o.Completed) >= f.DeliverAfter {
		return true, nil
	}
	switch {
	case len(o.Open) > 0:
		return false, nil
	case f.looked.Load(): // what comes later is not this run's
	case time.Since(o.Found) < f.Settle+orderQuiet, f.offline.Load():
		return false, nil
	default:
		pending, err := f.watch.Pending(name, func(path string) bool { return a.isUnreadable(f, path) })
		if err != nil || pending { // what can't be looked at may hold more
			return false, nil
		}
	}
	orders, err := a.Ledger.Orders(f.Name) // which now has what was taken after o was read
	if err != nil {
		return false, asLedger(err)
	}
	now := orders[name]
	return now != nil && len(now.Open) == 0 && now.Last == o.Last && now.Found.Equal(o.Found), nil
}

// isUnreadable tells whether a file failed because it could not be read: the watcher goes on asking for it.
func (a *Agent) isUnreadable(f *folder, path string) bool {
	job, err := a.Ledger.ByPath(f.Name, path)
	return err == nil && job.State == store.Failed && job.SHA256 == ""
}

// waitsForPeople tells whether an order cannot become whole by itself.
func (a *Agent) waitsForPeople(f *folder, o *store.Order) bool {
	if f.offline.Load() {
		return true
	}
	for state, n := range o.Open {
		if !a.needsPerson(f, state) && !(state == store.Downloading && n <= count(&f.damaged)) {
			return false
		}
	}
	return len(o.Open) > 0
}

// deliverOrder delivers what is held of an order.
func (a *Agent) deliverOrder(ctx context.Context, f *folder, name string, o *store.Order) error {
	if err := a.outputThere(f); err != nil {
		return err
	}
	release, err := a.Ledger.LastRelease(f.Name, name)
	if err != nil {
		return asLedger(err)
	}
	if o.First > release.Last {
		release = store.Release{Last: o.Last, At: time.Now(), Before: release.At}
		if err := a.rows.SetRelease(f.Name, name, release); err != nil {
			return asLedger(err)
		}
	}
	claim := func(ctx context.Context, job store.Job) error {
		_, _, err := a.claim(ctx, f, job)
		return err
	}
	if err := a.eachHeld(ctx, f, name, release, claim); err != nil { // all of them first: no rename waits for the ledger
		return err
	}
	var folders sync.Map // in which names are new
	if err := a.eachHeld(ctx, f, name, release, func(ctx context.Context, job store.Job) error { return a.unveil(ctx, f, job, &folders) }); err != nil {
		return err
	}
	for dir := range folders.Range {
		if err := a.disk.SyncDir(dir.(string)); err != nil {
			return &outputError{err}
		}
	}
	if !release.Listed && f.Deliver == config.DeliverOrder {
		if err := a.writeList(ctx, f, name, release); err != nil {
			return err
		}
	}
	if !release.Listed {
		release.Listed = true
		if err := a.rows.SetRelease(f.Name, name, release); err != nil {
			return asLedger(err)
		}
	}
	return a.eachHeld(ctx, f, name, release, func(ctx context.Context, job store.Job) error {
		if job.Output == "" {
			return a.notWritten(ctx, f, job)
		}
		return a.delivered(ctx, f, job, "", job.Output)
	})
}

// eachHeld does something to all results that a release delivers, several at once.
func (a *Agent) eachHeld(ctx context.Context, f *folder, order string, r store.Release, do func(context.Context, store.Job) error) error {
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(a.stage(store.Downloading).workers)
	for job, err := range a.Ledger.Held(f.Name, order, r.Last) {
		if err != nil {
			return errors.Join(asLedger(err), all.Wait())
		}
		all.Go(func() error { return do(ctx, job) })
	}
	return all.Wait()
}

// unveil gives a held result its name; whoever calls makes the folder durable in which that is. A part that somebody removed is
// downloaded again.
func (a *Agent) unveil(ctx context.Context, f *folder, job store.Job, folders *sync.Map) error {
	job, at, err := a.claim(ctx, f, job)
	if err != nil {
		return err
	}
	held := heldPart(a.disk, f.partDir(job), job.ID)
	switch {
	case at == occupied:
		if _, err := a.note(job.ID, func(j *store.Job) { j.Output = "" }); err != nil {
			return err
		}
		return asOutput(removePart(a.disk, f.partDir(job), job.ID))
	case at == present:
		folders.Store(filepath.Dir(f.outputPath(job.Output)), true)
		return asOutput(removePart(a.disk, f.partDir(job), job.ID))
	case isMissing(held.path):
		f.log.Warn("a result that waited for its order is gone, and downloaded again", "file", job.Path, "job", job.ID)
		if err := a.rows.Unhold(job.ID); err != nil {
			return asLedger(err)
		}
		a.stage(store.Downloading).ring()
		return nil
	}
	job, at, err = a.rename(ctx, f, job, at, held)
	if err != nil {
		return err
	}
	if at == occupied || at == present {
		return a.unveil(ctx, f, job, folders)
	}
	folders.Store(filepath.Dir(f.outputPath(job.Output)), true)
	return nil
}

// writeList writes what an order's delivery brings and what is missing: _COMPLETE.txt, or _MISSING.txt.
func (a *Agent) writeList(ctx context.Context, f *folder, order string, r store.Release) error {
	var here, missing []string
	delivers := map[string]bool{}
	for job, err := range a.Ledger.Held(f.Name, order, r.Last) {
		if err != nil {
			return asLedger(err)
		}
		delivers[job.ID] = true
		if job.Output == "" {
			missing = append(missing, printable(job.Path)+": not written, something else has the name of its result")
		} else {
			here = append(here, printable(job.Output))
		}
	}
	for _, state := range store.States {
		for job, err := range a.Ledger.Jobs(store.Filter{Folder: f.Name, State: state}) {
			if err != nil {
				return asLedger(err)
			}
			if path.Dir(job.Path) != order || delivers[job.ID] {
				continue
			}
			if why := f.whyMissing(job, r); why != "" {
				missing = append(missing, printable(job.Path)+": "+why)
			}
		}
	}
	return a.writeListOf(ctx, f, order, r, here, missing)
}

// whyMissing says why a picture is not in a delivery of its order; "" of one that is not missing in it: one that failed before the
// last delivery was told of then, unless it still lies in the input folder.
func (f *folder) whyMissing(job store.Job, r store.Release) string {
	switch job.State {
	case store.Queued, store.Uploaded:
		return "waits to be processed"
	case store.Submitting, store.Processing:
		return "AutoRetouch works on it"
	case store.InQA:
		return "waits for a person at AutoRetouch since " + job.LastStep().Local().Format("2006-01-02 15:04")
	case store.PaymentRequired:
		return "the account is out of credits"
	case store.Downloading:
		return "is on its way, and follows"
	case store.Failed:
		if job.LastStep().After(r.Before) || !isMissing(f.inputPath(job.Path)) {
			return "failed: " + printable(job.Error)
		}
	}
	return ""
}

func (a *Agent) writeListOf(ctx context.Context, f *folder, order string, r store.Release, here, missing []string) error {
	what := f.Name
	if order != "." {
		what = printable(order)
	}
	stem, text := "_COMPLETE", &strings.Builder{}
	if len(missing) > 0 {
		stem = "_MISSING"
		fmt.Fprintf(text, "%s: %d of %d pictures are missing.\r\n", what, len(missing), len(here)+len(missing))
	} else {
		fmt.Fprintf(text, "%s: all %d pictures are here.\r\n", what, len(here))
	}
	fmt.Fprintf(text, "Delivered %s.\r\n", r.At.Local().Format("2006-01-02 15:04"))
	for _, part := range []struct {
		title string
		lines []string
	}{{"Missing", missing}, {"Here", here}} {
		if len(part.lines) > 0 {
			fmt.Fprintf(text, "\r\n%s:\r\n  %s\r\n", part.title, strings.Join(part.lines, "\r\n  "))
		}
	}
	dir := f.outputPath(safeDir(runtime.GOOS == "windows", order))
	if err := makeDir(a.disk, dir); err != nil {
		return &outputError{err}
	}
	for c := firstChoice; c.n < mostNames; c = c.next() { // a further delivery has a list of its own
		if err := a.writeNote(ctx, filepath.Join(dir, stem+c.suffix()+".txt"), text.String()); !errors.Is(err, fs.ErrExist) {
			return asOutput(err)
		}
	}
	return &outputError{fmt.Errorf("no free name like %s", filepath.Join(dir, stem+".txt"))}
}

// printable is a name in a line of text.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '_'
	}, strings.ToValidUTF8(name, "_"))
}
