package installer

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

type fakeEvents struct{ told []string }

func (f *fakeEvents) tell(kind string, id uint32, text string) error {
	f.told = append(f.told, fmt.Sprintf("%s %d %s", kind, id, text))
	return nil
}

func (f *fakeEvents) Info(id uint32, text string) error    { return f.tell("info", id, text) }
func (f *fakeEvents) Warning(id uint32, text string) error { return f.tell("warning", id, text) }
func (f *fakeEvents) Error(id uint32, text string) error   { return f.tell("error", id, text) }
func (f *fakeEvents) Close() error                         { return f.tell("closed", 0, "") }

func TestEvents(t *testing.T) {
	var none *Events
	none.Tell(slog.LevelError, 3, "nobody hears it")
	none.Close()
	f := &fakeEvents{}
	e := &Events{f}
	e.Tell(slog.LevelInfo, 1, "began")
	e.Tell(slog.LevelWarn, 100, "over\x00there")
	e.Tell(slog.LevelError, 3, strings.Repeat("x", 1<<20))
	e.Close()
	if want := []string{"info 1 began", "warning 100 overthere", "error 3 " + strings.Repeat("x", maxEvent), "closed 0 "}; !slices.Equal(f.told, want) {
		t.Errorf("told %.200q", f.told)
	}
}

// The event log of the machine takes what it is told.
func TestEventLog(t *testing.T) {
	e := OpenEvents()
	if e == nil {
		t.Skip("there is no event log here")
	}
	defer e.Close()
	if err := e.log.Info(1, "hotfolder's test was here"); err != nil {
		t.Error(err)
	}
}
