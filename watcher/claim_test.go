package watcher_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/watcher"
)

const lockName = ".hotfolder-lock"

// leaveLock leaves the lock of another agent in a folder.
func leaveLock(t *testing.T, dir, host string, pid int, owner string) {
	t.Helper()
	b, err := json.Marshal(map[string]any{"host": host, "pid": pid, "owner": owner, "since": "2026-01-02T03:04:05+01:00", "token": host + owner})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, lockName), b, 0o644))
}

func hasLock(s *studio) bool {
	_, err := os.Lstat(s.path(lockName))
	return err == nil
}

const noProcess = 1 << 30

func thisHost(t *testing.T) string {
	host, err := os.Hostname()
	must(t, err)
	return host
}

// The second agent on a folder waits for the end of the first, which it names.
func TestTwoAgents(t *testing.T) {
	inStudio(t, func(s *studio) {
		s.o.Owner = "/first"
		s.write("a.jpg", jpegOf(t, 8, 8))
	}, func(s *studio) {
		s.pass(time.Second)
		second := newStudio(t)
		second.root, second.o.Root, second.o.Owner = s.root, s.root, "/second\n"
		second.open()
		defer func() {
			second.close()
			if hasLock(s) {
				t.Error("a lock is left behind")
			}
		}()
		s.pass(time.Hour)
		s.want("a.jpg")
		second.want()
		st := second.wantState(1, watcher.Claimed)
		if !errors.Is(st.Err, watcher.ErrClaimed) || !strings.Contains(st.Err.Error(), fmt.Sprintf(`process %d, data folder "/first"`, os.Getpid())) {
			t.Errorf("%+v", st)
		}
		s.stop()
		s.pass(5*time.Second + settle)
		second.wantState(2, watcher.OK)
		second.want("a.jpg")
	})
}

// What locks are left behind, and how soon the folder is watched nevertheless.
func TestLockLeftBehind(t *testing.T) {
	tests := map[string]struct {
		host  string
		pid   int
		owner string
		after time.Duration
	}{
		"own":                          {thisHost(t), noProcess, "/mine", 0},
		"own, its number in use again": {thisHost(t), os.Getpid(), "/mine", 0},
		"ended, same computer":         {thisHost(t), noProcess, "/other", 20 * time.Second},
		"alive, same computer":         {thisHost(t), os.Getpid(), "/other", 2 * time.Minute},
		"other computer":               {"elsewhere", noProcess, "/mine", 2 * time.Minute},
		"garbage":                      {"", 0, "", 2 * time.Minute},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inStudio(t, func(s *studio) {
				s.o.Owner = "/mine"
				leaveLock(t, s.root, test.host, test.pid, test.owner)
				if name == "garbage" {
					must(t, os.WriteFile(s.path(lockName), nil, 0o644))
				}
				s.write("a.jpg", jpegOf(t, 8, 8))
			}, func(s *studio) {
				if test.after > 0 {
					s.pass(test.after - time.Second)
					s.wantState(1, watcher.Claimed)
					s.want()
				}
				if test.after > 0 {
					s.pass(11 * time.Second)
				}
				s.pass(settle)
				s.want("a.jpg")
			})
		})
	}
}

// What a crash in the middle of taking a folder over left there goes with the next claim, and only that.
func TestTakeOverThatCrashed(t *testing.T) {
	dir := t.TempDir()
	others := watcher.NewClaim(dir, "/other").Away()
	must(t, os.WriteFile(others, nil, 0o644))
	must(t, os.WriteFile(watcher.NewClaim(dir, "/mine").Away(), nil, 0o644))
	c := watcher.NewClaim(dir, "/mine")
	must(t, c.Hold())
	c.Release()
	left, err := os.ReadDir(dir)
	must(t, err)
	if len(left) != 1 || left[0].Name() != filepath.Base(others) {
		t.Errorf("left behind: %v", left)
	}
}

// A lock that is touched is never taken over, whatever the other's clock says and whether its process can be seen; and an agent whose
// lock was taken over, after it slept, lets go.
func TestLockTouched(t *testing.T) {
	inStudio(t, func(s *studio) {
		s.o.Owner = "/mine"
	}, func(s *studio) {
		s.pass(time.Minute)
		s.wantState(1, watcher.OK)
		leaveLock(t, s.root, thisHost(t), noProcess, "/mine") // taken over
		s.write("a.jpg", jpegOf(t, 8, 8))
		for n := range 100 {
			at := time.Unix(1000, 0).Add(time.Duration(-n) * 15 * time.Second)
			must(t, os.Chtimes(s.path(lockName), at, at))
			s.pass(15 * time.Second)
		}
		s.wantState(2, watcher.Claimed)
		s.want()
		s.pass(2*time.Minute + 5*time.Second + settle)
		s.wantState(3, watcher.OK)
		s.want("a.jpg")
		before, err := os.Stat(s.path(lockName))
		must(t, err)
		s.pass(10 * time.Second)
		after, err := os.Stat(s.path(lockName))
		must(t, err)
		if before.ModTime().Equal(after.ModTime()) {
			t.Error("the lock is not touched")
		}
		must(t, os.Remove(s.path(lockName))) // by a person who tidies up
		s.pass(5 * time.Second)
		if !hasLock(s) {
			t.Error("the lock is not made again")
		}
	})
}

// Of many agents that find no lock, or an abandoned one, one has the folder.
func TestTakeOverRace(t *testing.T) {
	for round := range 50 {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			if round%2 == 0 {
				leaveLock(t, dir, "elsewhere", 1, "/gone")
			}
			var claims []*watcher.Claim
			for n := range 8 {
				claims = append(claims, watcher.NewClaim(dir, fmt.Sprint("/agent", n)))
			}
			hold := func() (held int) {
				var all sync.WaitGroup
				var mu sync.Mutex
				for _, c := range claims {
					all.Go(func() {
						err := c.Hold()
						mu.Lock()
						defer mu.Unlock()
						switch {
						case err == nil:
							held++
						case !errors.Is(err, watcher.ErrClaimed):
							t.Error(err)
						}
					})
				}
				all.Wait()
				return held
			}
			held := 0
			for range 28 {
				if held = hold(); held > 1 {
					t.Fatalf("%d hold it", held)
				}
				time.Sleep(5 * time.Second)
			}
			if held != 1 {
				t.Errorf("%d hold it in the end", held)
			}
			for _, c := range claims {
				c.Release()
			}
			left, err := os.ReadDir(dir)
			must(t, err)
			if len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestClaimedBy(t *testing.T) {
	dir := t.TempDir()
	host, _ := os.Hostname()
	for name, test := range map[string]struct {
		lock string
		age  time.Duration
		want bool
	}{
		"nobody":        {"", 0, false},
		"its own":       {fmt.Sprintf(`{"host":%q,"pid":1,"owner":"/data","token":"x"}`, host), 0, false},
		"another":       {fmt.Sprintf(`{"host":%q,"pid":%d,"owner":"/other","token":"x"}`, host, os.Getpid()), 0, true},
		"another, dead": {fmt.Sprintf(`{"host":%q,"pid":999999999,"owner":"/other","token":"x"}`, host), 0, false},
		"elsewhere":     {`{"host":"studio-2","pid":999999999,"owner":"/data","token":"x"}`, time.Minute, true},
		"long ago":      {`{"host":"studio-2","pid":1,"owner":"/data","token":"x"}`, time.Hour, false},
	} {
		file := filepath.Join(dir, ".hotfolder-lock")
		_ = os.Remove(file)
		if test.lock != "" {
			if err := os.WriteFile(file, []byte(test.lock), 0o644); err != nil {
				t.Fatal(err)
			}
			then := time.Now().Add(-test.age)
			if err := os.Chtimes(file, then, then); err != nil {
				t.Fatal(err)
			}
		}
		if err := watcher.ClaimedBy(dir, "/data"); errors.Is(err, watcher.ErrClaimed) != test.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
