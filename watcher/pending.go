package watcher

import (
	"errors"
	"io"
	"os"
)

// Pending tells whether a folder, relative to the root and with slashes, holds a file that was not taken yet as it is now, whatever
// it waits for; files for which except is true are passed over. It does not look into subfolders. An error: the root can't be
// looked at, or the folder can't be read.
func (f *Folder) Pending(dir string, except func(path string) bool) (bool, error) {
	if err := f.identity.Check(); err != nil {
		return false, err
	}
	d, err := os.Open(f.osPath(dir))
	if err != nil {
		if dir != "." && vanished(err) {
			return false, nil
		}
		return false, err
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(chunkOfEntries)
		for _, e := range entries {
			rel := below(dir, e.Name())
			if !e.Type().IsRegular() || !f.wantsFile(rel) {
				continue
			}
			size, modTime, ours, err := statIn(d, e)
			if err == nil && ours && !f.known(rel, size, modTime) && !except(rel) {
				return true, nil
			}
		}
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
}
