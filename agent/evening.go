package agent

import (
	"context"
	"fmt"
	"strings"
	"time"

	"hotfolder/autoretouch"
	"hotfolder/config"
	"hotfolder/store"
	"hotfolder/tidy"
	"hotfolder/watcher"
)

const (
	night      = 12 * time.Hour  // that the evening check looks ahead
	nightAgain = 5 * time.Minute // between two looks, until all is well
	leastFree  = 1 << 30         // bytes on a disk, beside what waits for it
	mostSkew   = time.Minute
)

// risk is why the night may not go through.
type risk struct {
	folder     string // the hot folder, if it is one's own
	text, mend string
}

// eveningLoop looks in the evening whether the night will go through. While it will not, it looks again, so that people are told
// when it is mended; an agent that is started in the night looks, too.
func (a *Agent) eveningLoop(ctx context.Context) {
	at := a.Config.EveningCheck
	if at == "" || a.once {
		return
	}
	var well, looked time.Time // the evening that was found to be well, and the last look
	for ctx.Err() == nil {
		now := time.Now()
		switch evening := at.Last(now); {
		case now.Sub(evening) >= night:
			a.tellRisks(nil)
		case !evening.Equal(well) && now.Sub(looked) >= nightAgain:
			looked = now
			if a.lookAtNight(ctx, evening.Add(night)) {
				well = evening
			}
		}
		pause(ctx, min(time.Minute, at.Next(now).Sub(now)), nil) // a computer that slept wakes up to another time
	}
}

// lookAtNight tells what stands against the night, and whether that is nothing.
func (a *Agent) lookAtNight(ctx context.Context, morning time.Time) (well bool) {
	counts, err := a.Ledger.Counts()
	if err != nil {
		return false
	}
	risks, known := a.creditRisks(ctx, counts, morning)
	for _, f := range a.folders {
		risks = append(risks, a.folderRisks(f)...)
	}
	risks = append(risks, a.spaceRisk("", "data_dir", a.Config.DataDir, 0)...)
	if skew := a.api.Skew().Abs(); skew >= mostSkew {
		risks = append(risks, risk{"", "this computer's clock is " + tidy.Span(skew) + " off AutoRetouch's", "set the clock"})
	}
	if ctx.Err() != nil {
		return false
	}
	a.tellRisks(risks)
	well = len(risks) == 0 && known
	a.log.Info("looked at the night ahead", "well", well, "risks", len(risks))
	return well
}

// tellRisks raises the trouble of each hot folder, and of the whole, and clears those of the others.
func (a *Agent) tellRisks(risks []risk) {
	texts, mends := map[string][]string{}, map[string][]string{}
	for _, r := range risks {
		texts[r.folder] = append(texts[r.folder], r.text)
		mends[r.folder] = append(mends[r.folder], r.mend)
	}
	folders := []string{""}
	for _, f := range a.folders {
		folders = append(folders, f.Name)
	}
	for _, name := range folders {
		if len(texts[name]) > 0 {
			a.troubles.raise(NightAtRisk, name, strings.Join(texts[name], "; "), strings.Join(mends[name], "; "))
		} else {
			a.troubles.clear(NightAtRisk, name)
		}
	}
}

// creditRisks holds what waits against the credits. What the API says against the login or a workflow is a trouble of its own;
// then it is not known.
func (a *Agent) creditRisks(ctx context.Context, counts map[string]map[store.State]int, morning time.Time) (risks []risk, known bool) {
	balance, err := a.api.Balance(ctx)
	pictures, cost := 0, 0
	for _, f := range a.folders {
		n := unpaid(counts[f.Name])
		if n == 0 || err != nil {
			continue
		}
		var flow price
		if flow, err = a.workflow(ctx, f); err != nil {
			a.apiTrouble(&a.asking, f, err)
			break
		}
		pictures += n
		cost += n * flow.price
	}
	if err != nil {
		if c := autoretouch.ClassOf(err); c == autoretouch.Auth {
			a.apiTrouble(&a.asking, nil, err)
			return nil, false
		} else if c != autoretouch.Transient {
			return nil, false
		}
		return []risk{{"", "AutoRetouch cannot be reached", "check the network"}}, false
	}
	if cost > balance {
		risks = append(risks, risk{"", stops(pictures, cost, balance), "buy credits"})
	}
	if limit := a.Config.Limits.CreditsPerDay; limit > 0 {
		allowed := max(0, a.creditsLeft(limit))
		if now := time.Now(); now.Day() != morning.In(now.Location()).Day() { // it begins anew at midnight
			allowed += limit
		}
		if cost > allowed {
			risks = append(risks, risk{"", stops(pictures, cost, allowed) + " by credits_per_day", "raise limits.credits_per_day"})
		}
	}
	return risks, true
}

// unpaid counts the pictures that are still to be paid for. Those whose content is known already will cost nothing.
func unpaid(counts map[store.State]int) int {
	return counts[store.Queued] + counts[store.Uploaded] + counts[store.PaymentRequired]
}

func stops(pictures, cost, credits int) string {
	credits = max(0, credits)
	return fmt.Sprintf("tonight will stop after %s of %s: %s short",
		tidy.Number(pictures*credits/cost), tidy.Count(pictures, "picture"), tidy.Count(cost-credits, "credit"))
}

// folderRisks tries what the night will need of a hot folder's disks. What is known to be wrong with them already is told already.
func (a *Agent) folderRisks(f *folder) (risks []risk) {
	add := func(err error, what, mend string) {
		if err != nil {
			risks = append(risks, risk{f.Name, what + ": " + reason(err), mend})
		}
	}
	if !a.troubles.has(InputOffline, f.Name) && !a.troubles.has(InputClaimed, f.Name) {
		add(f.probe.within(probeTime, func() error { return watcher.NewRoot(f.Input, a.mounts.of(f.Input)).Check() }),
			"the input folder cannot be reached", "connect the share or disk")
	}
	if a.troubles.has(OutputUnwritable, f.Name) {
		return risks
	}
	err := f.probe.within(probeTime, func() error { return a.tryOutput(f) })
	add(err, "results cannot be written to the output folder", "connect it, make room on it or give the right to write")
	if err == nil {
		risks = append(risks, a.spaceRisk(f.Name, "the output folder", f.Output, a.bytesWaiting(f))...)
	}
	if f.AfterSuccess == config.Move {
		add(f.probe.within(probeTime, func() error { return a.mayFill(f.Processed) }), "the folder of processed originals cannot be reached", "connect it")
	}
	return risks
}

// tryOutput writes a file into the output folder and removes it.
func (a *Agent) tryOutput(f *folder) error {
	if err := f.out.Check(); err != nil {
		return err
	}
	part, err := createPart(a.disk, f.Output, "evening")
	if err != nil {
		return err
	}
	defer part.discard()
	if _, err := part.Write([]byte("hotfolder was here\n")); err != nil {
		return err
	}
	return part.flush()
}

// bytesWaiting is the size of a folder's pictures that have no result yet; their results are about as large.
func (a *Agent) bytesWaiting(f *folder) (n int64) {
	for _, state := range store.States {
		if state.Final() {
			continue
		}
		for job, err := range a.Ledger.Jobs(store.Filter{State: state, Folder: f.Name}) {
			if err != nil {
				return n // the ledger's trouble, which who writes to it tells
			}
			n += job.Size
		}
	}
	return n
}

func (a *Agent) spaceRisk(folder, what, dir string, need int64) []risk {
	if a.freeSpace == nil {
		return nil
	}
	free, err := a.freeSpace(dir)
	if err != nil || free >= uint64(need)+leastFree { // a disk that does not say is not known to be full
		return nil
	}
	text := fmt.Sprintf("the disk of %s has only %s free", what, tidy.Bytes(int64(free)))
	if need > 0 {
		text += fmt.Sprintf(", and pictures of %s wait", tidy.Bytes(need))
	}
	return []risk{{folder, text, "make room on it"}}
}

// probeTime is how long a file system may take to answer.
const probeTime = 15 * time.Second

// probe makes calls to a file system that may hang for ever. A call that does is left behind, and no other is made until it is
// answered; so there is one at most.
type probe struct{ slot chan struct{} }

func newProbe() probe { return probe{make(chan struct{}, 1)} }

func (p probe) within(d time.Duration, do func() error) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case p.slot <- struct{}{}:
	case <-t.C:
		return watcher.ErrNoAnswer
	}
	return watcher.Within(d, func(func()) error {
		defer func() { <-p.slot }()
		return do()
	})
}
