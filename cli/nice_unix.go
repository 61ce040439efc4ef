//go:build unix && !linux

package cli

import (
	"os"
	"syscall"
)

func setNice(n int) error {
	return os.NewSyscallError("setpriority", syscall.Setpriority(syscall.PRIO_PROCESS, 0, n))
}
