package cli

import (
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

var wNetGetConnection = windows.NewLazySystemDLL("mpr.dll").NewProc("WNetGetConnectionW")

// uncOf is the path, beginning with \\server\share, of what lies on a drive that somebody mapped to a share; "" for other paths. It finds
// those, too, that an administrator's terminal does not see, since they were mapped in another one.
func uncOf(path string) string {
	drive := filepath.VolumeName(path)
	if len(drive) != 2 || drive[1] != ':' {
		return ""
	}
	share := connected(drive)
	if share == "" {
		share = remembered(drive)
	}
	if !strings.HasPrefix(share, `\\`) {
		return ""
	}
	return strings.TrimRight(share, `\`) + path[2:]
}

// connected is what a drive is mapped to now.
func connected(drive string) string {
	name, err := windows.UTF16PtrFromString(drive)
	if err != nil {
		return ""
	}
	share := make([]uint16, windows.MAX_LONG_PATH)
	n := uint32(len(share))
	if r, _, _ := wNetGetConnection.Call(uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(&share[0])), uintptr(unsafe.Pointer(&n))); r != 0 {
		return ""
	}
	return windows.UTF16ToString(share)
}

// remembered is what a drive is mapped to at each of the user's logons.
func remembered(drive string) string {
	k, err := registry.OpenKey(registry.CURRENT_USER, `Network\`+drive[:1], registry.QUERY_VALUE)
	if err != nil {
		return ""
	}
	defer k.Close()
	share, _, _ := k.GetStringValue("RemotePath")
	return share
}
