//go:build !linux && !windows

package watcher

// Network is the kind of network file system that a folder is on; "": here always, where there are no events that would be missing.
func Network(string) string { return "" }
