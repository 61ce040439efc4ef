//go:build !windows

package installer

import "github.com/kardianos/service"

// replace registers a stopped service anew.
func replace(s service.Service, _ *service.Config) error {
	if err := s.Uninstall(); err != nil {
		return err
	}
	return s.Install()
}

// setRecovery does nothing: the unit and the launchd job say it themselves.
func setRecovery() error { return nil }
