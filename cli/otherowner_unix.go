//go:build unix

package cli

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// otherOwner names the user whom a folder belongs to, if this is root and that user is not.
func otherOwner(dir string) string {
	info, err := os.Stat(dir)
	if err != nil || os.Geteuid() != 0 {
		return ""
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return ""
	}
	id := strconv.FormatUint(uint64(owner.Uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "#" + id
}
