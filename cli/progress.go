package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"hotfolder/agent"
)

// progress tells in lines how a run with --once goes on, and what came of it.
type progress struct {
	out   io.Writer // nil: somebody else tells
	since time.Time
	sum   agent.Progress
	begun bool
	told  string // the last line
}

// watch tells how things stand until ctx ends.
func (p *progress) watch(ctx context.Context, status func(context.Context) (agent.Status, error)) {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		ended := ctx.Err() != nil
		if now, err := status(context.WithoutCancel(ctx)); err == nil { // the agent says what is wrong with the ledger
			p.take(now)
		}
		if ended {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (p *progress) take(now agent.Status) {
	p.begun, p.sum = true, agent.Progress{}
	var parts []string
	for _, f := range now.Folders {
		p.sum = p.sum.Plus(*f.Progress)
		parts = append(parts, fmt.Sprintf("%s %d of %d", visible(f.Name), f.Progress.Done(), f.Progress.Total()))
	}
	if line := strings.Join(parts, ", "); p.out != nil && line != p.told && p.sum.Total() > 0 {
		fmt.Fprintln(p.out, line)
		p.told = line
	}
}

// summary is what came of the run, which returned err, in a line.
func (p *progress) summary(err error) string {
	switch {
	case p.sum.Total() == 0 && err == nil:
		return "nothing to do"
	case p.sum.Total() == 0: // there may be: err says why that is not known
		return "nothing was done"
	}
	s := fmt.Sprintf("%d delivered, %d failed", p.sum.Delivered, p.sum.Failed)
	if p.sum.Waiting > 0 {
		s += fmt.Sprintf(", %d waiting", p.sum.Waiting)
	}
	return s + " in " + roughly(time.Since(p.since))
}
