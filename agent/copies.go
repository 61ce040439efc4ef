package agent

import (
	"context"
	"errors"
	"time"

	"hotfolder/store"
)

// Copies of the ledger, beside it. Restarts in quick succession must not push the good old ones out.
const (
	keepCopies   = 7
	copyEvery    = 24 * time.Hour
	copyAtStart  = time.Hour // unless there is one that young
	copyTryAgain = time.Hour
)

// copyLoop keeps copies of the ledger: at the start, and daily.
func (a *Agent) copyLoop(ctx context.Context) {
	if last, ok := store.LastCopy(a.Ledger.File()); ok && time.Since(last) < copyAtStart {
		pause(ctx, time.Until(last.Add(copyEvery)), nil)
	}
	for ctx.Err() == nil {
		wait := copyEvery
		if file, err := a.Ledger.Backup(ctx, keepCopies); err == nil {
			a.log.Debug("ledger copied", "copy", file)
		} else if ctx.Err() == nil {
			wait = copyTryAgain
			a.copyFailed(err)
		}
		pause(ctx, wait, nil)
	}
}

// copyFailed tells of a damaged ledger, which a person must see to, and of a copy that will be tried again.
func (a *Agent) copyFailed(err error) {
	if errors.Is(err, store.ErrDamaged) {
		a.troubles.raise(LedgerDamaged, "", err.Error(), "")
		return
	}
	a.log.Warn("the ledger could not be copied, will try again", "err", reason(err))
}
