//go:build !windows

package installer

// OpenEvents returns nil: there is no event log.
func OpenEvents() *Events { return nil }
