package watcher_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"hotfolder/watcher"
)

// What is always ignored is so as a file, and as a folder with all in it.
func TestIgnored(t *testing.T) {
	ignored := []string{
		".hidden.jpg", ".DS_Store", "._IMG_1.jpg", ".~lock.a.jpg#", ".hotfolder-a.jpg", ".Trash-1000", ".Spotlight-V100", ".a.jpg.X3kQ9z",
		"~$a.jpg", "~a.jpg", "a.jpg~", "a.tmp", "a.jpg.TMP", "a.temp", "a.jpg.part", "a.jpg.partial", "a.crdownload", "a.download",
		"a.opdownload", "a.filepart", "a.!ut", "a.!qB", "a.aria2", ".a.jpg.swp", "a.swp",
		"Thumbs.db", "ehthumbs.db", "desktop.ini", "$RECYCLE.BIN", "RECYCLER", "System Volume Information",
		"@eaDir", "#recycle", "#snapshot", "@Recycle", "@Recently-Snapshot", "lost+found", "__MACOSX", "_STATUS.html",
	}
	if runtime.GOOS != "windows" {
		ignored = append(ignored, "Icon\r") // no name there
	}
	wanted := []string{"IMG_1.jpg", "a b.jpg", "tmp.jpg", "part.jpg", "thumbs.db.jpg", "#1.jpg", "@home.jpg", "a.part.jpg", "-.jpg", "no suffix"}
	inStudio(t, func(s *studio) {
		s.o.Include = nil
		for _, n := range slices.Concat(ignored, wanted) {
			s.write(n, jpegOf(t, 8, 8))
			s.write("folders/"+n+"/in it.jpg", jpegOf(t, 8, 8))
		}
	}, func(s *studio) {
		s.pass(settle)
		want := slices.Clone(wanted)
		for _, n := range wanted {
			want = append(want, "folders/"+n+"/in it.jpg")
		}
		slices.Sort(want)
		s.want(want...)
	})
}

// Events do not bring in what a walk passes over.
func TestIgnoredEvents(t *testing.T) {
	inStudio(t, func(s *studio) {
		withEvents(s)
		s.o.Exclude = []string{"web"}
	}, func(s *studio) {
		s.pass(0)
		for _, n := range []string{".hidden.jpg", "a.txt", "web/a.jpg", "@eaDir/a.jpg"} {
			s.write(n, jpegOf(t, 8, 8))
		}
		for _, n := range []string{".hidden.jpg", "a.txt", "web", "@eaDir"} {
			s.event(n, watcher.Created)
			s.event(n, watcher.Changed)
		}
		s.pass(settle)
		s.want()
	})
}

// Names that look the same, NFC and NFD, or differ in case alone, are as many files as the file system makes of them.
func TestTwins(t *testing.T) {
	names := []string{"Gr\u00fc\u00dfe.jpg", "Gru\u0308\u00dfe.jpg", "GR\u00dc\u00dfE.JPG", "gr\u00fc\u00dfe.jpg"}
	inStudio(t, withEvents, func(s *studio) {
		s.pass(0)
		for _, n := range names {
			s.write(n, jpegOf(t, 8, 8))
			s.event(n, watcher.Created)
		}
		entries, err := os.ReadDir(s.root)
		must(t, err)
		var want []string
		for _, e := range entries {
			want = append(want, e.Name())
		}
		slices.Sort(want)
		s.pass(settle)
		if got := slices.Compact(s.names()); len(want) == len(names) && !slices.Equal(got, want) || len(got) == 0 {
			t.Errorf("taken %q, want %q", got, want)
		}
	})
}

// A file or folder that is renamed by case alone is found under its new name.
func TestCaseOnlyRename(t *testing.T) {
	inStudio(t, withEvents, func(s *studio) {
		s.pass(0)
		s.write("img.jpg", jpegOf(t, 8, 8))
		s.write("sub/b.jpg", jpegOf(t, 8, 8))
		s.event("img.jpg", watcher.Created)
		s.event("sub", watcher.Created)
		s.pass(settle / 2)
		must(t, os.Rename(s.path("img.jpg"), s.path("IMG.JPG")))
		s.event("img.jpg", watcher.Gone)
		s.event("IMG.JPG", watcher.Created)
		must(t, os.Rename(s.path("sub"), s.path("SUB")))
		s.event("sub", watcher.GoneFolder)
		s.event("SUB", watcher.Created)
		s.pass(2 * settle)
		got := s.names()
		if !slices.Contains(got, "IMG.JPG") || !slices.Contains(got, "SUB/b.jpg") {
			t.Errorf("taken %q", got)
		}
	})
}

// No name makes a line of its own in the log or in a state.
func TestNamesInMessages(t *testing.T) {
	const name = "evil\n\x1b[2Jlevel=ERROR msg=forged\u202e.jpg"
	if runtime.GOOS == "windows" {
		t.Skip("has no such names")
	}
	inStudio(t, func(s *studio) {
		s.root += "/in" + name
		s.o.Root, s.o.Owner = s.root, "/mine"
		must(t, os.Mkdir(s.root, 0o755))
		s.write(name, jpegOf(t, 8, 8))
		s.write("sub"+name+"/a.jpg", jpegOf(t, 8, 8))
		s.fault = func(op, path string) error {
			if op == "open" && path != s.root && time.Since(s.start) < time.Minute {
				return &fs.PathError{Op: op, Path: path, Err: errors.New("no luck")}
			}
			return nil
		}
		s.refuse = func(f watcher.File) error { return fmt.Errorf("refused %s", f.Path) }
		leaveLock(t, s.root, "host\nforged", 1, "/data\nforged")
	}, func(s *studio) {
		s.pass(time.Minute)
		st := s.wantState(1, watcher.Claimed)
		s.pass(10 * time.Minute)
		log := s.log.String() + st.Err.Error()
		if strings.ContainsAny(log, "\x1b\u202e") || strings.Contains(log, "\nforged") || strings.Contains(log, "\nlevel") || !strings.Contains(log, "refused") {
			t.Errorf("log: %q", log)
		}
	})
}
