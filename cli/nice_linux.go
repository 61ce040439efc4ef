package cli

import (
	"os"
	"strconv"
	"syscall"
)

// setNice sets the niceness of every thread: Linux knows it by thread, and those that are started later have it from these.
func setNice(n int) error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		id, err := strconv.Atoi(task.Name())
		if err != nil {
			return err
		}
		if err := syscall.Setpriority(syscall.PRIO_PROCESS, id, n); err != nil && err != syscall.ESRCH { // it ended
			return os.NewSyscallError("setpriority", err)
		}
	}
	return nil
}
