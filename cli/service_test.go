package cli

import (
	"context"
	"errors"
	"testing"

	"hotfolder/agent"
	"hotfolder/store"
)

type patient struct{ pulse, status error }

func (p patient) Pulse() error                                 { return p.pulse }
func (p patient) Status(context.Context) (agent.Status, error) { return agent.Status{}, p.status }

// A service is started again when its pulse is gone, not when there is nothing to tell.
func TestHowTheServiceIs(t *testing.T) {
	stuck := errors.New("stuck")
	for name, c := range map[string]struct {
		patient
		line string
		err  error
	}{
		"well":             {patient{}, "waits for pictures", nil},
		"without a pulse":  {patient{pulse: stuck}, "", stuck},
		"a damaged ledger": {patient{status: store.ErrDamaged}, "error: " + store.ErrDamaged.Error(), nil},
	} {
		if line, err := howItIs(t.Context(), c.patient); line != c.line || !errors.Is(err, c.err) {
			t.Errorf("%s: %q, %v", name, line, err)
		}
	}
}
