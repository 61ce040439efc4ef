package tidy_test

import (
	"testing"
	"time"

	"hotfolder/tidy"
)

func TestVisible(t *testing.T) {
	for s, want := range map[string]string{
		"Müller & 猫.jpg": "Müller & 猫.jpg",
		`C:\x "y".jpg`:   `C:\x "y".jpg`,
		"a\nb":           `a\nb`,
		"\x1b[2J\"":      `\x1b[2J"`,
		"bad\xff":        `bad\xff`,
		"gpj.\u202eevil": `gpj.\u202eevil`,
	} {
		if got := tidy.Visible(s); got != want {
			t.Errorf("Visible(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour:                        "0s",
		400 * time.Millisecond:            "0s",
		59500 * time.Millisecond:          "1m 00s",
		42 * time.Second:                  "42s",
		200 * time.Second:                 "3m 20s",
		2*time.Hour + 5*time.Minute:       "2h 05m",
		76*time.Hour + 59*time.Minute + 1: "3d 4h",
	} {
		if got := tidy.Span(d); got != want {
			t.Errorf("Span(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 jobs", 1: "1 job", 12345: "12,345 jobs"} {
		if got := tidy.Count(n, "job"); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestAbout(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                           "less than a minute",
		59 * time.Second:            "less than a minute",
		89 * time.Second:            "about 1m",
		90 * time.Second:            "about 2m",
		59*time.Minute + 40*1e9:     "about 1h 00m",
		2*time.Hour + 5*time.Minute: "about 2h 05m",
		76 * time.Hour:              "about 3d 4h",
	} {
		if got := tidy.About(d); got != want {
			t.Errorf("About(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for code, want := range map[string]string{"payment_required": "payment required", "in_qa": "in QA", "queued": "queued"} {
		if got := tidy.Words(code); got != want {
			t.Errorf("Words(%s) = %q, want %q", code, got, want)
		}
	}
}
