package cli

import (
	"os"
	"strconv"
	"syscall"
)

// setNice sets the niceness of every thread: Linux knows it by thread, and those that are started later have it from
// the one that starts them. One that is not reached yet may start another meanwhile, so it goes on until all have it.
func setNice(n int) error {
	for all := false; !all; {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		all = true
		for _, task := range tasks {
			id, err := strconv.Atoi(task.Name())
			if err != nil {
				return err
			}
			priority, err := syscall.Getpriority(syscall.PRIO_PROCESS, id)
			if err == syscall.ESRCH || err == nil && 20-priority == n { // it ended, or has it: setpriority(2), the kernel's own call
				continue
			}
			all = false
			if err := syscall.Setpriority(syscall.PRIO_PROCESS, id, n); err != nil && err != syscall.ESRCH {
				return os.NewSyscallError("setpriority", err)
			}
		}
	}
	return nil
}
