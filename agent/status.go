package agent

import (
	"context"
	"sync"
	"time"
)

// Status tells how the agent fares now.
func (a *Agent) Status(ctx context.Context) (Status, error) {
	s, err := a.Books.Status(ctx)
	if err != nil {
		return s, err
	}
	s.Troubles = append(s.Troubles, a.troubles.list()...)
	s.Agent.Running, s.Agent.Since, s.Agent.PerHour = true, a.since, a.rate.lastHour(time.Now())
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
		if notice := a.folders[i].notice.Load(); notice != nil {
			f.Notice = *notice
		}
		for _, t := range s.Troubles {
			if t.Folder == f.Name && f.Problem == "" {
				f.State, f.Problem = string(t.Severity), t.Text+": "+t.Mend
			}
		}
	}
	return s, nil
}

// PageOff says that the local page can't be served where the configuration wants it.
func (a *Agent) PageOff(why error) { a.troubles.raise(PageOffline, "", why.Error(), "") }

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

// rate counts what was delivered in each of the last sixty minutes.
type rate struct {
	mu      sync.Mutex
	minutes [60]struct {
		minute int64
		n      int
	}
}

func (r *rate) add(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	minute := at.Unix() / 60
	m := &r.minutes[minute%60]
	if m.minute != minute {
		m.minute, m.n = minute, 0
	}
	m.n++
}

func (r *rate) lastHour(now time.Time) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.minutes {
		if m.minute > now.Unix()/60-60 {
			n += m.n
		}
	}
	return n
}
