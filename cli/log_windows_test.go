package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hotfolder/config"
)

// While somebody follows the log it cannot be renamed. It loses nothing, and is rotated as soon as it can be.
func TestALogThatIsFollowedLosesNothing(t *testing.T) {
	c := config.Default()
	c.Log.File, c.Log.MaxSizeMB, c.Log.Compress = filepath.Join(t.TempDir(), "hotfolder.log"), 1, false
	log, closer := openLog(&c, "", nil)
	defer closer.Close()
	log.Info("first")
	follower, err := os.Open(c.Log.File)
	if err != nil {
		t.Fatal(err)
	}
	defer follower.Close()
	long := strings.Repeat("x", 100<<10)
	for range 12 {
		log.Info("line", "of", long)
	}
	text, err := os.ReadFile(c.Log.File)
	if n := bytes.Count(text, []byte("msg=line")); n != 12 || !bytes.Contains(text, []byte("msg=first")) {
		t.Errorf("the log has %d of 12 lines, %v", n, err)
	}
	follower.Close()
	log.Info("last")
	text, err = os.ReadFile(c.Log.File)
	if !bytes.Contains(text, []byte("msg=last")) || len(text) > 1000 {
		t.Errorf("the log was not rotated: %d bytes, %v", len(text), err)
	}
}
