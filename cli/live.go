package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"

	"hotfolder/agent"
	"hotfolder/store"
	"hotfolder/tidy"
)

// live shows on a terminal how it goes, again and again in the same place.
type live struct {
	out     *os.File
	colours bool
	foot    func(agent.Status) string // what is below

	width, height int // when it was last drawn
	drawn         []string
}

// drawable tells whether a live view can be shown; otherwise lines are written.
func (a *app) drawable() bool { return obeysEscapes(a.out) }

func newLive(out io.Writer, foot func(agent.Status) string) *live {
	return &live{out: out.(*os.File), colours: hasColours(out), foot: foot}
}

const livePace = 500 * time.Millisecond

// follow shows what status tells until ctx ends, and how it ended. What goes wrong is shown in its place.
func (l *live) follow(ctx context.Context, status func(context.Context) (agent.Status, error)) error {
	tick := time.NewTicker(livePace)
	defer tick.Stop()
	for {
		ended := ctx.Err() != nil
		s, err := status(context.WithoutCancel(ctx))
		if err := l.draw(s, err); err != nil || ended {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// draw puts a frame where the last one was, in one piece, writing only over what has changed.
func (l *live) draw(s agent.Status, problem error) error {
	width, height, err := term.GetSize(int(l.out.Fd()))
	if err != nil || width < 20 || height < 5 {
		width, height = 80, 24
	}
	f := frame{width: width - 1, colours: l.colours} // a line that fills the last column may be wrapped
	foot := f.fit(f.wrap(l.foot(s), 0), 3)
	lines := append(f.status(s, problem, height-1-len(foot)), foot...)
	resized := width != l.width || height != l.height
	if !resized && slices.Equal(lines, l.drawn) {
		return nil
	}
	var b strings.Builder
	switch {
	case l.drawn == nil:
	case resized: // what was drawn may lie anywhere now
		b.WriteString("\x1b[2J\x1b[H")
	default:
		fmt.Fprintf(&b, "\r\x1b[%dA", len(l.drawn))
	}
	for i, line := range lines {
		if resized || i >= len(l.drawn) || line != l.drawn[i] {
			b.WriteString("\r" + line + "\x1b[K")
		}
		b.WriteString("\r\n")
	}
	b.WriteString("\x1b[J")
	l.width, l.height, l.drawn = width, height, lines
	_, err = io.WriteString(l.out, b.String())
	return err
}

// frame makes the lines of one picture of a status, none wider than width.
type frame struct {
	width   int
	colours bool
}

// status is at most height lines: when there is no room for all, what happened lately goes first, then the folders that rest.
func (f frame) status(s agent.Status, problem error, height int) []string {
	if problem != nil {
		return f.fit(f.wrap(strings.Join(explain(problem), "\n"), 0), height)
	}
	var head, wrong, lately []string
	head = append(head, f.wrap(agentLine(s.Agent), 9)...)
	head = append(head, f.wrap(accountLine(s.Account), 9)...)
	head = append(head, "")
	for _, t := range s.Troubles {
		level := string(t.Severity)
		text := append(f.wrap(fmt.Sprintf("%-7s  %s", level, visible(troubleText(t))), 9), f.wrap("         mend: "+visible(t.Mend), 15)...)
		text[0] = f.colour(colourOf[level], level) + strings.TrimPrefix(text[0], level)
		wrong = append(append(wrong, ""), text...)
	}
	if n := s.Counts[store.Failed]; n > 0 {
		wrong = append(append(wrong, ""), f.wrap(plural(n, "job")+" failed: 'hotfolder jobs --state failed' says why, 'hotfolder retry' takes them up again", 0)...)
	}
	for _, h := range s.Lately {
		text := visible(h.Text)
		if h.Folder != "" {
			text = visible(h.Folder) + ": " + text
		}
		lately = append(lately, f.cut(clock(h.Time)+"  "+text))
	}
	folders := f.folders(s.Folders, max(3, height-len(head)-len(wrong)))
	lines := slices.Concat(head, folders, wrong)
	if room := min(height-len(lines)-1, maxLately, len(lately)); room > 0 {
		lines = append(append(lines, ""), lately[len(lately)-room:]...)
	}
	return f.fit(append(lines, ""), height)
}

const maxLately = 5

// folders are at most room lines, the folders that have something to do or are in trouble before those that rest.
func (f frame) folders(all []agent.FolderStatus, room int) (lines []string) {
	nameWidth := 0
	shown := all
	if len(all) > room {
		shown = slices.Clone(all)
		slices.SortStableFunc(shown, func(a, b agent.FolderStatus) int { return rests(a) - rests(b) })
		shown = shown[:room-1]
	}
	for _, s := range shown {
		nameWidth = max(nameWidth, runewidth.StringWidth(visible(s.Name)))
	}
	nameWidth = min(nameWidth, max(8, f.width/4))
	for _, s := range shown {
		lines = append(lines, f.folder(s, nameWidth))
	}
	if more := len(all) - len(shown); more > 0 {
		lines = append(lines, f.cut("… and "+plural(more, "more folder")))
	}
	return lines
}

// rests is 1 for a folder in which there is nothing to see.
func rests(f agent.FolderStatus) int {
	if f.State == "error" || f.Progress != nil && f.Progress.Waiting > 0 {
		return 0
	}
	return 1
}

// folder is one line: its name, a bar, how far it is and what is special.
func (f frame) folder(s agent.FolderStatus, nameWidth int) string {
	name := runewidth.FillRight(runewidth.Truncate(visible(s.Name), nameWidth, "…"), nameWidth)
	if s.Progress == nil || s.Progress.Total() == 0 {
		text := "waits for pictures"
		if s.State != "ok" {
			text = s.State
		}
		waiting := 0
		for state, n := range s.Counts {
			if !state.Final() {
				waiting += n
			}
		}
		if waiting > 0 {
			text += ", " + plural(waiting, "picture") + " to do"
		}
		return f.cut(name + "  " + text)
	}
	p := *s.Progress
	bar := min(40, max(4, (f.width-nameWidth)/3))
	text := fmt.Sprintf("%s of %s", tidy.Number(p.Done()), tidy.Number(p.Total()))
	switch {
	case p.Waiting == 0:
		text += ", done"
	case p.SecondsLeft > 0:
		text += ", " + tidy.About(time.Duration(p.SecondsLeft)*time.Second) + " left"
	}
	if p.Failed > 0 {
		text += fmt.Sprintf(", %s failed", tidy.Number(p.Failed))
	}
	for _, state := range []store.State{store.InQA, store.PaymentRequired} {
		if n := s.Counts[state]; n > 0 {
			text += fmt.Sprintf(", %s %s", tidy.Number(n), tidy.Words(string(state)))
		}
	}
	if s.State != "ok" {
		text += ", " + s.State
	}
	full := bar * p.Done() / p.Total()
	drawn := f.colour("32", strings.Repeat("█", full)) + strings.Repeat("░", bar-full)
	return name + "  " + drawn + "  " + runewidth.Truncate(text, max(0, f.width-nameWidth-bar-4), "…")
}

var colourOf = map[string]string{levelOK: "32", levelWarning: "33", levelError: "31"}

func (f frame) colour(colour, text string) string {
	if !f.colours || colour == "" || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func (f frame) cut(line string) string { return runewidth.Truncate(line, f.width, "…") }

// fit drops what goes beyond height.
func (f frame) fit(lines []string, height int) []string {
	if len(lines) <= height {
		return lines
	}
	return append(lines[:height-1:height-1], "…")
}

// wrap breaks text into lines between its words; those after the first are indented.
func (f frame) wrap(text string, indent int) (lines []string) {
	for line := range strings.SplitSeq(text, "\n") {
		for runewidth.StringWidth(line) > f.width {
			head := runewidth.Truncate(line, f.width, "")
			if at := strings.LastIndexByte(head, ' '); at > indent {
				head = head[:at]
			}
			lines = append(lines, head)
			line = strings.Repeat(" ", indent) + strings.TrimLeft(line[len(head):], " ")
		}
		lines = append(lines, line)
	}
	return lines
}
