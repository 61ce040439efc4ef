package watcher_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hotfolder/watcher"
)

// mount mounts a new tmpfs at dir until the test ends.
func mount(t *testing.T, dir string) {
	t.Helper()
	err := unix.Mount("hotfolder-test", dir, "tmpfs", 0, "size=2m")
	if errors.Is(err, unix.EPERM) {
		t.Skip("only root may mount")
	}
	must(t, err)
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
}

func unmount(t *testing.T, dir string, flags int) {
	t.Helper()
	must(t, unix.Unmount(dir, flags))
}

// onShare puts a studio's root on a tmpfs of its own; it returns the mount point.
func onShare(s *studio) (share string) {
	real, err := filepath.EvalSymlinks(s.root)
	must(s.t, err)
	share = filepath.Join(real, "share")
	must(s.t, os.MkdirAll(share, 0o755))
	mount(s.t, share)
	s.root = filepath.Join(share, "in")
	s.o.Root = s.root
	must(s.t, os.Mkdir(s.root, 0o755))
	return share
}

// A share that goes away leaves its folder offline, not empty, even where the same path is on the bare mount point. What lies there is not
// taken. Back as another device it is watched anew.
func TestUnmounted(t *testing.T) {
	for name, flags := range map[string]int{"umount": 0, "umount -l": unix.MNT_DETACH} {
		t.Run(name, func(t *testing.T) {
			var share string
			inStudio(t, func(s *studio) {
				withEvents(s)
				share = onShare(s)
				s.write("a.jpg", jpegOf(t, 8, 8))
			}, func(s *studio) {
				s.pass(settle)
				s.want("a.jpg")
				if st := s.wantState(1, watcher.OK); st.Mount != share {
					t.Errorf("mount point %q, want %q", st.Mount, share)
				}
				if flags == unix.MNT_DETACH {
					open, err := os.Open(s.root) // for which umount would not do
					must(t, err)
					defer open.Close()
				}
				unmount(t, share, flags)
				s.write("stray.jpg", jpegOf(t, 8, 8)) // beneath the mount point
				s.pass(10 * time.Minute)
				st := s.wantState(2, watcher.Offline)
				if st.Mount != share || !strings.Contains(st.Err.Error(), "nothing is mounted at "+share) {
					t.Errorf("%+v", st)
				}
				s.want("a.jpg")

				old := s.source()
				mount(t, share)
				must(t, os.Mkdir(s.root, 0o755))
				s.write("b.jpg", jpegOf(t, 8, 8))
				s.pass(5*time.Second + settle)
				s.wantState(3, watcher.OK)
				s.want("a.jpg", "b.jpg")
				if old == s.source() || !old.closed {
					t.Error("the share is not watched anew")
				}
			})
		})
	}
}

// Between two checks the share goes away, and a file of the same look is at the same place on the bare mount point.
func TestUnmountedBeforeTake(t *testing.T) {
	inStudio(t, func(s *studio) {
		share := onShare(s)
		s.write("a.jpg", jpegOf(t, 8, 8))
		at := time.Now()
		time.AfterFunc(settle/2, func() {
			unmount(t, share, 0)
			s.write("a.jpg", jpegOf(t, 8, 8))
			must(t, os.Chtimes(s.path("a.jpg"), at, at))
		})
	}, func(s *studio) {
		s.pass(settle)
		s.want()
		s.wantState(2, watcher.Offline)
	})
}

// The share goes away in the moment in which its lock is touched, and none is left on the bare mount point.
func TestUnmountedBeforeClaim(t *testing.T) {
	inStudio(t, func(s *studio) {
		share := onShare(s)
		s.o.Owner = "/mine"
		claims := 0
		s.fault = func(op, _ string) error {
			if op == "claim" {
				if claims++; claims == 2 {
					unmount(t, share, unix.MNT_DETACH)
					must(t, os.Mkdir(s.root, 0o755))
				}
			}
			return nil
		}
	}, func(s *studio) {
		s.pass(time.Minute)
		s.wantState(2, watcher.Offline)
		if hasLock(s) {
			t.Error("the lock is on the bare mount point")
		}
	})
}

// A share that is not there at the start is known from before.
func TestUnmountedAtStart(t *testing.T) {
	var share string
	inStudio(t, func(s *studio) {
		share = onShare(s)
		s.o.Mount = share
		unmount(t, share, 0)
		s.write("stray.jpg", jpegOf(t, 8, 8))
	}, func(s *studio) {
		s.pass(time.Minute)
		s.wantState(1, watcher.Offline)
		mount(t, share)
		must(t, os.Mkdir(s.root, 0o755))
		s.write("a.jpg", jpegOf(t, 8, 8))
		s.pass(5*time.Second + settle)
		s.wantState(2, watcher.OK)
		s.want("a.jpg")
	})
}

// A look that was to be the only one fails when the share goes away in it.
func TestUnmountedOnce(t *testing.T) {
	inFakeTime := func(s *studio) error {
		share := onShare(s)
		s.write("sub/a.jpg", jpegOf(t, 8, 8))
		s.o.Once = true
		s.o.Unknown = func([]watcher.File) []watcher.File { unix.Unmount(share, unix.MNT_DETACH); return nil }
		s.open()
		return <-s.ended
	}
	if err := inFakeTime(newStudio(t)); err == nil {
		t.Error("no error")
	}
}

// A read-only folder is watched as any other, though no lock can be made; but one that is there counts.
func TestReadOnlyShare(t *testing.T) {
	for name, health := range map[string]watcher.Health{"no lock": watcher.OK, "lock": watcher.Claimed} {
		t.Run(name, func(t *testing.T) {
			inStudio(t, func(s *studio) {
				share := onShare(s)
				s.o.Owner = "/mine"
				s.write("a.jpg", jpegOf(t, 8, 8))
				if health == watcher.Claimed {
					leaveLock(t, s.root, "elsewhere", 1, "/other")
				}
				must(t, unix.Mount("", share, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
			}, func(s *studio) {
				s.pass(settle)
				s.wantState(1, health)
				s.pass(5 * time.Minute)
				s.want("a.jpg")
			})
		})
	}
}

// No lock is made on a bare mount point.
func TestLockUnmounted(t *testing.T) {
	inStudio(t, func(s *studio) {
		share := onShare(s)
		s.o.Mount, s.o.Owner = share, "/mine"
		unmount(t, share, 0)
		must(t, os.Mkdir(s.root, 0o755))
	}, func(s *studio) {
		s.pass(time.Minute)
		s.wantState(1, watcher.Offline)
		if hasLock(s) {
			t.Error("a lock on the bare mount point")
		}
	})
}

// A Root tells a folder from a bare mount point, through links, and takes another device at the same place.
func TestRoot(t *testing.T) {
	s := newStudio(t)
	share := onShare(s)
	link := filepath.Join(filepath.Dir(share), "link")
	must(t, os.Symlink(s.root, link))
	r := watcher.NewRoot(link, "")
	if err := r.Check(); err != nil || r.Mount() != share {
		t.Fatalf("mounted: %v, mount point %q", err, r.Mount())
	}
	unmount(t, share, 0)
	if err := r.Check(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("unmounted: %v", err)
	}
	must(t, os.Mkdir(s.root, 0o755))
	for _, r := range []*watcher.Root{r, watcher.NewRoot(link, share)} {
		if err := r.Check(); err == nil || r.Mount() != share {
			t.Errorf("bare: %v, mount point %q", err, r.Mount())
		}
	}
	mount(t, share)
	must(t, os.Mkdir(s.root, 0o755))
	if err := r.Check(); err != nil || r.Mount() != share {
		t.Errorf("mounted again: %v, mount point %q", err, r.Mount())
	}

	must(t, os.Remove(link)) // it leads elsewhere on purpose
	must(t, os.Symlink(filepath.Dir(share), link))
	if err := r.Check(); err != nil || r.Mount() == share {
		t.Errorf("elsewhere: %v, mount point %q", err, r.Mount())
	}
}
