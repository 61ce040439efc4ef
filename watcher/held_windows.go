package watcher

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

const (
	openFlags = os.O_RDONLY
	dirFlags  = os.O_RDONLY
)

// held reports whether another program has the file open for writing: then it can't be opened for reading alone. The
// handle is closed at once, since it keeps writers out.
func held(path string, _ *os.File) bool {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return false
	}
	h, err := windows.CreateFile(name, windows.GENERIC_READ, windows.FILE_SHARE_READ|windows.FILE_SHARE_DELETE, nil,
		windows.OPEN_EXISTING, windows.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return sharingViolation(err)
	}
	windows.CloseHandle(h)
	return false
}

// sharingViolation reports that a file could not be opened because of how another program has it open.
func sharingViolation(err error) bool { return errors.Is(err, windows.ERROR_SHARING_VIOLATION) }

// notForUs are hidden and system files, and those of OneDrive and others whose content is elsewhere: reading one would fetch it.
const notForUs = windows.FILE_ATTRIBUTE_HIDDEN | windows.FILE_ATTRIBUTE_SYSTEM | windows.FILE_ATTRIBUTE_OFFLINE |
	windows.FILE_ATTRIBUTE_RECALL_ON_OPEN | windows.FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS

func hiddenByOS(info fs.FileInfo) bool {
	data, ok := info.Sys().(*syscall.Win32FileAttributeData)
	return ok && data.FileAttributes&notForUs != 0
}
