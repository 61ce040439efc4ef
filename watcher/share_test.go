package watcher_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hotfolder/watcher"
)

// On a network share what other machines do is found by looking often, and the state says so, though nothing is wrong.
func TestNetworkShare(t *testing.T) {
	for rescan, every := range map[time.Duration]string{0: "10s", 3 * time.Second: "3s", time.Hour: "10s"} {
		t.Run(rescan.String(), func(t *testing.T) {
			inStudio(t, func(s *studio) {
				withEvents(s)
				s.network = "cifs"
				s.o.Rescan = rescan
			}, func(s *studio) {
				s.pass(time.Minute)
				s.write("a.jpg", jpegOf(t, 8, 8))
				s.pass(10*time.Second + settle)
				s.want("a.jpg")
				st := s.wantState(1, watcher.OK)
				if !strings.Contains(st.Advice, "network share (cifs)") || !strings.HasSuffix(st.Advice, "every "+every) {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

// Where rescans twice find files of which no event told, files are looked for more often from then on.
func TestNoEventsCome(t *testing.T) {
	inStudio(t, func(s *studio) {
		withEvents(s)
		s.o.Rescan = 10 * time.Minute
	}, func(s *studio) {
		s.pass(time.Second)
		for n := range 2 {
			s.wantState(1, watcher.OK)
			s.write(fmt.Sprint(n, ".jpg"), jpegOf(t, 8, 8))
			s.pass(10*time.Minute + settle)
		}
		if st := s.wantState(2, watcher.OK); !strings.Contains(st.Advice, "does not tell of new files") {
			t.Errorf("%+v", st)
		}
		s.write("2.jpg", jpegOf(t, 8, 8))
		s.pass(10*time.Second + settle)
		s.want("0.jpg", "1.jpg", "2.jpg")
	})
}

// Where events come, a few that are overtaken by a rescan, or by a look that was asked for, are no evidence.
func TestEventsCome(t *testing.T) {
	inStudio(t, func(s *studio) {
		withEvents(s)
		s.o.Rescan = 10 * time.Minute
	}, func(s *studio) {
		s.pass(time.Second)
		for n := range 10 {
			name := fmt.Sprint(n, ".jpg")
			s.write(name, jpegOf(t, 8, 8))
			if n%2 == 0 {
				s.folder.Look()
				s.pass(time.Minute)
				continue
			}
			s.pass(10 * time.Minute)
			s.event(name, watcher.Changed)
		}
		s.pass(time.Hour)
		if st := s.wantState(1, watcher.OK); st.Advice != "" {
			t.Errorf("%+v", st)
		}
	})
}

// After sleep, or when the clock was set, the folder is looked at at once; and nothing settles sooner or later for it.
func TestClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{-1000 * time.Hour, -2 * time.Minute, 2 * time.Minute, 1000 * time.Hour} {
		t.Run(jump.String(), func(t *testing.T) {
			inStudio(t, withEvents, func(s *studio) {
				s.pass(time.Hour)
				s.write("a.jpg", jpegOf(t, 8, 8))
				s.pass(time.Minute)
				s.want()
				s.clockOff.Add(int64(jump))
				s.pass(5*time.Second + settle/2)
				s.want()
				s.pass(settle / 2)
				s.want("a.jpg")
			})
		})
	}
}

// A clock that is corrected now and then is none that jumps.
func TestClockDrifts(t *testing.T) {
	inStudio(t, withEvents, func(s *studio) {
		s.pass(time.Minute)
		s.write("a.jpg", jpegOf(t, 8, 8))
		for range 1000 {
			s.pass(time.Minute)
			s.clockOff.Add(int64(time.Second))
		}
		s.want()
	})
}
