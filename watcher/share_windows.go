package watcher

import (
	"path/filepath"

	"golang.org/x/sys/windows"
)

// Network is "smb" for a folder on a network drive or under a UNC path, otherwise "". Servers other than Windows often do not
// tell of changes.
func Network(dir string) string {
	volume := filepath.VolumeName(dir)
	if len(volume) > 2 { // a UNC path
		return "smb"
	}
	root, err := windows.UTF16PtrFromString(volume + `\`)
	if err == nil && windows.GetDriveType(root) == windows.DRIVE_REMOTE {
		return "smb"
	}
	return ""
}
