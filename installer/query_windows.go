package installer

import (
	"errors"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"
)

// query asks for no more rights than everybody has; kardianos/service asks for those to start and stop.
func query() (Info, error) {
	manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT)
	if err != nil {
		return Info{}, err
	}
	defer windows.CloseServiceHandle(manager)
	name, err := windows.UTF16PtrFromString(Name)
	if err != nil {
		return Info{}, err
	}
	handle, err := windows.OpenService(manager, name, windows.SERVICE_QUERY_CONFIG|windows.SERVICE_QUERY_STATUS)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return Info{State: NotInstalled}, nil
	}
	if err != nil {
		return Info{}, err
	}
	s := &mgr.Service{Name: Name, Handle: handle}
	defer s.Close()
	status, err := s.Query()
	if err != nil {
		return Info{}, err
	}
	command, account, err := configOf(s)
	if err != nil {
		return Info{}, err
	}
	words, err := windows.DecomposeCommandLine(command)
	if err != nil || len(words) == 0 {
		words = []string{command}
	}
	i := Info{State: Stopped, Account: account}
	i.command(words[0], words[1:])
	switch status.State {
	case svc.Running, svc.StopPending:
		i.State, i.Since = Running, startOf(status.ProcessId)
	case svc.StartPending:
		i.State = Starting
	default:
		if status.Win32ExitCode != 0 && status.Win32ExitCode != uint32(windows.ERROR_SERVICE_NEVER_STARTED) {
			i.State = Failed
		}
	}
	return i, nil
}

// configOf asks for no more than it tells: Wine does not know the rest of what s.Config asks for.
func configOf(s *mgr.Service) (command, account string, err error) {
	buffer := make([]byte, 8<<10) // the most that there is (QueryServiceConfigW)
	config := (*windows.QUERY_SERVICE_CONFIG)(unsafe.Pointer(&buffer[0]))
	var needed uint32
	if err := windows.QueryServiceConfig(s.Handle, config, uint32(len(buffer)), &needed); err != nil {
		return "", "", err
	}
	return windows.UTF16PtrToString(config.BinaryPathName), windows.UTF16PtrToString(config.ServiceStartName), nil
}

// startOf is when a process began; zero if that is not for everybody to know.
func startOf(pid uint32) time.Time {
	p, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return time.Time{}
	}
	defer windows.CloseHandle(p)
	var creation, exit, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(p, &creation, &exit, &kernel, &user); err != nil {
		return time.Time{}
	}
	return time.Unix(0, creation.Nanoseconds())
}
