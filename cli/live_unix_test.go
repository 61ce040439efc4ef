//go:build unix

package cli

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/creack/pty"
)

// screen is what a terminal of some width shows after all that was written to it, as far as the live view goes.
func screen(t *testing.T, written string, width int) string {
	t.Helper()
	var lines [][]rune
	row, column := 0, 0
	line := func() []rune {
		for len(lines) <= row {
			lines = append(lines, nil)
		}
		return lines[row]
	}
	sequence := regexp.MustCompile(`^\x1b\[([0-9]*)([A-Za-z])`)
	for len(written) > 0 {
		if m := sequence.FindStringSubmatch(written); m != nil {
			n, _ := strconv.Atoi(m[1])
			switch m[2] + m[1] {
			case "K":
				lines[row] = line()[:min(column, len(line()))]
			case "J":
				lines = lines[:min(row, len(lines))]
			case "J2":
				lines = nil
			case "H":
				row, column = 0, 0
			default:
				switch m[2] {
				case "A":
					row = max(0, row-n)
				case "m":
				default:
					t.Fatalf("what is %q?", m[0])
				}
			}
			written = written[len(m[0]):]
			continue
		}
		r, size := utf8.DecodeRuneInString(written)
		written = written[size:]
		switch {
		case r == '\n':
			line()
			row++
		case r == '\r':
			column = 0
		case r < ' ':
			t.Fatalf("what is %q?", r)
		default:
			if column == width {
				row, column = row+1, 0
			}
			for len(line()) <= column {
				lines[row] = append(lines[row], ' ')
			}
			lines[row][column] = r
			column++
		}
	}
	var shown []string
	for _, l := range lines {
		shown = append(shown, string(l))
	}
	return strings.Join(shown, "\n")
}

func (x *terminal) wantScreen(pattern string) {
	x.t.Helper()
	if got := screen(x.t, x.shown.String(), 80); !regexp.MustCompile(pattern).MatchString(got) {
		x.t.Errorf("the screen shows\n%s\nwant %s", got, pattern)
	}
}

func TestRunOnATerminal(t *testing.T) {
	w := newWorld(t)
	w.login()
	w.drop("packshots/a.jpg", "packshots/bad.jpg")
	x := w.atTerminal("run")
	x.expect("waits for pictures")
	x.expect("2 of 2, done, 1 failed")
	for _, size := range []pty.Winsize{{Rows: 20, Cols: 60}, {Rows: 25, Cols: 60}} {
		if err := pty.Setsize(x.pty, &size); err != nil {
			t.Fatal(err)
		}
		x.expect("\x1b[2J\x1b[H")
		x.expect("\x1b[J")
	}
	x.stop()
	x.wantEnd(0)
	x.wantScreen(`^agent    running since [^\n]*\n[^\n]*in the last hour\naccount  ok, [\d,]+ credits, \d+ spent today\s*\n\n` +
		`packshots  █+  2 of 2, done, 1 failed\s*\nwebsite    waits for pictures\s*\n\n1 job failed: (?s:.*)\n\n` +
		`[0-9:]+  packshots: failed bad\.jpg: [^\n]*\n\nstopping; what is in hand is finished first\s*$`)
	if strings.Contains(x.text(), "level=") {
		t.Errorf("the log is on the terminal:\n%s", x.text())
	}
	if log, err := os.ReadFile(w.path("data/hotfolder.log")); err != nil || !strings.Contains(string(log), "hotfolder stopped") {
		t.Errorf("the log: %v\n%s", err, log)
	}
}

func TestRunOnceOnATerminal(t *testing.T) {
	w := newWorld(t)
	w.drop("packshots/a.jpg", "website/b.jpg")
	x := w.atTerminal("run", "--once")
	x.wantEnd(3)
	x.wantScreen(`(?s)\nerror    AutoRetouch does not accept the login\s*\n         mend: run 'hotfolder login'.*\n0 delivered, 0 failed, 2 waiting in .*\nhotfolder: 2 not finished; `)
	w.login()
	y := w.atTerminal("run", "--once")
	y.wantEnd(0)
	y.wantScreen(`(?s)packshots  █+  1 of 1, done\s*\nwebsite    █+  1 of 1, done.*\n2 delivered, 0 failed in \S+\s*$`)
	if strings.Count(y.text(), "\x1b[") == 0 || !strings.Contains(y.text(), "\x1b[32m") {
		t.Error("nothing is drawn, or without colours")
	}
}

func TestRunOnATerminalThatShowsLines(t *testing.T) {
	for name, variable := range map[string]string{"dumb": "TERM", "no colours": "NO_COLOR"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.login()
			w.drop("packshots/a.jpg")
			x := w.atTerminalWith(map[string]string{variable: "dumb"}, "run", "--once")
			x.wantEnd(0)
			drawn, coloured := strings.Contains(x.text(), "\x1b[K"), regexp.MustCompile(`\x1b\[\d+m`).MatchString(x.text())
			if coloured || drawn != (variable == "NO_COLOR") || strings.Contains(x.text(), "level=INFO") == drawn {
				t.Errorf("drawn %v, coloured %v\n%s", drawn, coloured, x.text())
			}
		})
	}
}

func TestStatusWatchOnATerminal(t *testing.T) {
	w := newWorld(t)
	w.login()
	x := w.atTerminal("status", "--watch")
	x.expect("has never run")
	stop := w.start()
	x.expect("running since")
	w.drop("website/a.jpg")
	x.expect("1 of 1, done")
	stop()
	x.expect("not running since")
	x.stop()
	x.wantEnd(0)
	x.wantScreen(`(?s)^agent    not running since .*\npackshots  stopped\s*\nwebsite    stopped\s*\n\nCtrl-C ends the watching\s*$`)
}
