// Package notify tells people, by a webhook and by mail, when they are needed: each trouble once, and once more when it is over. Read
// this file (what is told, and when), then outbox.go (how it gets there in the end), hook.go, teams.go and mail.go.
package notify

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"hotfolder/agent"
	"hotfolder/store"
	"hotfolder/tidy"
)

// Message is one thing that people are told. Its JSON form is what a webhook gets, unless it is one of Teams.
type Message struct {
	Text     string    `json:"text"`               // all of it, in a line
	Event    string    `json:"event"`              // the code of a trouble, or done
	Severity string    `json:"severity"`           // that of the trouble; info when it is over, or nothing is wrong
	Over     bool      `json:"over"`               // the trouble is over
	Folder   string    `json:"folder,omitempty"`   // the hot folder, if it is one's own
	Mend     string    `json:"mend,omitempty"`     // what to do
	Since    time.Time `json:"since,omitzero"`     // when it began
	Computer string    `json:"computer,omitempty"` // the one that the agent runs on
}

// Done is the event that a run of work is at its end.
const Done = "done"

const info = "info"

// Options say whom to tell of what.
type Options struct {
	Channels  []Channel     // by which each message goes
	GoneAfter time.Duration // how long a folder must be away
	File      string        // what was told, and is still to be sent, is kept here
	Status    func(context.Context) (agent.Status, error)
	Log       *slog.Logger
}

// Notifier looks at how an agent fares and tells people.
type Notifier struct {
	Options
	box      *outbox
	computer string
	absent   map[string]time.Time // troubles that were told: since when they are not there
	idle     time.Time            // since when a run of work has nothing to do
}

const (
	every  = 5 * time.Second // a look
	awhile = time.Minute     // that a trouble must last of which nobody need be told at once
	calm   = 2 * time.Minute // that a trouble must be away to be over; more than the agent takes to meet it again after a start
	quiet  = 5 * time.Minute // that nothing may wait for a run of work to be at its end
)

// New reads what was told before.
func New(o Options) *Notifier {
	host, _ := os.Hostname() // "": then it is left out
	return &Notifier{Options: o, box: openOutbox(o), computer: host, absent: map[string]time.Time{}}
}

// Run looks and tells until ctx ends. What was not sent by then is sent after the next start.
func (n *Notifier) Run(ctx context.Context) {
	var senders sync.WaitGroup
	defer senders.Wait()
	for _, c := range n.Channels {
		senders.Go(func() { n.box.send(ctx, c) })
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if s, err := n.Status(ctx); err == nil { // else the ledger's trouble, which a later look tells
			n.look(s, time.Now())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look tells what is new in a status.
func (n *Notifier) look(s agent.Status, now time.Time) {
	n.box.change(func(b *state) (messages []Message) {
		there := map[string]bool{}
		for _, t := range s.Troubles {
			there[key(t)] = true
			_, told := b.Told[key(t)]
			if wait, tells := n.patience(t); tells && !told && now.Sub(t.Since) >= wait {
				b.Told[key(t)] = t
				messages = append(messages, n.begun(t))
			}
		}
		for key, t := range b.Told {
			switch since, absent := n.absent[key]; {
			case there[key] || hidden(t, s.Troubles):
				delete(n.absent, key)
			case !absent:
				n.absent[key] = now
			case now.Sub(since) >= calm:
				delete(n.absent, key)
				delete(b.Told, key)
				messages = append(messages, n.over(t, since))
			}
		}
		if m, ended := n.work(b, s.Counts, now); ended {
			messages = append(messages, m)
		}
		return messages
	})
}

func key(t agent.Trouble) string { return string(t.Code) + "/" + t.Folder }

// hidden tells whether a trouble is not shown because of another one.
func hidden(t agent.Trouble, now []agent.Trouble) bool {
	for _, other := range now {
		if other.Covers(t.Code, t.Folder) {
			return true
		}
	}
	return false
}

// patience is how long a trouble must last until people are told, if they are told of it at all.
func (n *Notifier) patience(t agent.Trouble) (wait time.Duration, tells bool) {
	switch t.Code {
	case agent.LoginNeeded, agent.OutOfCredits, agent.ManyFailed, agent.NightAtRisk:
		return 0, true
	case agent.InputOffline, agent.OutputUnwritable:
		return n.GoneAfter, true
	}
	return awhile, t.Severity == agent.Error
}

func (n *Notifier) begun(t agent.Trouble) Message {
	return n.message(Message{
		Text: where(t) + tidy.Visible(t.Text) + " - " + tidy.Visible(t.Mend), Event: string(t.Code), Severity: string(t.Severity),
		Folder: t.Folder, Mend: t.Mend, Since: t.Since,
	})
}

func (n *Notifier) over(t agent.Trouble, at time.Time) Message {
	return n.message(Message{
		Text:  fmt.Sprintf("over after %s: %s%s", tidy.Span(at.Sub(t.Since)), where(t), tidy.Visible(t.Text)),
		Event: string(t.Code), Severity: info, Over: true, Folder: t.Folder, Since: t.Since,
	})
}

func where(t agent.Trouble) string {
	if t.Folder == "" {
		return ""
	}
	return tidy.Visible(t.Folder) + ": "
}

// message says which computer it is from.
func (n *Notifier) message(m Message) Message {
	m.Computer = n.computer
	m.Text = strings.TrimSpace("hotfolder "+prefix("on ", tidy.Visible(n.computer))) + ": " + m.Text
	return m
}

func prefix(with, s string) string {
	if s == "" {
		return ""
	}
	return with + s
}

// run is a run of work: it begins when there is something to do, and ends when there has been nothing for a while.
type run struct {
	Since     time.Time `json:"since"`
	Begun     bool      `json:"begun"`
	Delivered int       `json:"delivered"` // the counts at its beginning
	Failed    int       `json:"failed"`
}

// work follows a run of work and tells of its end.
func (n *Notifier) work(b *state, counts map[store.State]int, now time.Time) (m Message, ended bool) {
	waiting := 0
	for state, jobs := range counts {
		if !state.Final() {
			waiting += jobs
		}
	}
	delivered, failed := counts[store.Delivered], counts[store.Failed]
	if b.Run == nil {
		b.Run = &run{Delivered: delivered, Failed: failed}
	}
	r := b.Run
	switch {
	case !r.Begun && waiting == 0 && delivered <= r.Delivered && failed <= r.Failed:
		r.Delivered, r.Failed = delivered, failed // a retry takes from these
		return m, false
	case !r.Begun:
		r.Begun, r.Since, n.idle = true, now, time.Time{}
	}
	if waiting > 0 {
		n.idle = time.Time{}
		return m, false
	}
	if n.idle.IsZero() {
		n.idle = now
	}
	if now.Sub(n.idle) < quiet {
		return m, false
	}
	ended = delivered > r.Delivered || failed > r.Failed
	text := fmt.Sprintf("all done: %s delivered, %s failed, in %s", tidy.Count(max(0, delivered-r.Delivered), "picture"),
		tidy.Number(max(0, failed-r.Failed)), tidy.Span(n.idle.Sub(r.Since)))
	m = n.message(Message{Text: text, Event: Done, Severity: info, Since: r.Since})
	b.Run = &run{Delivered: delivered, Failed: failed}
	return m, ended
}
