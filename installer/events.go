package installer

import (
	"log/slog"
	"strings"
)

// Events is the event log of Windows, in which its administrators look first. A nil one takes nothing down: elsewhere the service manager
// keeps what they look for.
type Events struct{ log eventLog }

type eventLog interface {
	Info(id uint32, text string) error
	Warning(id uint32, text string) error
	Error(id uint32, text string) error
	Close() error
}

// maxEvent is how many bytes an event tells at most; Windows takes 31,839 characters (ReportEvent).
const maxEvent = 30_000

// Tell writes an event. The id is at most 1000: more the source has no messages for. What the event log does not take is lost, and stands in the log.
func (e *Events) Tell(level slog.Level, id uint32, text string) {
	if e == nil {
		return
	}
	text = strings.ReplaceAll(text[:min(len(text), maxEvent)], "\x00", "") // which no string of Windows holds
	switch {
	case level >= slog.LevelError:
		_ = e.log.Error(id, text)
	case level >= slog.LevelWarn:
		_ = e.log.Warning(id, text)
	default:
		_ = e.log.Info(id, text)
	}
}

// Close ends it.
func (e *Events) Close() {
	if e != nil {
		_ = e.log.Close()
	}
}
