//go:build unix

package cli

import (
	"os"
	"syscall"
	"testing"
)

// A subfolder that may not be read is told by check and by a run, with its mend, and no longer when it can be.
func TestSubfolderThatMayNotBeRead(t *testing.T) {
	if os.Geteuid() == 0 { // whom no mode keeps out
		if err := syscall.Seteuid(54321); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := syscall.Seteuid(0); err != nil {
				panic(err)
			}
		})
	}
	w := newWorld(t)
	w.login()
	w.drop("packshots/shoes/red/a.jpg", "packshots/hats/b.jpg", "website/c.jpg")
	mode := func(m os.FileMode) {
		for _, dir := range []string{"shoes/red", "hats"} {
			if err := os.Chmod(w.path("in/packshots/"+dir), m); err != nil {
				t.Fatal(err)
			}
		}
	}
	mode(0)
	defer mode(0o755) // or they could not be removed
	w.want(1, `(?m)^error   packshots: subfolders may not be read, .*: hats \(permission denied\) and 1 more\n        mend: give the user .* right to read `, `hotfolder: check found 1 error, named above\n`, "check")
	w.want(1, `(?m)^1 delivered, 0 failed`, `(?s).*\nhotfolder: packshots: subfolders of the input cannot be read, .*: hats \(permission denied\) and 1 more; give the user .*\n`, "run", "--once")
	mode(0o755)
	w.want(0, `Everything is in place`, ``, "check")
	w.want(0, `(?m)^2 delivered, 0 failed`, `(?s).*`, "run", "--once")
}
