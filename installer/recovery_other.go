//go:build !windows

package installer

// setRecovery does nothing: the unit and the launchd job say it themselves.
func setRecovery() error { return nil }
