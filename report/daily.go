package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"hotfolder/config"
	"hotfolder/private"
)

// Daily makes a report at a time each day, of what happened since the one before. One that was missed while the agent was off, or
// could not be delivered, is made up as soon as can be, once: the reports leave no time out, and tell of none twice.
type Daily struct {
	At      config.Clock
	File    string // remembers until when the last report was
	Make    func(ctx context.Context, since, until time.Time) (Report, error)
	Deliver func(context.Context, Report) error
	Heard   func(error) // is told how each try fared
	Log     *slog.Logger
}

const (
	dailyLook  = time.Minute // between two looks at the clock, which may be set, and stands still while a computer sleeps
	dailyAgain = 10 * time.Minute
)

// Run makes the reports until ctx ends.
func (d Daily) Run(ctx context.Context) {
	last := d.last()
	for ctx.Err() == nil {
		wait := dailyLook
		if due := d.At.Last(time.Now()); due.After(last) {
			if err := d.one(ctx, last, due); err == nil {
				last = due
			} else if wait = dailyAgain; ctx.Err() == nil {
				d.Heard(err)
			}
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
}

func (d Daily) one(ctx context.Context, since, until time.Time) error {
	r, err := d.Make(ctx, since, until)
	if err != nil {
		return err
	}
	if err := d.Deliver(ctx, r); err != nil {
		return err
	}
	d.Heard(nil)
	d.remember(until)
	return nil
}

// made is the content of File.
type made struct {
	Until time.Time `json:"until"`
}

// last is until when the last report was. Before the first, nothing is owed for the time before now.
func (d Daily) last() time.Time {
	now := time.Now()
	var m made
	data, err := os.ReadFile(d.File)
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.Log.Warn("it is not known when the last daily report was made", "err", err)
	}
	if err != nil || m.Until.IsZero() || m.Until.After(now) { // the clock was set back
		m.Until = d.At.Last(now)
		d.remember(m.Until)
	}
	return m.Until.Local()
}

func (d Daily) remember(until time.Time) {
	data, err := json.Marshal(made{until})
	if err == nil {
		err = private.WriteFile(d.File, data)
	}
	if err != nil {
		d.Log.Warn("that the daily report was made could not be written down; after a restart it may be made again", "err", err)
	}
}

// FileName names the page of a daily report; of several in one folder the nth.
func (r Report) FileName(n int) string {
	name := "hotfolder-" + r.Until.Format(time.DateOnly)
	if n > 1 {
		name += fmt.Sprintf("_%d", n)
	}
	return name + ".html"
}
