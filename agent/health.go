package agent

import (
	"context"
	"errors"
	"net/http"
	"time"

	"hotfolder/autoretouch"
	"hotfolder/store"
)

// apiTrouble holds back what an error of the API concerns: everything, one hot folder, or the calls behind g.
func (a *Agent) apiTrouble(g *gate, f *folder, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	switch autoretouch.ClassOf(err) {
	case autoretouch.Auth:
		a.login.failed(0)
		a.troubles.raise(LoginNeeded, "", "", "")
	case autoretouch.Config:
		f.workflow.failed(0)
		a.troubles.raise(WorkflowRefused, f.Name, err.Error(), "")
	case autoretouch.Transient:
		if g != &a.asking && !isDown(err) { // of calls that are not about one job each failure speaks against the API, or what is between
			return
		}
		if n := g.failed(autoretouch.RetryAfter(err)); n >= unreachableAfter {
			a.troubles.raise(APIUnreachable, "", err.Error(), "")
		}
	}
}

// isDown tells whether an error speaks against the API as a whole. That one result is not there or arrived damaged does not.
func isDown(err error) bool {
	e, ok := errors.AsType[*autoretouch.Error](err)
	return ok && (e.Status == 0 || e.Status < 400 || e.Status == http.StatusRequestTimeout || e.Status == http.StatusTooEarly ||
		e.Status == http.StatusTooManyRequests || e.Status >= 500)
}

// unreachableAfter is how many calls in a row must fail before people are told.
const unreachableAfter = 5

// apiWorks says that a call behind g was answered as it should be.
func (a *Agent) apiWorks(g *gate) {
	g.passed()
	a.login.passed()
	a.troubles.clear(LoginNeeded, "")
	if !a.apiShut() {
		a.troubles.clear(APIUnreachable, "")
	}
}

// apiShut tells whether calls of some kind are held back.
func (a *Agent) apiShut() bool {
	shut := a.asking.shut()
	for _, s := range a.stages {
		shut = shut || s.gate.shut()
	}
	return shut
}

// mayAsk tells whether list and details calls may be made now.
func (a *Agent) mayAsk() bool {
	now := time.Now()
	return a.asking.room(now) > 0 && a.login.room(now) > 0
}

// asLedger marks what the ledger's file could not do; what it refused for a reason stays as it is.
func asLedger(err error) error {
	if err == nil || errors.Is(err, store.ErrStep) || errors.Is(err, store.ErrTaken) || errors.Is(err, store.ErrNotFound) {
		return err
	}
	return &ledgerError{err}
}

func (a *Agent) ledgerTrouble(err error) {
	if isLedger(asLedger(err)) {
		a.ledger.failed(0)
		a.troubles.raise(LedgerUnwritable, "", reason(err), "")
	}
}

func (a *Agent) ledgerWorks() {
	a.ledger.passed()
	a.troubles.clear(LedgerUnwritable, "")
}

// outputTrouble says that a job's result could not be written; of no job: that an order could not be delivered.
func (a *Agent) outputTrouble(f *folder, job string, err error) {
	f.refused.Store(job, nil)
	f.output.failed(0)
	a.troubles.raise(OutputUnwritable, f.Name, reason(err), "")
}

// outputWorks says that a result was written. As long as others cannot be, such as the one whose older version a program has open,
// people are told so.
func (a *Agent) outputWorks(f *folder) {
	f.output.passed()
	for range f.refused.Range {
		return
	}
	a.troubles.clear(OutputUnwritable, f.Name)
}

// notRefused says that a job is done with, or all orders that were due. If it was the last whose result could not be written, that is over.
func (a *Agent) notRefused(f *folder, job string) {
	if _, was := f.refused.LoadAndDelete(job); was {
		a.outputWorks(f)
	}
}
