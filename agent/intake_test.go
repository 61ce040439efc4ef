package agent

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"hotfolder/config"
	"hotfolder/store"
	"hotfolder/watcher"
)

// A picture on a failing disk fails when the watcher has waited for long, and not for what passes by itself.
func TestAPictureThatTheDiskCannotRead(t *testing.T) {
	badSector := syscall.EIO
	if runtime.GOOS == "windows" {
		badSector = 23 // ERROR_CRC
	}
	f := &folder{Folder: config.Folder{Name: "f", Input: t.TempDir()}}
	name := filepath.Join(f.Input, "a.jpg")
	if err := os.WriteFile(name, []byte("some picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		err   error
		late  bool
		fails bool
	}{
		{badSector, false, false},
		{badSector, true, true},
		{fs.ErrPermission, true, true},
		{watcher.ErrChanged, true, false},
		{fs.ErrNotExist, true, false},
		{syscall.Errno(32), true, false}, // a sharing violation on Windows
		{context.Canceled, true, false},
	} {
		file := watcher.File{Path: "a.jpg", Size: info.Size(), ModTime: info.ModTime(), Whole: true, Late: test.late, Picture: watcher.Picture{Type: "image/jpeg", Whole: true}}
		job, seen, err := look(t.Context(), f, file, func(context.Context, io.ReadSeeker) (string, error) {
			return "", &fs.PathError{Op: "read", Path: name, Err: test.err}
		})
		failed := err == nil && job.State == store.Failed && job.SHA256 == "" && seen.Size == -1
		if failed != test.fails || !failed && err == nil {
			t.Errorf("%v, late %v: %+v, %v", test.err, test.late, job, err)
		}
		if test.fails && test.err == badSector && !strings.Contains(job.Error, fmt.Sprintf("its disk or share fails (%v): copy it again, and it is taken by itself", badSector)) {
			t.Errorf("it failed: %s", job.Error)
		}
	}
}
