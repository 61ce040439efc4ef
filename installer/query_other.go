//go:build !linux && !windows

package installer

import "github.com/kardianos/service"

// query knows no more than whether the service runs: launchd has no other words for programs.
func query() (Info, error) {
	s, err := service.New(&program{}, &service.Config{Name: Name})
	if err != nil {
		return Info{}, err
	}
	is, err := status(s)
	return Info{State: is}, err
}
