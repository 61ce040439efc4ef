package config_test

import (
	"testing"
	"time"
	_ "time/tzdata" // the summer time of Berlin, wherever this runs

	"hotfolder/config"
)

func TestClockNext(t *testing.T) {
	for _, test := range []struct{ clock, now, want string }{
		{"17:30", "2026-11-23T17:29:59+01:00", "2026-11-23T17:30:00+01:00"},
		{"17:30", "2026-11-23T17:30:00+01:00", "2026-11-24T17:30:00+01:00"},
		{"07:00", "2026-12-31T23:00:00+01:00", "2027-01-01T07:00:00+01:00"},
		{"07:00", "2026-03-28T12:00:00+01:00", "2026-03-29T07:00:00+02:00"}, // the night is an hour shorter
		{"02:30", "2026-03-29T01:00:00+01:00", "2026-03-29T03:30:00+02:00"}, // never shown that night
		{"07:00", "2026-10-24T12:00:00+02:00", "2026-10-25T07:00:00+01:00"}, // an hour longer
	} {
		if got := config.Clock(test.clock).Next(berlin(t, test.now)); !got.Equal(berlin(t, test.want)) {
			t.Errorf("%s after %s is %s, want %s", test.clock, test.now, got.Format(time.RFC3339), test.want)
		}
	}
}

func TestClockLast(t *testing.T) {
	for _, test := range []struct{ clock, now, want string }{
		{"17:30", "2026-11-23T17:29:59+01:00", "2026-11-22T17:30:00+01:00"},
		{"17:30", "2026-11-23T17:30:00+01:00", "2026-11-23T17:30:00+01:00"},
		{"17:30", "2027-01-01T07:00:00+01:00", "2026-12-31T17:30:00+01:00"},
		{"07:00", "2026-03-29T12:00:00+02:00", "2026-03-29T07:00:00+02:00"},
		{"17:30", "2026-03-29T12:00:00+02:00", "2026-03-28T17:30:00+01:00"},
	} {
		if got := config.Clock(test.clock).Last(berlin(t, test.now)); !got.Equal(berlin(t, test.want)) {
			t.Errorf("%s before %s is %s, want %s", test.clock, test.now, got.Format(time.RFC3339), test.want)
		}
	}
}

func TestHoursOpen(t *testing.T) {
	for _, test := range []struct {
		hours, now string
		open       bool
		until      string
	}{
		{"19:00-07:00", "2026-11-23T18:59:59+01:00", false, "2026-11-23T19:00:00+01:00"},
		{"19:00-07:00", "2026-11-23T19:00:00+01:00", true, "2026-11-24T07:00:00+01:00"},
		{"19:00-07:00", "2026-11-24T06:59:59+01:00", true, "2026-11-24T07:00:00+01:00"},
		{"19:00-07:00", "2026-11-24T07:00:00+01:00", false, "2026-11-24T19:00:00+01:00"},
		{"09:00-17:00", "2026-11-24T08:00:00+01:00", false, "2026-11-24T09:00:00+01:00"},
		{"09:00-17:00", "2026-11-24T12:00:00+01:00", true, "2026-11-24T17:00:00+01:00"},
		{"19:00-07:00", "2026-03-28T20:00:00+01:00", true, "2026-03-29T07:00:00+02:00"},
		{"19:00-07:00", "2026-10-24T20:00:00+02:00", true, "2026-10-25T07:00:00+01:00"},
	} {
		open, until := config.Hours(test.hours).Open(berlin(t, test.now))
		if open != test.open || !until.Equal(berlin(t, test.until)) {
			t.Errorf("%s at %s: open %v until %s, want %v until %s", test.hours, test.now, open, until.Format(time.RFC3339), test.open, test.until)
		}
	}
	if open, until := config.Hours("").Open(time.Now()); !open || !until.IsZero() {
		t.Errorf("no hours: open %v until %v, want always", open, until)
	}
}

func berlin(t *testing.T, s string) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at.In(zone)
}
