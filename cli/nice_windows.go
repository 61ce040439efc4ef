package cli

import (
	"os"

	"golang.org/x/sys/windows"
)

// setNice chooses the priority class that comes nearest: Windows has two below the usual one.
func setNice(n int) error {
	class := uint32(windows.BELOW_NORMAL_PRIORITY_CLASS)
	if n >= 10 {
		class = windows.IDLE_PRIORITY_CLASS
	}
	return os.NewSyscallError("SetPriorityClass", windows.SetPriorityClass(windows.CurrentProcess(), class))
}
