package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"
)

var highWater = regexp.MustCompile(`VmHWM:\s*(\d+) kB`)

// watchPeak reads from time to time the most memory that a process has had resident, until stop is called, which returns it in bytes.
// The figure that the OS gives of a finished child begins with its parent's. Elsewhere than on Linux it is 0.
func watchPeak(pid int) (stop func() int64) {
	var peak int64
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // none elsewhere, or when it has just ended
			if m := highWater.FindSubmatch(status); m != nil {
				kB, _ := strconv.ParseInt(string(m[1]), 10, 64)
				peak = kB << 10
			}
			select {
			case <-ended:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() int64 {
		close(ended)
		<-done
		return peak
	}
}
