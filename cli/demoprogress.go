package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"hotfolder/agent"
	"hotfolder/store"
)

// news finds out what happened to the jobs since it was last asked.
type news struct {
	desk agent.Desk
	told map[string]int // by job: how many of its events were told
}

// tell calls each with every event that is new, and returns all jobs.
func (n *news) tell(ctx context.Context, each func(store.Job, store.Event)) ([]store.Job, error) {
	var jobs []store.Job
	for job, err := range n.desk.Jobs(ctx, store.Filter{}) {
		if err != nil {
			return nil, err
		}
		for _, e := range job.History[n.told[job.ID]:] {
			each(job, e)
		}
		n.told[job.ID] = len(job.History)
		jobs = append(jobs, job)
	}
	return jobs, nil
}

// demoSteps is a picture's way, and demoWords says how people call a step.
var (
	demoSteps = []store.State{store.Queued, store.Uploaded, store.Submitting, store.Processing, store.Downloading, store.Delivered}
	demoWords = map[store.State]string{
		store.Queued: "found", store.Uploaded: "uploaded", store.Submitting: "ordered", store.Processing: "in work",
		store.Downloading: "retouched", store.Delivered: "delivered", store.Failed: "failed", store.Gone: "gone",
	}
)

// demoProgress shows people how the jobs come along.
type demoProgress interface {
	step(store.Job, store.Event)
	close()
}

// newDemoProgress shows a bar for each picture on a terminal, and writes a line for each step elsewhere.
func newDemoProgress(out io.Writer) demoProgress {
	if isTerminal(out) {
		return &demoBars{progress: mpb.New(mpb.WithOutput(out), mpb.WithWidth(24)), bars: map[string]*demoBar{}}
	}
	return demoLines{out}
}

type demoLines struct{ out io.Writer }

func (l demoLines) step(j store.Job, e store.Event) { fmt.Fprintln(l.out, demoLine(j, e)) }

func (l demoLines) close() {}

// demoLine tells of one step.
func demoLine(j store.Job, e store.Event) string {
	line := fmt.Sprintf("%-10s %s", cmp.Or(demoWords[e.State], string(e.State)), visible(demoName(j)))
	switch e.State {
	case store.Delivered:
		line += " → " + visible(j.Folder+"/"+j.Output)
	case store.Failed:
		line += ": " + visible(j.Error)
	}
	return line
}

// demoBars are the bars by the picture's job.
type demoBars struct {
	progress *mpb.Progress
	bars     map[string]*demoBar
}

type demoBar struct {
	*mpb.Bar
	failed atomic.Bool
}

func (b *demoBars) step(j store.Job, e store.Event) {
	bar := b.bars[j.ID]
	if bar == nil {
		bar = &demoBar{}
		bar.Bar = b.progress.AddBar(int64(len(demoSteps)),
			mpb.PrependDecorators(decor.Name(visible(demoName(j)), decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.Any(bar.state)))
		b.bars[j.ID] = bar
	}
	if i := slices.Index(demoSteps, e.State); i >= 0 {
		bar.SetCurrent(int64(i + 1))
	} else if e.State.Final() {
		bar.failed.Store(e.State == store.Failed)
		bar.Abort(false)
	}
}

func (b *demoBar) state(s decor.Statistics) string {
	switch {
	case b.failed.Load():
		return demoWords[store.Failed]
	case s.Aborted:
		return "stopped"
	}
	return demoWords[demoSteps[max(s.Current, 1)-1]]
}

// close leaves the bars as they are.
func (b *demoBars) close() {
	for _, bar := range b.bars {
		bar.Abort(false) // nothing for one that is full
	}
	b.progress.Wait()
}
