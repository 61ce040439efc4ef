package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"hotfolder/installer"
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
			_, err := fmt.Fprintln(a.out, "service "+done)
			return err
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
		Use:     "status",
		Short:   "Show whether the service is installed and runs",
		Example: "  hotfolder service status",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			is, err := installer.Query()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.out, is)
			return err
		},
	}
}
