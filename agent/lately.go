package agent

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Happening is what the log warned of lately: a picture that failed, a call that is tried again. Unlike a Trouble it is over.
type Happening struct {
	Time     time.Time `json:"time"`
	Severity Severity  `json:"severity"`
	Folder   string    `json:"folder,omitempty"`
	Text     string    `json:"text"`
}

const maxHappenings = 10

// happenings are the last ones, the latest last.
type happenings struct {
	mu   sync.Mutex
	last []Happening
}

func (h *happenings) add(one Happening) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.last) == maxHappenings {
		h.last = slices.Delete(h.last, 0, 1)
	}
	h.last = append(h.last, one)
}

func (h *happenings) list() []Happening {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.last)
}

// attentive is a log's handler that takes down what the log is warned of.
type attentive struct {
	slog.Handler
	to    *happenings
	attrs []slog.Attr
}

func (a attentive) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn || a.Handler.Enabled(ctx, level)
}

func (a attentive) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		a.to.add(happening(r, a.attrs))
	}
	if !a.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return a.Handler.Handle(ctx, r)
}

func (a attentive) WithAttrs(attrs []slog.Attr) slog.Handler {
	return attentive{a.Handler.WithAttrs(attrs), a.to, slices.Concat(a.attrs, attrs)}
}

func (a attentive) WithGroup(name string) slog.Handler {
	return attentive{a.Handler.WithGroup(name), a.to, a.attrs}
}

// happening is a record of the log in a line: what, which file, and why.
func happening(r slog.Record, attrs []slog.Attr) Happening {
	h := Happening{Time: r.Time, Severity: Warning, Text: r.Message}
	if r.Level >= slog.LevelError {
		h.Severity = Error
	}
	var file, why string
	take := func(a slog.Attr) bool {
		switch a.Key {
		case "folder":
			h.Folder = a.Value.String()
		case "file":
			file = " " + a.Value.String()
		case "err", "why":
			why = ": " + a.Value.String()
		}
		return true
	}
	for _, a := range attrs {
		take(a)
	}
	r.Attrs(take)
	h.Text += file + why
	return h
}
