package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"hotfolder/agent"
)

// Each kind of trouble has an event of its own, with an id for which there is a message, and docs/windows.md names it.
func TestEachTroubleHasAnEvent(t *testing.T) {
	page, err := os.ReadFile("../docs/windows.md")
	if err != nil {
		t.Fatal(err)
	}
	used := map[uint32]bool{eventStarted: true, eventStopped: true, eventFailed: true, eventHangs: true}
	for code := range agent.Codes() {
		id := eventOf[code]
		if id == 0 || id > 1000 || used[id] {
			t.Errorf("%s has the id %d", code, id)
		}
		used[id] = true
		if !strings.Contains(string(page), fmt.Sprintf("| %d | `%s` |", id, code)) {
			t.Errorf("docs/windows.md lacks event %d, %s", id, code)
		}
	}
}

// The event log hears of a trouble when it begins and when it is over, though the log says only errors; the log hears no more than it did.
func TestTroublesBecomeEvents(t *testing.T) {
	w := newWorld(t)
	w.drop("packshots/a.jpg")
	c, err := (&app{configFile: w.file}).readyConfig()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var told []string
	var written buffer
	log := slog.New(eventHandler{slog.NewTextHandler(&written, &slog.HandlerOptions{Level: slog.LevelError}), func(l slog.Level, id uint32, text string) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, fmt.Sprintf("%s %d %s", l, id, text))
	}})
	hears := func(part string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return strings.Contains(strings.Join(told, "\n"), part)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- start{config: c, log: log.With("computer", "studio")}.run(ctx) }()
	w.await("the beginning", hears("ERROR 100 AutoRetouch does not accept the login; run 'hotfolder login'"))
	w.login()
	w.await("the end", hears("INFO 100 over: AutoRetouch does not accept the login (it lasted "))
	w.awaitFile("out/packshots/a.jpg")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if len(told) != 2 {
		t.Errorf("told %q", told)
	}
	if got := strings.Count(written.String(), "\n"); got != 1 || !strings.Contains(written.String(), "computer=studio code=login_needed") {
		t.Errorf("the log: %s", written.String())
	}
}

// What each goroutine is at when the service hangs is in the log, one a line.
func TestLogGoroutines(t *testing.T) {
	var written buffer
	logGoroutines(slog.New(slog.NewTextHandler(&written, nil)))
	for line := range strings.Lines(written.String()) {
		if !strings.Contains(line, "level=ERROR msg=goroutine stack=") {
			t.Errorf("not a line of the log: %s", line)
		}
	}
	if !strings.Contains(written.String(), "TestLogGoroutines") {
		t.Errorf("lacks this test: %s", written.String())
	}
}
