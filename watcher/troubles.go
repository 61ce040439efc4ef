package watcher

import (
	"log/slog"
	"sync"
	"time"
)

// troubles logs a message once, and when it comes again at most once a minute, with how often it was left out. It
// may be used by several goroutines at once.
type troubles struct {
	mu     sync.Mutex
	logged map[string]*trouble
}

type trouble struct {
	at      time.Time
	leftOut int
}

func (t *troubles) warn(log *slog.Logger, msg string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.logged == nil {
		t.logged = make(map[string]*trouble)
	}
	last := t.logged[msg]
	if last != nil && time.Since(last.at) < time.Minute {
		last.leftOut++
		return
	}
	if last != nil && last.leftOut > 0 {
		args = append(args, "left_out", last.leftOut)
	}
	t.logged[msg] = &trouble{at: time.Now()}
	log.Warn(msg, args...)
}
