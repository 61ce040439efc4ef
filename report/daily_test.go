package report_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/report"
)

// mornings is an agent that makes daily reports.
type mornings struct {
	*testing.T
	file string
	stop func()

	mu    sync.Mutex
	made  []string // since and until of those delivered
	fails error
	heard error
}

func (m *mornings) start() {
	d := report.Daily{
		At: "07:00", File: m.file, Log: slog.New(slog.DiscardHandler),
		Make: func(_ context.Context, since, until time.Time) (report.Report, error) {
			return report.Report{Since: since, Until: until}, nil
		},
		Deliver: func(_ context.Context, r report.Report) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.fails == nil {
				m.made = append(m.made, r.Since.Format("02 15:04")+" to "+r.Until.Format("02 15:04"))
			}
			return m.fails
		},
		Heard: func(err error) { m.mu.Lock(); defer m.mu.Unlock(); m.heard = err },
	}
	ctx, cancel := context.WithCancel(m.Context())
	var wg sync.WaitGroup
	wg.Go(func() { d.Run(ctx) })
	m.stop = func() { cancel(); wg.Wait() }
}

// at lets time pass until then, and wants these to have been made.
func (m *mornings) at(then string, want ...string) {
	m.Helper()
	t, err := time.ParseInLocation("2006-01-02 15:04:05", "2000-01-"+then+":30", time.Local)
	if err != nil {
		m.Fatal(err)
	}
	time.Sleep(time.Until(t))
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Equal(m.made, want) {
		m.Errorf("by %s %q were made, want %q", then, m.made, want)
	}
	m.made = nil
}

func TestDaily(t *testing.T) {
	local := time.Local
	time.Local = berlin
	defer func() { time.Local = local }()
	synctest.Test(t, func(t *testing.T) { // from midnight UTC on 2000-01-01
		m := &mornings{T: t, file: filepath.Join(t.TempDir(), "report.json")}
		m.start() // the first time: nothing is made up
		m.at("01 06:58")
		m.at("01 07:01", "31 07:00 to 01 07:00")
		m.at("03 06:50", "01 07:00 to 02 07:00")
		m.stop() // for two mornings
		m.at("05 15:00")
		m.start()
		m.at("05 15:01", "02 07:00 to 05 07:00")
		m.stop()
		m.start()
		m.at("06 06:00")
		m.mu.Lock()
		m.fails = errors.New("the share is away")
		m.mu.Unlock()
		m.at("06 09:00")
		if m.heard == nil {
			t.Error("nobody was told")
		}
		m.mu.Lock()
		m.fails = nil
		m.mu.Unlock()
		m.at("06 09:12", "05 07:00 to 06 07:00")
		if m.heard != nil {
			t.Error("nobody was told that it is over")
		}
		m.stop()
		for _, content := range []string{"{", `{"until":"2001-01-01T07:00:00Z"}`} { // damaged; of a clock that was wrong
			if err := os.WriteFile(m.file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			m.start()
			m.at(fmt.Sprintf("%02d 06:59", time.Now().Add(22*time.Hour).Day()))
			m.at(fmt.Sprintf("%02d 07:01", time.Now().Day()), fmt.Sprintf("%02d 07:00 to %02d 07:00", time.Now().Day()-1, time.Now().Day()))
			m.stop()
		}
	})
}

func TestFileNames(t *testing.T) {
	r := report.Report{Until: at("23 07:00").In(berlin)}
	if r.FileName(1) != "hotfolder-2026-11-23.html" || r.FileName(2) != "hotfolder-2026-11-23_2.html" {
		t.Error(r.FileName(1), r.FileName(2))
	}
}
