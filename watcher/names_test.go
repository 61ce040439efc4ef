package watcher_test

import (
	"runtime"
	"slices"
	"testing"

	"hotfolder/watcher"
)

// What is always ignored is so as a file, and as a folder with all in it.
func TestIgnored(t *testing.T) {
	ignored := []string{
		".hidden.jpg", ".DS_Store", "._IMG_1.jpg", ".~lock.a.jpg#", ".hotfolder-a.jpg", ".Trash-1000", ".Spotlight-V100", ".a.jpg.X3kQ9z",
		"~$a.jpg", "~a.jpg", "a.jpg~", "a.tmp", "a.jpg.TMP", "a.temp", "a.jpg.part", "a.jpg.partial", "a.crdownload", "a.download",
		"a.opdownload", "a.filepart", "a.!ut", "a.!qB", "a.aria2", ".a.jpg.swp", "a.swp",
		"Thumbs.db", "ehthumbs.db", "desktop.ini", "$RECYCLE.BIN", "RECYCLER", "System Volume Information",
		"@eaDir", "#recycle", "#snapshot", "@Recycle", "@Recently-Snapshot", "lost+found", "__MACOSX",
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
