package agent_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hotfolder/agent"
	"hotfolder/sandbox"
	"hotfolder/store"
)

// evening is a studio in which the night is looked at an hour after the world begins, and uploads begin six hours later.
func evening(s studio) studio {
	local := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Local()
	s.config += "\nevening_check: \"" + local.Add(time.Hour).Format("15:04") + "\""
	s.folder += hoursFrom(7*time.Hour, 10*time.Hour) + "\n"
	return s
}

// risk is what is said of the night, by hot folder.
func (w *world) risk(folder string) string {
	s, err := w.agent.Status(context.Background())
	if err != nil {
		w.Fatal(err)
	}
	for _, t := range s.Troubles {
		if t.Code == agent.NightAtRisk && t.Folder == folder {
			return t.Text + " - " + t.Mend
		}
	}
	return ""
}

func (w *world) wantRisk(folder, want string) {
	w.Helper()
	if got := w.risk(folder); got != want {
		w.Errorf("of the night in %q is said %q, want %q", folder, got, want)
	}
}

const nextLook = 6 * time.Minute

func TestTheNightWillRunOutOfCredits(t *testing.T) {
	in(t, evening(studio{sandbox: sandbox.Options{Credits: 39}}), func(w *world) {
		for i := range 5 {
			w.drop(fmt.Sprintf("%d.jpg", i), picture(i))
		}
		w.settle(5, store.Queued)
		time.Sleep(50 * time.Minute)
		w.wantRisk("", "")
		time.Sleep(10 * time.Minute)
		w.wantRisk("", "the night will not go through: tonight will stop after 3 of 5 pictures: 11 credits short - buy credits")
		w.sandbox.SetCredits(50)
		time.Sleep(nextLook)
		w.wantRisk("", "")
		calls := w.sandbox.Books().Calls["GET /v1/organization/balance"]
		w.sandbox.SetCredits(0)
		time.Sleep(time.Hour)
		w.wantRisk("", "") // it was well, and what goes wrong in the night is told as it happens
		if n := w.sandbox.Books().Calls["GET /v1/organization/balance"] - calls; n > 13 {
			t.Errorf("%d calls in an hour", n)
		}
	})
}

func TestTheNightWillReachCreditsPerDay(t *testing.T) {
	local := time.Local
	time.Local = time.FixedZone("test", -12*3600) // so that it is noon: the night passes midnight
	defer func() { time.Local = local }()
	in(t, evening(studio{config: "limits: {credits_per_day: 20}"}), func(w *world) {
		for i := range 5 {
			w.drop(fmt.Sprintf("%d.jpg", i), picture(i))
		}
		time.Sleep(61 * time.Minute)
		w.wantRisk("", "the night will not go through: tonight will stop after 4 of 5 pictures: 10 credits short by credits_per_day - raise limits.credits_per_day")
		time.Sleep(12 * time.Hour)
		w.wantRisk("", "") // the next morning
	})
}

// What only the night's first result would show is found before: an output that can't be written to, a disk that is nearly full.
func TestTheNightWillMeetADisk(t *testing.T) {
	in(t, func() studio { s := evening(studio{}); s.idle = true; return s }(), func(w *world) {
		var full atomic.Bool
		var free atomic.Int64
		full.Store(true)
		free.Store(1 << 40)
		w.disk = func(d agent.Disk) agent.Disk {
			return watchedDisk{Disk: d, before: func(op, what string) error {
				if full.Load() && op == "write" {
					return &fs.PathError{Op: op, Path: what, Err: syscall.ENOSPC}
				}
				return nil
			}}
		}
		w.free = func(dir string) (uint64, error) {
			if strings.HasSuffix(dir, "out") {
				return uint64(free.Load()), nil
			}
			return 1 << 40, nil
		}
		w.start()
		w.drop("a.jpg", picture(1))
		time.Sleep(61 * time.Minute)
		w.wantRisk("packshots", "the night will not go through: results cannot be written to the output folder: the disk is full - connect it, make room on it or give the right to write")
		full.Store(false)
		free.Store(1 << 30)
		time.Sleep(nextLook)
		w.wantRisk("packshots", fmt.Sprintf("the night will not go through: the disk of the output folder has only 1.1 GB free, and pictures of %d B wait - make room on it", len(picture(1))))
		free.Store(2 << 30)
		time.Sleep(nextLook)
		w.wantRisk("packshots", "")
		if left := w.files("out"); len(left) > 0 {
			t.Errorf("the output has %v", left)
		}
	})
}

func TestTheNightWithoutAFolder(t *testing.T) {
	in(t, evening(studio{}), func(w *world) {
		out := filepath.Join(w.dir, "out")
		if err := os.Rename(out, out+"-away"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(61 * time.Minute)
		w.wantRisk("packshots", "the night will not go through: results cannot be written to the output folder: "+out+" is not there"+
			" - connect it, make room on it or give the right to write")
		if err := os.Rename(out+"-away", out); err != nil {
			t.Fatal(err)
		}
		time.Sleep(nextLook)
		w.wantRisk("packshots", "")
	})
}

// otherClock is an API whose clock is another one, and which can be away.
type otherClock struct {
	http.RoundTripper
	ahead time.Duration
	away  *atomic.Bool
}

func (c otherClock) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.away.Load() {
		return nil, syscall.ENETUNREACH
	}
	resp, err := c.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Header.Set("Date", time.Now().Add(c.ahead).UTC().Format(http.TimeFormat))
	}
	return resp, err
}

func TestTheNightsClockAndNetwork(t *testing.T) {
	in(t, func() studio { s := evening(studio{}); s.idle = true; return s }(), func(w *world) {
		var away atomic.Bool
		w.transport = otherClock{w.sandbox.InProcess(), -10 * time.Minute, &away}
		time.Sleep(2 * time.Hour) // it is started when the evening is there already
		w.start()
		time.Sleep(nextLook)
		w.wantRisk("", "the night will not go through: this computer's clock is 10m 00s off AutoRetouch's - set the clock")
		away.Store(true)
		time.Sleep(nextLook)
		if risk := w.risk(""); !strings.Contains(risk, "AutoRetouch cannot be reached; this computer's clock") {
			t.Error(risk)
		}
	})
}

func TestAGoodNight(t *testing.T) {
	in(t, evening(studio{}), func(w *world) {
		w.drop("a.jpg", picture(1))
		time.Sleep(24 * time.Hour)
		w.wantRisk("", "")
		w.wantRisk("packshots", "")
		if n := strings.Count(w.logged.String(), "looked at the night ahead"); n != 1 {
			t.Errorf("looked %d times\n%s", n, w.logged.String())
		}
	})
}
