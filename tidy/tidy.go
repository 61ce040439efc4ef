// Package tidy writes names, numbers and times as people read them.
package tidy

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
)

// Visible shows what a terminal or a page would obey or not show: control characters, what reverses the direction, invalid UTF-8.
func Visible(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// Number is 12,345.
func Number(n int) string { return humanize.Comma(int64(n)) }

// Count is "1 picture" or "12 pictures".
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return Number(n) + " " + what + "s"
}

// Bytes is a size as people say it, 82 MB.
func Bytes(n int64) string { return humanize.Bytes(uint64(max(n, 0))) }

// Span is a duration by its two largest units: 42s, 3m 20s, 2h 05m, 3d 4h.
func Span(d time.Duration) string {
	d = d.Round(time.Second)
	if d < time.Second {
		return "0s"
	}
	days, hours, minutes, seconds := d/(24*time.Hour), d/time.Hour%24, d/time.Minute%60, d/time.Second%60
	switch {
	case days > 0:
		return fmt.Sprintf("%dd %dh", days, hours)
	case hours > 0:
		return fmt.Sprintf("%dh %02dm", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%dm %02ds", minutes, seconds)
	}
	return fmt.Sprintf("%ds", seconds)
}

// About is an estimate of a duration, no finer than minutes: "less than a minute", "about 3m", "about 2h 05m", "about 3d 4h".
func About(d time.Duration) string {
	if d < time.Minute {
		return "less than a minute"
	}
	minutes := d.Round(time.Minute)
	if minutes < time.Hour {
		return fmt.Sprintf("about %dm", minutes/time.Minute)
	}
	return "about " + Span(minutes)
}

// Words is a code as people read it: payment_required is "payment required", in_qa "in QA".
func Words(code string) string {
	return strings.ReplaceAll(strings.ReplaceAll(code, "_", " "), "in qa", "in QA")
}
