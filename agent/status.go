package agent

import (
	"context"
	"fmt"
	"strings"
	"time"

	"hotfolder/store"
)

// Status tells how the agent fares now.
func (a *Agent) Status(ctx context.Context) (Status, error) {
	s, err := a.Books.Status(ctx)
	if err != nil {
		return s, err
	}
	s.Troubles = append(s.Troubles, a.troubles.list()...)
	s.Lately = append(s.Lately, a.happened.list()...)
	s.Agent.Running, s.Agent.Since = true, a.since
	s.Agent.Delivered, s.Agent.Failed = int(a.deliveries.Load()), a.failed()
	s.Account.State = a.accountState()
	a.account.mu.Lock()
	if a.account.known {
		balance := a.account.balance
		s.Account.Balance = &balance
	}
	a.account.mu.Unlock()
	for i := range s.Folders {
		f := &s.Folders[i]
		f.State = "ok"
		progress := a.progressOf(a.folders[i], f.Counts)
		f.Progress = &progress
		f.PerHour = a.folders[i].rate.last(time.Now(), 60)
		s.Agent.PerHour += f.PerHour
		f.Notice = a.folders[i].notices(f.Counts[store.Queued])
		for _, t := range s.Troubles {
			if t.Folder == f.Name && f.Problem == "" {
				f.State, f.Problem = string(t.Severity), t.Text+": "+t.Mend
			}
		}
	}
	return s, nil
}

// notices is what people should know of a hot folder though nothing is wrong.
func (f *folder) notices(queued int) string {
	var all []string
	if wait := f.waitsForHours(queued); wait != "" {
		all = append(all, wait)
	}
	for _, notice := range []*string{f.notice.Load(), f.unwritten.Load()} {
		if notice != nil && *notice != "" {
			all = append(all, *notice)
		}
	}
	if n := f.oversize.Load(); n > 0 {
		all = append(all, fmt.Sprintf("larger than 4096 × 4096 pixels, so that AutoRetouch scales them down: %d since the start", n))
	}
	return strings.Join(all, "; ")
}

// PageOff says that the local page can't be served as the configuration wants it; mend is "" for a port that is taken.
func (a *Agent) PageOff(why error, mend string) { a.troubles.raise(PageOffline, "", why.Error(), mend) }

// WebhookOff says that the API's announcements can't be received.
func (a *Agent) WebhookOff(why error) { a.troubles.raise(WebhookOffline, "", why.Error(), "") }

// Reported says how the daily report fared; nil: it is written or sent.
func (a *Agent) Reported(err error) {
	if err != nil {
		a.troubles.raise(ReportLate, "", reason(err), "")
		return
	}
	a.troubles.clear(ReportLate, "")
}

func (a *Agent) accountState() string {
	switch {
	case a.troubles.has(LoginNeeded, ""):
		return "login_needed"
	case a.troubles.has(APIUnreachable, ""):
		return "unreachable"
	case a.troubles.has(OutOfCredits, ""):
		return "out_of_credits"
	case !a.account.isKnown():
		return "unknown"
	}
	return "ok"
}

// Redeliver has results downloaded again, at once.
func (a *Agent) Redeliver(ctx context.Context, r RedeliverRequest) (Redelivered, error) {
	done, err := a.Books.Redeliver(ctx, r)
	if done.Jobs > 0 {
		a.wakeAll()
	}
	return done, err
}

// Retry takes failed jobs up again, at once.
func (a *Agent) Retry(ctx context.Context, r RetryRequest) (Retried, error) {
	done, err := a.Books.Retry(ctx, r)
	if done.Jobs > 0 {
		a.wakeAll()
		for _, f := range a.folders {
			f.watch.Look()
		}
	}
	return done, err
}
