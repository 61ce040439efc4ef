//go:build !linux && !windows && !darwin

package watcher

// Network is the kind of network file system that a folder is on; "": none, as far as can be told, which here is nothing.
func Network(string) string { return "" }
