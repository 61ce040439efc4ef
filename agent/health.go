package agent

import (
	"context"
	"errors"

	"hotfolder/autoretouch"
	"hotfolder/store"
)

// apiTrouble holds back what an error of the API concerns: everything, or one hot folder.
func (a *Agent) apiTrouble(f *folder, err error) {
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
		if n := a.network.failed(autoretouch.RetryAfter(err)); n >= unreachableAfter {
			a.troubles.raise(APIUnreachable, "", err.Error(), "")
		}
	}
}

// unreachableAfter is how many calls in a row must fail before people are told.
const unreachableAfter = 5

// apiWorks says that a call was answered as it should be.
func (a *Agent) apiWorks() {
	a.network.passed()
	a.login.passed()
	a.troubles.clear(APIUnreachable, "")
	a.troubles.clear(LoginNeeded, "")
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
