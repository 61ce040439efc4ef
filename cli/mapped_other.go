//go:build !windows

package cli

// uncOf is for Windows, where drives are mapped to shares.
func uncOf(string) string { return "" }
