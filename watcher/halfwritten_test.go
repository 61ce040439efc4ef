package watcher_test

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"hotfolder/watcher"
)

// bothWays runs a test with events, and with rescans alone.
func bothWays(t *testing.T, test func(s *studio, event func(name string, op watcher.Op))) {
	t.Run("events", func(t *testing.T) {
		inStudio(t, withEvents, func(s *studio) {
			s.pass(0)
			test(s, s.event)
		})
	})
	t.Run("rescans", func(t *testing.T) {
		inStudio(t, func(s *studio) { s.o.Rescan = time.Second }, func(s *studio) {
			s.pass(0)
			test(s, func(string, watcher.Op) {})
		})
	})
}

// Explorer and robocopy give a file its full size at once, fill it with pauses longer than settle, and set the original's time
// when all is there.
func TestFilledInPlace(t *testing.T) {
	photo := jpegOf(t, 200, 200)
	original := time.Unix(1_000_000_000, 0)
	bothWays(t, func(s *studio, event func(string, watcher.Op)) {
		part := make([]byte, len(photo))
		s.write("a.jpg", part)
		event("a.jpg", watcher.Created)
		for n := 0; n < len(photo); n += len(photo) / 10 {
			copy(part, photo[:n])
			s.write("a.jpg", part)
			event("a.jpg", watcher.Changed)
			s.pass(5 * time.Second)
			s.want()
		}
		s.write("a.jpg", photo)
		event("a.jpg", watcher.Changed)
		s.pass(settle / 2)
		must(t, os.Chtimes(s.path("a.jpg"), original, original))
		event("a.jpg", watcher.Changed)
		s.pass(settle - 1)
		s.want()
		s.pass(10 * time.Second)
		s.want("a.jpg")
		if f := s.taken[0]; !f.Whole || !f.ModTime.Equal(original) {
			t.Errorf("%+v", f)
		}
	})
}

// With the original's time set from the start to the end, and the size too, only the picture tells.
func TestFilledWithoutTrace(t *testing.T) {
	photo := jpegOf(t, 200, 200)
	original := time.Unix(1_000_000_000, 0)
	bothWays(t, func(s *studio, event func(string, watcher.Op)) {
		fill := func(n int, op watcher.Op) {
			s.write("a.jpg", slices.Concat(photo[:n], make([]byte, len(photo)-n)))
			must(t, os.Chtimes(s.path("a.jpg"), original, original))
			event("a.jpg", op)
		}
		fill(0, watcher.Created)
		for n := 512; n < len(photo); n += len(photo) / 5 { // copies come in blocks
			fill(n, watcher.Changed)
			s.pass(7 * time.Second)
			s.want()
		}
		fill(len(photo), watcher.Changed)
		s.pass(20 * time.Second)
		s.want("a.jpg")
		if f := s.taken[0]; !f.Whole {
			t.Errorf("%+v", f)
		}
	})
}

// A scanner opens and closes its file for every page or band, with what is there being a whole picture each time.
func TestScanner(t *testing.T) {
	bothWays(t, func(s *studio, event func(string, watcher.Op)) {
		for n := range 10 {
			s.write("scan.jpg", jpegOf(t, 8+n, 8))
			event("scan.jpg", watcher.Changed)
			s.pass(settle - time.Second/2)
			s.want()
		}
		s.pass(10 * time.Second)
		s.want("scan.jpg")
	})
}

// What is written again after it was taken is taken again, whether that happens during Take or after it.
func TestWrittenAgain(t *testing.T) {
	bothWays(t, func(s *studio, event func(string, watcher.Op)) {
		s.refuse = func(f watcher.File) error { // it was read, then changes while it is entered as taken
			if len(s.taken) == 0 {
				s.write("a.jpg", jpegOf(t, 9, 9))
				event("a.jpg", watcher.Changed)
				time.Sleep(3 * time.Second)
			}
			return nil
		}
		s.write("a.jpg", jpegOf(t, 8, 8))
		event("a.jpg", watcher.Created)
		s.pass(time.Minute)
		s.want("a.jpg", "a.jpg")
		s.write("a.jpg", jpegOf(t, 10, 10))
		event("a.jpg", watcher.Changed)
		s.pass(time.Minute)
		s.want("a.jpg", "a.jpg", "a.jpg")
		s.pass(time.Hour)
		s.want("a.jpg", "a.jpg", "a.jpg")
	})
}

// Copies under another name, and copies that are cancelled, leave nothing behind.
func TestRenamedWhenWhole(t *testing.T) {
	photo := jpegOf(t, 100, 100)
	bothWays(t, func(s *studio, event func(string, watcher.Op)) {
		for _, n := range []string{"a.tmp", "a.jpg.part", ".a.jpg.X3kQ9z", "~a.jpg"} {
			s.write(n, photo)
			event(n, watcher.Created)
			s.pass(time.Minute)
			s.want()
			must(t, os.Remove(s.path(n)))
			event(n, watcher.Gone)
		}
		s.write("b.jpg.part", photo)
		event("b.jpg.part", watcher.Created)
		must(t, os.Rename(s.path("b.jpg.part"), s.path("b.jpg")))
		event("b.jpg.part", watcher.Gone)
		event("b.jpg", watcher.Created)
		s.pass(10 * time.Second)
		s.want("b.jpg")

		s.write("cancelled.jpg", photo[:len(photo)/2])
		event("cancelled.jpg", watcher.Created)
		s.pass(30 * time.Second)
		must(t, os.Remove(s.path("cancelled.jpg")))
		event("cancelled.jpg", watcher.Gone)
		s.pass(time.Hour)
		s.want("b.jpg")
	})
}

// Modification times may be of any year, go back, and have steps of two seconds, as on FAT.
func TestTimesOfFAT(t *testing.T) {
	bothWays(t, func(s *studio, event func(string, watcher.Op)) {
		for n, at := range []time.Time{time.Unix(0, 0), time.Unix(-3600, 0), time.Now().Add(time.Hour), time.Now().Add(50 * 365 * 24 * time.Hour)} {
			name := fmt.Sprint(n, ".jpg")
			stamp := func() { must(t, os.Chtimes(s.path(name), at.Truncate(2*time.Second), at.Truncate(2*time.Second))) }
			s.write(name, jpegOf(t, 8, 8))
			stamp()
			event(name, watcher.Created)
			s.pass(settle / 2)
			s.write(name, jpegOf(t, 100, 100)) // grown within the same two seconds
			stamp()
			event(name, watcher.Changed)
			s.pass(settle - 1)
			if got := s.names(); len(got) != n {
				t.Errorf("%s taken too soon: %q", name, got)
			}
			s.pass(10 * time.Second)
			if got := s.names(); len(got) != n+1 {
				t.Errorf("%s not taken: %q", name, got)
			}
		}
	})
}
