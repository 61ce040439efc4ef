package installer

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/kardianos/service"
)

// fake is a service manager's service; it refuses what real ones refuse.
type fake struct {
	service.Service // not called
	installed       bool
	running         bool
	failed          bool
	calls           []string
}

func (f *fake) Status() (service.Status, error) {
	switch {
	case !f.installed:
		return service.StatusUnknown, service.ErrNotInstalled
	case f.failed:
		return service.StatusUnknown, errors.New("service in failed state")
	case f.running:
		return service.StatusRunning, nil
	}
	return service.StatusStopped, nil
}

func (f *fake) step(call string, ok bool, installed, running bool) error {
	f.calls = append(f.calls, call)
	if !ok {
		return errors.New("refused: " + call)
	}
	f.installed, f.running, f.failed = installed, running, false
	return nil
}

func (f *fake) Install() error   { return f.step("install", !f.installed, true, false) }
func (f *fake) Uninstall() error { return f.step("uninstall", f.installed && !f.running, false, false) }
func (f *fake) Start() error     { return f.step("start", f.installed && !f.running, true, true) }
func (f *fake) Stop() error      { return f.step("stop", f.running, true, false) }

func TestEachChangeMayBeRepeated(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("setRecovery speaks to the real service manager")
	}
	anew := func(s service.Service) error { return install(s, nil, Options{}) }
	none, idle, busy, broken := fake{}, fake{installed: true}, fake{installed: true, running: true}, fake{installed: true, failed: true}
	for _, test := range []struct {
		name string
		do   func(service.Service) error
		on   fake
		want string
		err  error
	}{
		{"install", anew, none, "install", nil},
		{"install again", anew, idle, "uninstall install", nil},
		{"install over a running one", anew, busy, "stop uninstall install start", nil},
		{"install over a failed one", anew, broken, "uninstall install", nil},
		{"uninstall", uninstall, idle, "uninstall", nil},
		{"uninstall a running one", uninstall, busy, "stop uninstall", nil},
		{"uninstall nothing", uninstall, none, "", nil},
		{"start", start, idle, "start", nil},
		{"start a failed one", start, broken, "start", nil},
		{"start a running one", start, busy, "", nil},
		{"start nothing", start, none, "", ErrNotInstalled},
		{"stop", stop, busy, "stop", nil},
		{"stop a stopped one", stop, idle, "", nil},
		{"stop nothing", stop, none, "", ErrNotInstalled},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := test.on
			if err := test.do(&f); !errors.Is(err, test.err) {
				t.Errorf("got %v, want %v", err, test.err)
			}
			if got := strings.Join(f.calls, " "); got != test.want {
				t.Errorf("did %q, want %q", got, test.want)
			}
		})
	}
}

func TestStatus(t *testing.T) {
	for want, f := range map[Status]*fake{NotInstalled: {}, Stopped: {installed: true}, Running: {installed: true, running: true}} {
		if got, err := status(f); got != want || err != nil {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
}

func TestDefinition(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if _, err := definition(Options{Config: "no.yaml"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing configuration: %v", err)
	}
	if err := os.WriteFile("a b.yaml", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := definition(Options{Config: "a b.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"run", "--config", filepath.Join(wd, "a b.yaml")}; !slices.Equal(d.Arguments, want) {
		t.Errorf("arguments %q, want %q", d.Arguments, want)
	}
	if !filepath.IsAbs(d.Executable) {
		t.Errorf("program %q", d.Executable)
	}
}

func TestUnit(t *testing.T) {
	d := &service.Config{DisplayName: "Hotfolder", Executable: "/opt/hot folder/hotfolder", Arguments: []string{"run", "--config", `/srv/100% "$HOME"\x.yaml`}}
	got := unit(d)
	for _, line := range []string{
		"Description=Hotfolder",
		`ExecStart="/opt/hot folder/hotfolder" "run" "--config" "/srv/100%% \"$$HOME\"\\x.yaml"`,
		"After=network-online.target remote-fs.target",
		"Restart=on-failure",
		"RestartPreventExitStatus=2",
		"Type=notify",
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("lacks %s in\n%s", line, got)
		}
	}
	for _, hides := range []string{"\nProtectHome", "\nPrivateTmp", "\nProtectSystem=strict"} {
		if strings.Contains(got, hides) {
			t.Errorf("%s could hide a hot folder", hides)
		}
	}
	d.UserName = "anna"
	for _, line := range []string{"\nUser=anna\n", "\nCapabilityBoundingSet=\n"} {
		if own := unit(d); !strings.Contains(own, line) {
			t.Errorf("for anna, it lacks %q in\n%s", line, own)
		}
	}
	for _, packages := range []string{"{{", "\nUser=", "/etc/hotfolder", "/usr/bin"} {
		if strings.Contains(got, packages) {
			t.Errorf("%s is not for this unit", packages)
		}
	}
}

func TestSystemdAcceptsTheUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze here")
	}
	file := filepath.Join(t.TempDir(), "hotfolder.service")
	d := &service.Config{DisplayName: "Hotfolder", Executable: "/bin/true", Arguments: []string{"run"}}
	if err := os.WriteFile(file, []byte(unit(d)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", "--man=no", file).CombinedOutput(); err != nil || strings.Contains(string(out), file) {
		t.Errorf("%v\n%s", err, out)
	}
}

// systemd hears that the service is ready, that it lives as long as it is well, and that it stops; each in messages of its own,
// whatever the service says of itself.
func TestAlive(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no systemd there")
	}
	socket := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", "40000")
	looks := 0
	err = Run(t.Context(), func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		return Alive(ctx, func() (string, error) {
			switch looks++; looks {
			case 1:
				return "1 queued\nWATCHDOG=trigger", nil
			case 2:
				return "", errors.New("stuck")
			}
			cancel()
			return "2 queued", nil
		}, func(error) { panic("systemd has its own watchdog") })
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"READY=1\nWATCHDOG=1\nSTATUS=1 queued WATCHDOG=trigger", "STATUS=ill: stuck", "WATCHDOG=1\nSTATUS=2 queued", "STOPPING=1",
	} {
		heard := make([]byte, 128)
		n, err := conn.Read(heard)
		if err != nil || string(heard[:n]) != want {
			t.Errorf("systemd heard %q, %v, want %q", heard[:n], err, want)
		}
	}
}

func TestRightsErrorNamesTheMend(t *testing.T) {
	denied := func(service.Service) error { return &os.PathError{Op: "open", Path: "x", Err: os.ErrPermission} }
	err := with(&service.Config{Name: Name}, "start", denied)
	if runtime.GOOS == "linux" && service.Platform() != "linux-systemd" {
		if err == nil || !strings.Contains(err.Error(), "does not run systemd") {
			t.Errorf("without systemd: %v", err)
		}
		return
	}
	if !errors.Is(err, ErrRights) || !strings.Contains(err.Error(), "run it") {
		t.Errorf("got %v", err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("kardianos/service waits for the service manager there")
	}
	ctx, cancel := context.WithCancel(t.Context())
	started := make(chan struct{})
	done := make(chan error)
	go func() {
		done <- Run(ctx, func(ctx context.Context) error {
			close(started)
			<-ctx.Done()
			return errors.New("the run's own")
		})
	}()
	<-started
	cancel()
	if err := <-done; err == nil || err.Error() != "the run's own" {
		t.Errorf("got %v", err)
	}
}

func TestRunEndsByItself(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("kardianos/service waits for the service manager there")
	}
	want := errors.New("ledger in use")
	if err := Run(t.Context(), func(context.Context) error { return want }); err != want {
		t.Errorf("got %v, want %v", err, want)
	}
}

// The service manager's stop ends the run's context and waits for it, but not for ever.
func TestStop(t *testing.T) {
	for name, stuck := range map[string]bool{"ends": false, "is stuck": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				p := &program{ctx: t.Context(), ended: make(chan struct{}), run: func(ctx context.Context) error {
					<-ctx.Done()
					if stuck {
						<-release
					}
					return nil
				}}
				if err := p.Start(nil); err != nil {
					t.Fatal(err)
				}
				if err := p.Stop(nil); (err != nil) != stuck {
					t.Errorf("got %v", err)
				}
				close(release)
			})
		})
	}
}
