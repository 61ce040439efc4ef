package cli

import (
	"context"
	"fmt"
	"log/slog"

	"hotfolder/agent"
)

// The ids of events in Windows' event log. They stay, since people filter and alert by them; a new one is a number that was never used.
const (
	eventStarted uint32 = 1
	eventStopped uint32 = 2
	eventFailed  uint32 = 3 // it stopped with an error
	eventHangs   uint32 = 4 // it ends to be started again
)

// eventOf is the id of each kind of trouble: as an error or warning when it begins, as information when it is over.
var eventOf = map[agent.Code]uint32{
	agent.LoginNeeded:      100,
	agent.OutOfCredits:     101,
	agent.CreditsLimit:     102,
	agent.APIUnreachable:   103,
	agent.WorkflowRefused:  104,
	agent.InputOffline:     105,
	agent.InputClaimed:     106,
	agent.InputEvents:      107,
	agent.OutputUnwritable: 108,
	agent.ResultDamaged:    109,
	agent.OriginalStuck:    110,
	agent.ManyFailed:       111,
	agent.NightAtRisk:      112,
	agent.LedgerUnwritable: 113,
	agent.LedgerDamaged:    114,
	agent.PageOffline:      115,
	agent.ReportLate:       116,
	agent.WebhookOffline:   117,
	agent.InputUnread:      118,
}

// eventHandler is a log of which the troubles also become events, whatever the level of the log.
type eventHandler struct {
	log  slog.Handler
	tell func(level slog.Level, id uint32, text string)
}

func (h eventHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelInfo || h.log.Enabled(ctx, l)
}

func (h eventHandler) Handle(ctx context.Context, r slog.Record) error {
	var code agent.Code
	text, mend := r.Message, ""
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "code":
			code = agent.Code(a.Value.String())
		case "folder":
			text = a.Value.String() + ": " + text
		case "mend":
			mend = "; " + a.Value.String()
		case "lasted":
			text = fmt.Sprintf("%s (it lasted %v)", text, a.Value)
		}
		return true
	})
	if id, known := eventOf[code]; known {
		h.tell(r.Level, id, text+mend)
	}
	if !h.log.Enabled(ctx, r.Level) {
		return nil
	}
	return h.log.Handle(ctx, r)
}

func (h eventHandler) WithAttrs(a []slog.Attr) slog.Handler {
	return eventHandler{h.log.WithAttrs(a), h.tell}
}

func (h eventHandler) WithGroup(name string) slog.Handler {
	return eventHandler{h.log.WithGroup(name), h.tell}
}
