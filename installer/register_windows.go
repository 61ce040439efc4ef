package installer

import (
	"errors"
	"fmt"
	"time"

	"github.com/kardianos/service"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc/mgr"
)

// replace changes the command of a stopped service and, if one is named, its account. Registering it anew would lose the account that
// somebody gave it, whose password only they know.
func replace(_ service.Service, d *service.Config) error {
	command, err := windows.UTF16PtrFromString(windows.ComposeCommandLine(append([]string{d.Executable}, d.Arguments...)))
	if err != nil {
		return err
	}
	var user, password *uint16
	if d.UserName != "" {
		if user, err = windows.UTF16PtrFromString(d.UserName); err != nil {
			return err
		}
		if password, err = windows.UTF16PtrFromString(fmt.Sprint(d.Option["Password"])); err != nil { // "" where there is none
			return err
		}
	}
	return registered(func(s *mgr.Service) error {
		return windows.ChangeServiceConfig(s.Handle, windows.SERVICE_NO_CHANGE, windows.SERVICE_NO_CHANGE, windows.SERVICE_NO_CHANGE,
			command, nil, nil, nil, user, password, nil)
	})
}

// setRecovery has Windows start the service again after it failed, whether by a crash or an error, later each
// time; a day without failure begins anew. kardianos/service could only set one delay, and only for crashes.
func setRecovery() error {
	const day = 24 * 60 * 60 // seconds
	return registered(func(s *mgr.Service) error {
		if err := s.SetRecoveryActions([]mgr.RecoveryAction{
			{Type: mgr.ServiceRestart, Delay: 5 * time.Second},
			{Type: mgr.ServiceRestart, Delay: time.Minute},
			{Type: mgr.ServiceRestart, Delay: 5 * time.Minute}, // and so on
		}, day); err != nil {
			return err
		}
		if err := s.SetRecoveryActionsOnNonCrashFailures(true); !errors.Is(err, windows.ERROR_INVALID_LEVEL) {
			return err
		}
		return nil // Wine knows crashes only
	})
}

// registered does something with the service that is registered.
func registered(do func(*mgr.Service) error) error {
	m, err := mgr.Connect()
	if err != nil {
		return err
	}
	defer m.Disconnect()
	s, err := m.OpenService(Name)
	if err != nil {
		return err
	}
	defer s.Close()
	return do(s)
}
