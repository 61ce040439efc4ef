package cli

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"hotfolder/agent"
	"hotfolder/config"
	"hotfolder/store"
)

var escapes = regexp.MustCompile(`\x1b\[[0-9]*m`)

func crowd(folders int) agent.Status {
	balance := 12345
	now := time.Now()
	s := agent.Status{
		Counts:  map[store.State]int{store.Failed: 3},
		Agent:   agent.ProcessStatus{Running: true, Since: now, Version: "1.2.3", PerHour: 1284},
		Account: agent.AccountStatus{State: "ok", Balance: &balance, CreditsToday: 678},
		Troubles: []agent.Trouble{
			{Severity: agent.Error, Text: "AutoRetouch does not accept the login", Mend: "run 'hotfolder login'; the queue is kept and goes on by itself"},
			{Severity: agent.Warning, Folder: "衣装", Text: strings.Repeat("ohneLeerzeichen", 20), Mend: "wait\x1b[2J"},
		},
	}
	for i := range 8 {
		s.Lately = append(s.Lately, agent.Happening{Time: now, Severity: agent.Error, Folder: "f", Text: fmt.Sprintf("failed %d.jpg: \x1b]0;title\a%s", i, strings.Repeat("long ", 30))})
	}
	for i := range folders {
		f := agent.FolderStatus{Name: fmt.Sprintf("%s %d", []string{"衣装 写真 🧥 と 靴 と 鞄", "packshots", "\x1b[31mred", strings.Repeat("long", 30)}[i%4], i), State: "ok", Progress: &agent.Progress{}}
		if i%3 == 2 {
			f.Progress = &agent.Progress{Delivered: i, Failed: 1, Waiting: i, SecondsLeft: 100 * i}
			f.Counts = map[store.State]int{store.InQA: 2}
		}
		s.Folders = append(s.Folders, f)
	}
	return s
}

// However small the terminal and however odd the names, no line is too long and there are not too many of them.
func TestFrameFits(t *testing.T) {
	for _, folders := range []int{0, 1, 20, 300} {
		for width := 19; width < 130; width += 11 {
			for height := 3; height < 60; height += 7 {
				for name, problem := range map[string]error{"well": nil, "unwell": errors.New(strings.Repeat("the disk is full ", 20))} {
					f := frame{width: width, colours: true}
					lines := f.status(crowd(folders), problem, height)
					if len(lines) > height || len(lines) == 0 {
						t.Fatalf("%s, %d folders, %d by %d: %d lines", name, folders, width, height, len(lines))
					}
					for _, line := range lines {
						bare := escapes.ReplaceAllString(line, "")
						if w := runewidth.StringWidth(bare); w > width || strings.ContainsAny(bare, "\x1b\a\n\r\t") {
							t.Fatalf("%s, %d folders, %d by %d: %d wide: %q", name, folders, width, height, w, line)
						}
					}
				}
			}
		}
	}
}

func TestFrameTellsWhatMatters(t *testing.T) {
	shown := func(s agent.Status, height int) string {
		return strings.Join(frame{width: 100}.status(s, nil, height), "\n")
	}
	s := crowd(20)
	all := shown(s, 60)
	for _, want := range []string{
		"1,284 results in the last hour", "12,345 credits, 678 spent today", "error    AutoRetouch does not accept the login\n",
		"mend: run 'hotfolder login'", "packshots 5 ", "█░", "6 of 11, about 8m left, 1 failed, 2 in QA", "waits for pictures", "3 jobs failed: 'hotfolder jobs",
		"failed 7.jpg",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in\n%s", want, all)
		}
	}
	if strings.Contains(all, "failed 2.jpg") { // only the last
		t.Error(all)
	}
	if less := shown(s, 24); strings.Contains(less, "failed 7.jpg") || !strings.Contains(less, "mend: run") || !strings.Contains(less, "6 of 11") ||
		!strings.Contains(less, "… and 12 more folders") {
		t.Errorf("with little room:\n%s", less)
	}
	s.Agent.Running, s.Folders[5].Progress, s.Folders[5].State = false, nil, "stopped"
	if got := shown(s, 60); !strings.Contains(got, "not running") || !strings.Contains(got, "stopped, 2 pictures to do") {
		t.Errorf("of an agent that does not run:\n%s", got)
	}
}

func TestPageLine(t *testing.T) {
	running := agent.Status{Agent: agent.ProcessStatus{Running: true}}
	off := running
	off.Troubles = []agent.Trouble{{Code: agent.PageOffline}}
	for listen, want := range map[string]string{
		"":               "",
		"127.0.0.1:8765": "http://127.0.0.1:8765 shows more, ",
		"[::1]:8765":     "http://[::1]:8765 shows more, ",
		":80":            "http://localhost:80 shows more, ",
		"0.0.0.0:80":     "http://localhost:80 shows more, ",
		"studio:80":      "http://studio:80 shows more, ",
	} {
		c := config.Default()
		c.Dashboard.Listen = listen
		if got := pageLine(&c, running); got != want {
			t.Errorf("%s: %q, want %q", listen, got, want)
		}
		if got := pageLine(&c, off) + pageLine(&c, agent.Status{}); got != "" {
			t.Errorf("%s: %q of no page", listen, got)
		}
	}
}
