package watcher

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

const dirFlags = os.O_RDONLY

// openFile lets others rename, replace and delete the file meanwhile, as other systems do and os.Open here does not.
func openFile(name string) (*os.File, error) {
	h, err := openShared(name, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(h), name), nil
}

// openShared opens a file, or a folder, for reading; share is what others may do with it meanwhile.
func openShared(name string, share uint32) (windows.Handle, error) {
	path, err := LongPath(name)
	if err != nil {
		return windows.InvalidHandle, err
	}
	return windows.CreateFile(path, windows.GENERIC_READ, share, nil, windows.OPEN_EXISTING, windows.FILE_FLAG_BACKUP_SEMANTICS, 0)
}

// LongPath is a path as Windows takes it at any length.
func LongPath(path string) (*uint16, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	switch {
	case len(abs) < 248 || abs[:4] == `\\?\`:
	case abs[:2] == `\\`:
		abs = `\\?\UNC` + abs[1:]
	default:
		abs = `\\?\` + abs
	}
	return windows.UTF16PtrFromString(abs)
}

// held reports whether another program has the file open for writing: then it can't be opened for reading alone. The
// handle is closed at once, since it keeps writers out.
func held(path string, _ *os.File) bool {
	h, err := openShared(path, windows.FILE_SHARE_READ|windows.FILE_SHARE_DELETE)
	if err != nil {
		return sharingViolation(err)
	}
	windows.CloseHandle(h)
	return false
}

// WhileHeld renames, removes or opens a file and, while Windows refuses that since another program has it open, a virus scanner or a preview for
// instance, tries again for about a second.
func WhileHeld(do func() error) (err error) {
	for wait := time.Millisecond; wait < time.Second; wait *= 2 {
		err = do()
		if !errors.Is(err, windows.ERROR_ACCESS_DENIED) && !sharingViolation(err) {
			break
		}
		time.Sleep(wait)
	}
	return err
}

// sharingViolation reports that a file could not be opened because of how another program has it open.
func sharingViolation(err error) bool { return errors.Is(err, windows.ERROR_SHARING_VIOLATION) }

func faulty(err error) bool {
	return errors.Is(err, windows.ERROR_CRC) || errors.Is(err, windows.ERROR_SECTOR_NOT_FOUND) || errors.Is(err, windows.ERROR_READ_FAULT) ||
		errors.Is(err, windows.ERROR_IO_DEVICE) || errors.Is(err, windows.ERROR_FILE_CORRUPT) || errors.Is(err, windows.ERROR_DISK_CORRUPT)
}

// What is not for us: hidden and system files, and those of OneDrive and others whose content is elsewhere, as reading one would fetch it.
const (
	hidden = windows.FILE_ATTRIBUTE_HIDDEN | windows.FILE_ATTRIBUTE_SYSTEM
	cloud  = windows.FILE_ATTRIBUTE_OFFLINE | windows.FILE_ATTRIBUTE_RECALL_ON_OPEN | windows.FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS
)

func hiddenByOS(info fs.FileInfo) bool { return attributes(info)&(hidden|cloud) != 0 }

func attributes(info fs.FileInfo) uint32 {
	if data, ok := info.Sys().(*syscall.Win32FileAttributeData); ok {
		return data.FileAttributes
	}
	return 0
}
