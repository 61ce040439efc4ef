package store

import "os"

// release closes a file that bbolt locked and mapped and did not close itself. The lock goes with the handle.
func release(f *os.File) error { return f.Close() }
