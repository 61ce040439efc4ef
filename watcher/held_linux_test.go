package watcher_test

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A whole picture is left alone as long as a program has it open for writing.
func TestHeldForWriting(t *testing.T) {
	var held *os.File
	inStudio(t, func(s *studio) {
		var fs unix.Statfs_t
		must(t, unix.Statfs(s.root, &fs))
		if fs.Type != unix.EXT4_SUPER_MAGIC && fs.Type != unix.TMPFS_MAGIC && fs.Type != unix.XFS_SUPER_MAGIC {
			t.Skipf("file system %#x may not tell who writes", fs.Type)
		}
		s.write("a.jpg", jpegOf(t, 8, 8))
		var err error
		held, err = os.OpenFile(s.path("a.jpg"), os.O_WRONLY|os.O_APPEND, 0)
		must(t, err)
	}, func(s *studio) {
		s.pass(10 * time.Minute)
		s.want()
		must(t, held.Close())
		s.pass(10 * time.Second)
		s.want("a.jpg")
	})
}
