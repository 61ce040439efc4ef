package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"hotfolder/agent"
	"hotfolder/config"
	"hotfolder/store"
)

// progress shows how a run goes on: a bar for each hot folder on a terminal, lines elsewhere.
type progress struct {
	out   io.Writer
	bars  *mpb.Progress // nil: lines
	bar   map[string]*mpb.Bar
	begun bool
	since time.Time
	sum   tally
	told  string // the last line
}

// tally is what became of the pictures of a run.
type tally struct{ delivered, failed, gone, waiting int }

func (t tally) done() int  { return t.delivered + t.failed + t.gone }
func (t tally) total() int { return t.done() + t.waiting }

func (t tally) plus(u tally) tally {
	return tally{t.delivered + u.delivered, t.failed + u.failed, t.gone + u.gone, t.waiting + u.waiting}
}

// tallyOf tells what has changed from before to now.
func tallyOf(before, now map[store.State]int) tally {
	var t tally
	for _, s := range store.States {
		switch s {
		case store.Delivered:
			t.delivered = max(0, now[s]-before[s])
		case store.Failed:
			t.failed = max(0, now[s]-before[s])
		case store.Gone:
			t.gone = max(0, now[s]-before[s])
		default:
			t.waiting += now[s]
		}
	}
	return t
}

func newProgress(out io.Writer, folders []config.Folder) *progress {
	p := &progress{out: out, since: time.Now()}
	if !isTerminal(out) {
		return p
	}
	p.bars, p.bar = mpb.New(mpb.WithOutput(out), mpb.WithWidth(40)), map[string]*mpb.Bar{}
	for _, f := range folders {
		p.bar[f.Name] = p.bars.AddBar(0,
			mpb.PrependDecorators(decor.Name(visible(f.Name), decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.CountersNoUnit("%d of %d")))
	}
	return p
}

// above is where lines go that must not run into the bars.
func (p *progress) above(w io.Writer) io.Writer {
	if p.bars == nil {
		return w
	}
	return p.bars
}

// watch shows how things stand until ctx ends.
func (p *progress) watch(ctx context.Context, desk *agent.Agent, before agent.Status) {
	p.begun = true
	pace := 10 * time.Second
	if p.bars != nil {
		pace = 200 * time.Millisecond
	}
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for ; ctx.Err() == nil; p.wait(ctx, tick) {
		now, err := desk.Status(context.WithoutCancel(ctx))
		if err != nil {
			continue // the agent says what is wrong with the ledger
		}
		p.show(before, now)
	}
	if now, err := desk.Status(context.WithoutCancel(ctx)); err == nil {
		p.show(before, now)
	}
}

func (p *progress) wait(ctx context.Context, tick *time.Ticker) {
	select {
	case <-tick.C:
	case <-ctx.Done():
	}
}

func (p *progress) show(before, now agent.Status) {
	p.sum = tally{}
	var parts []string
	for i, f := range now.Folders {
		t := tallyOf(before.Folders[i].Counts, f.Counts)
		p.sum = p.sum.plus(t)
		if bar := p.bar[f.Name]; bar != nil {
			bar.SetTotal(int64(t.total()), false)
			bar.SetCurrent(int64(t.done()))
		}
		parts = append(parts, fmt.Sprintf("%s %d of %d", visible(f.Name), t.done(), t.total()))
	}
	if line := strings.Join(parts, ", "); p.bars == nil && line != p.told && p.sum.total() > 0 {
		fmt.Fprintln(p.out, line)
		p.told = line
	}
}

// end leaves the bars as they are. Nothing may be shown after it.
func (p *progress) end() {
	if p.bars == nil {
		return
	}
	for _, bar := range p.bar {
		bar.Abort(false)
	}
	p.bars.Wait()
}

// summary is what came of the run, in a line.
func (p *progress) summary() string {
	if p.sum.total() == 0 {
		return "nothing to do"
	}
	s := fmt.Sprintf("%d delivered, %d failed", p.sum.delivered, p.sum.failed)
	if p.sum.waiting > 0 {
		s += fmt.Sprintf(", %d waiting", p.sum.waiting)
	}
	return s + " in " + roughly(time.Since(p.since))
}
