//go:build unix

package watcher_test

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"hotfolder/watcher"
)

// Links are not followed, whether they lead in or out; a pipe, which would never end being read, is not opened.
func TestLinksAndPipes(t *testing.T) {
	outside := t.TempDir()
	inStudio(t, func(s *studio) {
		withEvents(s)
		s.write("a.jpg", jpegOf(t, 8, 8))
		must(t, os.WriteFile(outside+"/b.jpg", jpegOf(t, 8, 8), 0o644))
		must(t, os.Symlink(outside, s.path("folder")))
		must(t, os.Symlink(outside+"/b.jpg", s.path("out.jpg")))
		must(t, os.Symlink("a.jpg", s.path("in.jpg")))
		must(t, os.Symlink(".", s.path("loop")))
		must(t, syscall.Mkfifo(s.path("pipe.jpg"), 0o644))
	}, func(s *studio) {
		s.pass(time.Second)
		for _, n := range []string{"folder", "out.jpg", "in.jpg", "loop", "pipe.jpg"} {
			s.event(n, watcher.Created)
		}
		s.pass(10 * time.Minute)
		s.want("a.jpg")
	})
}

// A hard link is a file of its name; a device is none.
func TestHardLinksAndDevices(t *testing.T) {
	inStudio(t, func(s *studio) {
		s.write("a.jpg", jpegOf(t, 8, 8))
		must(t, os.Link(s.path("a.jpg"), s.path("b.jpg")))
		if err := syscall.Mknod(s.path("null.jpg"), syscall.S_IFCHR|0o666, 1<<8|3); err != nil {
			t.Log("without a device:", err)
		}
	}, func(s *studio) {
		s.pass(10 * time.Minute)
		s.want("a.jpg", "b.jpg")
		s.wantState(1, watcher.OK)
	})
}

// What takes a file's or a folder's place between two looks is neither waited for nor followed.
func TestReplacedAtTheLastMoment(t *testing.T) {
	outside := t.TempDir()
	must(t, os.WriteFile(outside+"/b.jpg", jpegOf(t, 8, 8), 0o644))
	replacements := map[string]func(name string) error{
		"pipe":   func(name string) error { return syscall.Mkfifo(name, 0o644) },
		"link":   func(name string) error { return os.Symlink(outside+"/b.jpg", name) },
		"folder": func(name string) error { return os.Symlink(outside, name) },
	}
	for name, replace := range replacements {
		t.Run(name, func(t *testing.T) {
			inStudio(t, func(s *studio) {
				s.write("a.jpg", jpegOf(t, 8, 8))
				s.write("sub/b.jpg", jpegOf(t, 8, 8))
				s.fault = func(op, path string) error {
					if op != "open" || path != s.path("a.jpg") && path != s.path("sub") {
						return nil
					}
					must(t, os.RemoveAll(path))
					return replace(path)
				}
			}, func(s *studio) {
				s.pass(10 * time.Minute)
				s.want()
			})
		})
	}
}

// Open opens nothing but regular files.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/file", []byte("text"), 0o644))
	must(t, os.Symlink("file", dir+"/link"))
	must(t, syscall.Mkfifo(dir+"/pipe", 0o644))
	must(t, os.Mkdir(dir+"/folder", 0o755))
	for _, name := range []string{"file", "link", "pipe", "folder", "nothing"} {
		f, err := watcher.Open(dir + "/" + name)
		if (err == nil) != (name == "file") {
			t.Errorf("%s: error %v", name, err)
		}
		f.Close()
	}
}

// What stands in the place of the lock file is not waited for.
func TestLockIsPipe(t *testing.T) {
	inStudio(t, func(s *studio) {
		s.o.Owner = "/mine"
		must(t, syscall.Mkfifo(s.path(lockName), 0o644))
	}, func(s *studio) {
		s.pass(time.Second)
		s.wantState(1, watcher.Offline)
	})
}

// The root itself may be a link.
func TestLinkedRoot(t *testing.T) {
	inStudio(t, func(s *studio) {
		s.write("sub/a.jpg", jpegOf(t, 8, 8))
		s.o.Root = t.TempDir() + "/link/"
		must(t, os.Symlink(s.root, strings.TrimSuffix(s.o.Root, "/")))
	}, func(s *studio) {
		s.pass(settle)
		s.want("sub/a.jpg")
	})
}

// What goes wrong again and again is logged at most once a minute, with how often it was left out.
func TestLogIsNotFlooded(t *testing.T) {
	inStudio(t, func(s *studio) {
		s.write("a.jpg", jpegOf(t, 8, 8))
		s.refuse = func(watcher.File) error { return errors.New("no luck") }
	}, func(s *studio) {
		s.pass(150 * time.Second) // tries after 2, 4, 8, … seconds, and then each minute
		if log := s.log.String(); strings.Count(log, "\n") != 3 || strings.Count(log, "left_out=4") != 1 {
			t.Errorf("%d lines: %s", strings.Count(log, "\n"), log)
		}
	})
}

// A subfolder that can't be read is said so once, and the rest goes on. Here its path is too long to be opened.
func TestUnreadableSubfolder(t *testing.T) {
	inStudio(t, func(s *studio) {
		s.o.Rescan = time.Second
		s.write("z.jpg", jpegOf(t, 8, 8))
		dir, err := os.OpenRoot(s.root)
		must(t, err)
		for range 5000 / 200 {
			name := strings.Repeat("d", 200)
			must(t, dir.Mkdir(name, 0o755))
			sub, err := dir.OpenRoot(name)
			must(t, err)
			dir.Close()
			dir = sub
		}
		dir.Close()
	}, func(s *studio) {
		s.pass(150 * time.Second)
		s.want("z.jpg")
		if st := s.wantState(2, watcher.OK); st.Unread.N != 1 || !strings.HasPrefix(st.Unread.Folder, "ddd") || st.Unread.Err == nil {
			t.Errorf("%+v", st)
		}
	})
}
