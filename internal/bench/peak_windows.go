package main

import "os"

// peakMemory is not told by Windows of a finished process.
func peakMemory(*os.ProcessState) int64 { return 0 }
