package watcher

import "time"

// A clock finds out that the computer slept, or that its clock was set: then the time of day went another way than the time that
// all else here goes by, which no one can set and which stands still in sleep.
type clock struct {
	wall      func() time.Time
	day, real time.Time
}

// jumped reports that one of them went a minute more than the other since it was asked last.
func (c *clock) jumped(now time.Time) bool {
	day := c.wall().Round(0)
	jump := day.Sub(c.day) - now.Sub(c.real)
	first := c.real.IsZero()
	c.day, c.real = day, now
	return !first && jump.Abs() > time.Minute
}
