package config

import (
	"strings"
	"time"
)

// Clock is a local time of day, "17:30"; empty is never.
type Clock string

func checkClock(s string) string {
	if _, err := time.Parse("15:04", s); err != nil {
		return "must be a time of day such as 07:00 or 17:30, in quotes"
	}
	return ""
}

// Next is the first moment after t at which the clock, in t's time zone, shows it. Where a change to summer time leaves it out, it
// is the moment that lies as far behind midnight.
func (c Clock) Next(t time.Time) time.Time {
	next := c.on(t)
	for day := 1; !next.After(t); day++ {
		next = c.on(time.Date(t.Year(), t.Month(), t.Day()+day, 12, 0, 0, 0, t.Location()))
	}
	return next
}

// Last is the last moment, t or before it, of those that Next gives.
func (c Clock) Last(t time.Time) time.Time {
	last := c.on(t)
	for day := 1; last.After(t); day++ {
		last = c.on(time.Date(t.Year(), t.Month(), t.Day()-day, 12, 0, 0, 0, t.Location()))
	}
	return last
}

// on is the moment on the day of t.
func (c Clock) on(t time.Time) time.Time {
	at, _ := time.Parse("15:04", string(c)) // checked
	return time.Date(t.Year(), t.Month(), t.Day(), at.Hour(), at.Minute(), 0, 0, t.Location())
}

// Hours is a span of local time each day, "19:00-07:00", that may pass midnight; empty is always.
type Hours string

func checkHours(s string) string {
	from, to, ok := strings.Cut(s, "-")
	if !ok || checkClock(from) != "" || checkClock(to) != "" || from == to {
		return "must be a span of the day such as 19:00-07:00, in quotes"
	}
	return ""
}

// Open tells whether t lies in the hours, as the clocks of t's time zone show them, and when that changes next; zero: never.
func (h Hours) Open(t time.Time) (open bool, until time.Time) {
	if h == "" {
		return true, time.Time{}
	}
	from, to, _ := strings.Cut(string(h), "-")
	opens, closes := Clock(from).Next(t), Clock(to).Next(t)
	if closes.Before(opens) {
		return true, closes
	}
	return false, opens
}
