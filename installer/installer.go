// Package installer makes the agent a service of the operating system: Windows' service control manager, systemd or
// launchd, through kardianos/service. Read this file (register, start, stop, remove), then run.go (being the service),
// notify.go (telling systemd), watchdog.go (where there is no systemd), events.go (Windows' event log), query_*.go (how it is), unit.go (what systemd is told), account*.go (as whom it runs) and register_windows.go (what Windows is told).
package installer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/kardianos/service"
)

// Name is what the service is called by the service manager.
const Name = "hotfolder"

// Options say what the service runs.
type Options struct {
	Config   string // the configuration file; it must exist
	Account  string // as whom; "": as before, at first as root or Windows' LocalSystem
	Password string // of the account, if HasPassword says that it has one

	// Access, unless it is nil, gives the account what it needs, before the service is started. uid is its user id or, on Windows, its SID.
	Access func(uid string) error
}

// Status is what the service manager says about the service.
type Status string

// The states of the service.
const (
	Running      Status = "running"
	Starting     Status = "starting"
	Stopped      Status = "stopped"
	Failed       Status = "failed" // it ended with an error; the service manager may be about to start it again
	NotInstalled Status = "not installed"
)

// Info is what is known of the service without looking into its configuration. What the service manager does not tell is empty.
type Info struct {
	State   Status
	Since   time.Time // if it runs
	Account string
	Program string
	Config  string
	Logs    string // the folder that the service manager made for its log
}

// Errors that the caller can tell apart; their texts name the mend.
var (
	ErrRights       = errors.New("not allowed; " + howToGetRights())
	ErrNotInstalled = errors.New("the service is not installed; run `hotfolder service install` first")
	errNoSystemd    = errors.New("this system does not run systemd; have its init system start `hotfolder run`")
	ErrPackaged     = errors.New("the service came with the hotfolder package; put the configuration into /etc/hotfolder/hotfolder.yaml and run `sudo hotfolder service start`, or remove the package first")
)

// Install registers this program as a service that starts with the machine. An earlier registration is replaced, and
// goes on running if it was. It does not start a new one. On Windows the account gets the right to log on as a service.
func Install(o Options) error {
	if err := mayChange(); err != nil {
		return fmt.Errorf("install service: %w", err)
	}
	if isPackaged() {
		return fmt.Errorf("install service: %w", ErrPackaged)
	}
	if strings.ContainsRune(o.Account+o.Password, 0) {
		return errors.New("install service: the account or its password holds a NUL")
	}
	d, err := definition(o)
	if err != nil {
		return fmt.Errorf("install service: %w", err)
	}
	return with(d, "install", func(s service.Service) error { return install(s, d, o) })
}

// Uninstall stops the service and removes it. It is no error if there is none.
func Uninstall() error {
	if isPackaged() {
		return fmt.Errorf("uninstall service: %w", ErrPackaged)
	}
	return change("uninstall", uninstall)
}

// Start starts the service. It is no error if it runs already.
func Start() error { return change("start", start) }

// Stop stops the service and waits until it has ended. It is no error if it does not run.
func Stop() error { return change("stop", stop) }

// Query asks the service manager how the service is. It needs no rights.
func Query() (Info, error) {
	info, err := query()
	if err != nil {
		return info, fmt.Errorf("look at service: %w", err)
	}
	return info, nil
}

// isPackaged says whether a .deb or .rpm brought the service, which is theirs then.
func isPackaged() bool { return isUnit("/usr/lib/systemd/system") || isUnit("/lib/systemd/system") }

func isUnit(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, Name+".service"))
	return err == nil
}

func change(what string, do func(service.Service) error) error {
	if err := mayChange(); err != nil {
		return fmt.Errorf("%s service: %w", what, err)
	}
	return with(&service.Config{Name: Name}, what, do)
}

// with does what do says with the service and names it in the error.
func with(d *service.Config, what string, do func(service.Service) error) error {
	if runtime.GOOS == "linux" && service.Platform() != "linux-systemd" {
		return fmt.Errorf("%s service: %w", what, errNoSystemd)
	}
	s, err := service.New(&program{}, d)
	if err == nil {
		err = do(s)
	}
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w (%v)", ErrRights, err)
	}
	if err != nil {
		return fmt.Errorf("%s service: %w", what, err)
	}
	return nil
}

func install(s service.Service, d *service.Config, o Options) error {
	before, err := status(s)
	if err != nil {
		return err
	}
	if before == NotInstalled {
		err = s.Install()
	} else if err = stop(s); err == nil {
		err = replace(s, d)
	}
	if err != nil {
		return err
	}
	if err := setRecovery(); err != nil {
		return fmt.Errorf("set restart on failure: %w", err)
	}
	if o.Account != "" {
		if err := admit(o); err != nil {
			return fmt.Errorf("let %s be the service's account: %w", o.Account, err)
		}
	}
	if before == Running {
		return began(s.Start())
	}
	return nil
}

func admit(o Options) error {
	uid, err := entitle(o.Account)
	if err == nil && o.Access != nil {
		err = o.Access(uid)
	}
	return err
}

func uninstall(s service.Service) error {
	if err := stop(s); errors.Is(err, ErrNotInstalled) {
		return nil
	} else if err != nil {
		return err
	}
	return s.Uninstall()
}

func start(s service.Service) error {
	switch is, err := status(s); {
	case err != nil:
		return err
	case is == NotInstalled:
		return ErrNotInstalled
	case is == Running:
		return nil
	}
	return began(s.Start())
}

// began says where to look when the service manager could not start the service, of which it knows no more itself.
func began(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("it does not start (%w); %s", err, whereToLook())
}

func whereToLook() string {
	switch runtime.GOOS {
	case "windows":
		return "run `hotfolder check`, and look into hotfolder.log in the data folder"
	case "linux":
		return "`journalctl -u hotfolder` says why"
	}
	return "run `hotfolder check`"
}

func stop(s service.Service) error {
	switch is, err := status(s); {
	case err != nil:
		return err
	case is == NotInstalled:
		return ErrNotInstalled
	case is == Stopped:
		return nil
	}
	return s.Stop()
}

// status tells a service that failed as stopped: the service manager has given up on it.
func status(s service.Service) (Status, error) {
	is, err := s.Status()
	switch {
	case errors.Is(err, service.ErrNotInstalled):
		return NotInstalled, nil
	case err != nil && err.Error() == "service in failed state": // kardianos/service has no value for it
		return Stopped, nil
	case err != nil:
		return "", err
	case is == service.StatusRunning:
		return Running, nil
	}
	return Stopped, nil
}

// definition is what the service manager is told.
func definition(o Options) (*service.Config, error) {
	config, err := filepath.Abs(o.Config)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(config); err != nil {
		return nil, fmt.Errorf("configuration: %w; name it with --config", err)
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	user, err := userName(o.Account)
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", o.Account, err)
	}
	d := &service.Config{
		Name:        Name,
		UserName:    user,
		DisplayName: "Hotfolder for AutoRetouch",
		Description: "Sends finished pictures from watched folders through AutoRetouch and brings the results back.",
		Executable:  program,
		Arguments:   []string{"run", "--config", config},
	}
	d.Option = service.KeyValue{
		"SystemdScript":    unit(d),
		"DelayedAutoStart": true, // Windows: after the network and the shares
		"RunAtLoad":        true, // launchd: at boot
		"Password":         o.Password,
	}
	return d, nil
}

// mayChange refuses what would fail halfway without rights. Windows itself refuses at the first step.
func mayChange() error {
	if os.Geteuid() > 0 {
		return ErrRights
	}
	return nil
}

func howToGetRights() string {
	if runtime.GOOS == "windows" {
		return "run it in a terminal opened with \"Run as administrator\""
	}
	return "run it with sudo"
}
