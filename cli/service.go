package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"hotfolder/agent"
	"hotfolder/config"
	"hotfolder/installer"
	"hotfolder/store"
)

func (a *app) service() *cobra.Command {
	c := &cobra.Command{
		Use:     "service",
		Short:   "Install and control the agent as a service of the operating system",
		Long:    "Service speaks to Windows' service manager, systemd or launchd. All but status need an administrator's rights.",
		Example: "  sudo hotfolder --config /etc/hotfolder/hotfolder.yaml service install\n  sudo hotfolder service start\n  hotfolder service status",
	}
	group(c)
	c.AddCommand(
		a.serviceCommand("install", "Register the service, to start with the machine", "installed; 'hotfolder service start' starts it", a.installService),
		a.serviceCommand("uninstall", "Stop and remove the service; configuration, ledger and pictures stay", "removed", installer.Uninstall),
		a.serviceCommand("start", "Start the service", "started", installer.Start),
		a.serviceCommand("stop", "Stop the service and wait until it has ended", "stopped", installer.Stop),
		a.serviceCommand("restart", "Stop the service and start it again", "restarted", restartService),
		a.serviceStatus(),
	)
	return c
}

func (a *app) serviceCommand(name, short, done string, do func() error) *cobra.Command {
	return &cobra.Command{
		Use:     name,
		Short:   short,
		Example: "  hotfolder service " + name,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := do(); err != nil {
				return err
			}
			fmt.Fprintln(a.out, "service "+done) // an installer may have given it nowhere to say so, which is no failure
			return nil
		},
	}
}

// installService installs only what can run: a service has nobody to show a configuration's errors to.
func (a *app) installService() error {
	c, err := a.readyConfig()
	if err != nil {
		return err
	}
	return installer.Install(installer.Options{Config: c.File})
}

func restartService() error {
	if err := installer.Stop(); err != nil {
		return err
	}
	return installer.Start()
}

func (a *app) serviceStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show whether the service runs, since when, under which account, with which configuration and log",
		Long: `Status asks the service manager; everybody may. It ends with code 4 if the service does not run. 'hotfolder status' tells how
the work goes.`,
		Example: "  hotfolder service status",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			is, err := installer.Query()
			if err != nil {
				return err
			}
			if err := a.showService(is); err != nil {
				return err
			}
			switch is.State {
			case installer.Running, installer.Starting:
				return nil
			case installer.NotInstalled:
				return &coded{exitUnreachable, errors.New("the service is not installed; run 'hotfolder service install' first")}
			case installer.Failed:
				return &coded{exitUnreachable, errors.New("the service ended with an error; its log says why")}
			}
			return &coded{exitUnreachable, errors.New("the service does not run; run 'hotfolder service start'")}
		},
	}
}

func (a *app) showService(is installer.Info) error {
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	line := func(what, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", what, visible(value))
		}
	}
	state := string(is.State)
	if !is.Since.IsZero() {
		state += " since " + is.Since.Local().Format(time.DateTime)
	}
	line("state", state)
	line("account", is.Account)
	line("program", is.Program)
	line("configuration", is.Config)
	line("log", logOfService(is))
	return t.Flush()
}

// logOfService is empty if only those who may read the configuration can know it.
func logOfService(is installer.Info) string {
	c, err := config.Load(is.Config, func(key string) string {
		if key == "USERPROFILE" { // where Windows' own accounts have theirs, by which the default of data_dir is told
			key = "SystemRoot"
		}
		return os.Getenv(key)
	})
	if err != nil {
		return ""
	}
	return serviceLog(c, is.Logs)
}

// serviceLine is what `systemctl status` says of the agent: what is wrong, or how many jobs are in each state.
func serviceLine(s agent.Status) string {
	if len(s.Troubles) > 0 {
		t := s.Troubles[0]
		return fmt.Sprintf("%s: %s; %s", t.Severity, visible(troubleText(t)), visible(t.Mend))
	}
	var counts []string
	for _, state := range store.States {
		if n := s.Counts[state]; n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, state))
		}
	}
	return cmp.Or(strings.Join(counts, ", "), "waits for pictures")
}
