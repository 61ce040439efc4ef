package agent

import (
	"context"
	"sync"
	"time"

	"hotfolder/autoretouch"
	"hotfolder/store"
)

// account is what is known of the account: its credits, and what the workflows cost.
type account struct {
	mu      sync.Mutex
	balance int
	known   bool
	prices  map[string]price // by workflow
}

// price is a workflow's in its present version.
type price struct {
	version string
	price   int // credits an execution
	at      time.Time
}

// How long what the API said of the account is good for.
const (
	priceAge      = 10 * time.Minute
	balanceAge    = 5 * time.Minute
	balanceNeeded = 30 * time.Second // when something waits for credits
	loginNeeded   = 3 * time.Second  // when there is no login: looking for one asks nobody
)

func (c *account) price(workflow string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.prices[workflow].price
}

// workflow tells a folder's workflow's version and price, asking the API when it is long since it did.
func (a *Agent) workflow(ctx context.Context, f *folder) (price, error) {
	a.account.mu.Lock()
	p := a.account.prices[f.Workflow]
	a.account.mu.Unlock()
	if time.Since(p.at) < priceAge {
		return p, nil
	}
	w, err := a.api.Workflow(ctx, f.Workflow)
	if err != nil {
		return p, err
	}
	a.apiWorks(&a.asking)
	a.workflowWorks(f)
	p = price{version: w.Version, price: w.ExecutionPrice, at: time.Now()}
	if f.WorkflowVersion != "" {
		p.version = f.WorkflowVersion
	}
	a.account.mu.Lock()
	defer a.account.mu.Unlock()
	a.account.prices[f.Workflow] = p
	return p, nil
}

// accountLoop keeps the balance known, and takes up what waits for credits once there are some.
func (a *Agent) accountLoop(ctx, work context.Context) {
	for ctx.Err() == nil {
		wait := balanceAge
		if a.mayAsk() {
			a.lookAtBalance(work)
		}
		switch {
		case a.troubles.has(LoginNeeded, ""):
			wait = loginNeeded
		case a.troubles.has(OutOfCredits, "") || !a.account.isKnown():
			wait = balanceNeeded
		}
		pause(ctx, wait, a.credits)
	}
}

func (c *account) isKnown() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known
}

func (a *Agent) lookAtBalance(ctx context.Context) {
	balance, err := a.api.Balance(ctx)
	if err != nil {
		if autoretouch.ClassOf(err) == autoretouch.Auth {
			a.apiTrouble(&a.asking, nil, err)
		}
		a.log.Debug("balance not known", "err", err)
		return
	}
	a.apiWorks(&a.asking)
	a.account.mu.Lock()
	a.account.balance, a.account.known = balance, true
	a.account.mu.Unlock()
	if a.troubles.has(OutOfCredits, "") {
		a.resume(ctx, balance)
	}
}

// resume runs executions again that were created without credits, as many as the balance allows; creating more is allowed again
// when all of them were.
func (a *Agent) resume(ctx context.Context, balance int) {
	for _, f := range a.folders {
		flow, err := a.workflow(ctx, f)
		if err != nil {
			a.apiTrouble(&a.asking, f, err)
			return
		}
		cost := max(1, flow.price)
		for balance >= cost {
			jobs, err := a.Ledger.Next(store.PaymentRequired, f.Name, 1, func(string) bool { return false })
			if err != nil || len(jobs) == 0 {
				break
			}
			if err := a.api.Retry(ctx, jobs[0].Execution); err != nil {
				f.log.Warn("execution not yet run again", "file", jobs[0].Path, "job", jobs[0].ID, "err", err)
				ring(a.polls) // its status may have changed by other hands
				return
			}
			if _, err := a.step(jobs[0], store.Processing, "there are credits again", nil); err != nil {
				a.ledgerTrouble(err)
				return
			}
			balance -= cost
		}
		if balance < cost {
			return
		}
	}
	a.troubles.clear(OutOfCredits, "")
	a.wakeAll()
}
