package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"
)

var highWater = regexp.MustCompile(`VmHWM:\s*(\d+) kB`)

// peak is the most that a process had at a time. Elsewhere than on Linux it is nothing.
type peak struct {
	memory int64 // bytes, resident
	files  int   // open
}

// watchPeak looks at a process from time to time until stop is called. The memory that the OS tells of a finished child begins with its
// parent's.
func watchPeak(pid int) (stop func() peak) {
	var most peak
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // none elsewhere, or when it has just ended
			if m := highWater.FindSubmatch(status); m != nil {
				kB, _ := strconv.ParseInt(string(m[1]), 10, 64)
				most.memory = kB << 10
			}
			files, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
			most.files = max(most.files, len(files))
			select {
			case <-ended:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() peak {
		close(ended)
		<-done
		return most
	}
}
