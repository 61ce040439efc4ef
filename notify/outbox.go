package notify

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"reflect"
	"sync"
	"time"

	"hotfolder/agent"
	"hotfolder/private"
)

// A Channel is a way to people.
type Channel interface {
	Name() string                              // for the log, and for what is kept
	Send(ctx context.Context, m Message) error // its error holds no secret
}

const (
	mostKept   = 100 // messages on their way, for each channel; then the oldest is given up
	sendWithin = time.Minute
	firstWait  = 5 * time.Second // after a failure, each time twice as long
	longWait   = 5 * time.Minute
	stale      = 6 * time.Hour // after which a message is given up
)

// state is what is kept across restarts.
type state struct {
	Told  map[string]agent.Trouble `json:"told"` // by key
	Run   *run                     `json:"run,omitempty"`
	Queue map[string][]queued      `json:"queue"` // by channel, the oldest first
}

type queued struct {
	Message Message   `json:"message"`
	At      time.Time `json:"at"`
}

// outbox holds the messages until they are sent.
type outbox struct {
	file  string
	log   *slog.Logger
	bells map[string]chan struct{} // by channel: rung when there is a message

	mu      sync.Mutex
	state   state
	unsaved bool // said once
}

// openOutbox reads what was kept. What can't be read is as good as nothing: at worst people are told twice.
func openOutbox(o Options) *outbox {
	b := &outbox{file: o.File, log: o.Log, bells: map[string]chan struct{}{}}
	data, err := os.ReadFile(o.File)
	if err == nil {
		err = json.Unmarshal(data, &b.state)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		o.Log.Warn("it is not known what people were told before", "err", err)
		b.state = state{}
	}
	if b.state.Told == nil {
		b.state.Told = map[string]agent.Trouble{}
	}
	kept := b.state.Queue
	b.state.Queue = map[string][]queued{}
	for _, c := range o.Channels {
		b.bells[c.Name()] = make(chan struct{}, 1)
		b.state.Queue[c.Name()] = kept[c.Name()]
	}
	return b
}

// change changes what is kept and queues the messages that it gives, in one durable step.
func (b *outbox) change(do func(*state) []Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.state.copy()
	for _, m := range do(&b.state) {
		b.log.Debug("to be told", "event", m.Event, "folder", m.Folder, "over", m.Over)
		for name, bell := range b.bells {
			queue := append(b.state.Queue[name], queued{m, time.Now()})
			if n := len(queue) - mostKept; n > 0 {
				b.log.Warn("too many notifications wait, the oldest is given up", "channel", name)
				queue = queue[n:]
			}
			b.state.Queue[name] = queue
			ring(bell)
		}
	}
	if !reflect.DeepEqual(before, b.state) {
		b.saveLocked()
	}
}

// copy is deep enough to tell whether something changed.
func (s state) copy() state {
	c := state{Told: map[string]agent.Trouble{}, Queue: map[string][]queued{}}
	for key, t := range s.Told {
		c.Told[key] = t
	}
	for name, queue := range s.Queue {
		c.Queue[name] = queue
	}
	if s.Run != nil {
		run := *s.Run
		c.Run = &run
	}
	return c
}

func (b *outbox) saveLocked() {
	data, err := json.MarshalIndent(b.state, "", "  ")
	if err == nil {
		err = private.WriteFile(b.file, data)
	}
	if err != nil && !b.unsaved {
		b.log.Warn("what people were told could not be written down; after a restart they may be told again", "err", err)
	}
	b.unsaved = err != nil
}

func ring(bell chan<- struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// send sends a channel's messages, one after the other, until ctx ends.
func (b *outbox) send(ctx context.Context, c Channel) {
	wait := firstWait
	for n := 1; ctx.Err() == nil; {
		next, some := b.first(c)
		if !some {
			pause(ctx, time.Hour, b.bells[c.Name()])
			continue
		}
		within, cancel := context.WithTimeout(ctx, sendWithin)
		err := c.Send(within, next.Message)
		cancel()
		switch {
		case err == nil:
			b.drop(c, next)
			n, wait = 1, firstWait
			continue
		case ctx.Err() != nil:
			return
		case time.Since(next.At) > stale:
			b.log.Warn("notification given up", "channel", c.Name(), "event", next.Message.Event, "err", err)
			b.drop(c, next)
			continue
		case n == 1:
			b.log.Warn("notification not sent, will retry", "channel", c.Name(), "event", next.Message.Event, "err", err)
		default:
			b.log.Debug("notification not sent, will retry", "channel", c.Name(), "event", next.Message.Event, "err", err, "attempt", n)
		}
		n++
		pause(ctx, wait, nil)
		wait = min(2*wait, longWait)
	}
}

func (b *outbox) first(c Channel) (m queued, some bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if queue := b.state.Queue[c.Name()]; len(queue) > 0 {
		return queue[0], true
	}
	return m, false
}

// drop takes a message out, unless it was given up meanwhile.
func (b *outbox) drop(c Channel, m queued) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if queue := b.state.Queue[c.Name()]; len(queue) > 0 && queue[0] == m {
		b.state.Queue[c.Name()] = queue[1:]
		b.saveLocked()
	}
}

func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-t.C:
	}
}
