package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"hotfolder/agent"
	"hotfolder/config"
	"hotfolder/installer"
	"hotfolder/private"
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
	alone := func(do func() error) func(context.Context) error { return func(context.Context) error { return do() } }
	c.AddCommand(
		a.serviceInstall(),
		a.serviceCommand("uninstall", "Stop and remove the service; configuration, ledger and pictures stay", "removed", alone(installer.Uninstall)),
		a.serviceCommand("start", "Start the service", "started", alone(installer.Start)),
		a.serviceCommand("stop", "Stop the service and wait until it has ended", "stopped", alone(installer.Stop)),
		a.serviceCommand("restart", "Stop the service and start it again", "restarted", alone(restartService)),
		a.serviceStatus(),
	)
	return c
}

func (a *app) serviceCommand(name, short, done string, do func(context.Context) error) *cobra.Command {
	return &cobra.Command{
		Use:     name,
		Short:   short,
		Example: "  hotfolder service " + name,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := do(c.Context()); err != nil {
				return err
			}
			fmt.Fprintln(a.out, "service "+done) // an installer may have given it nowhere to say so, which is no failure
			return nil
		},
	}
}

func (a *app) serviceInstall() *cobra.Command {
	var account string
	var passwordStdin bool
	c := a.serviceCommand("install", "Register the service, to start with the machine", "installed; 'hotfolder service start' starts it",
		func(ctx context.Context) error { return a.installService(ctx, account, passwordStdin) })
	c.Long = `Install registers the service. It runs as root or Windows' LocalSystem, or as the account that --account names, which then owns the data
folder with the login and the ledger, and on Windows gets the right to log on as a service. The account must be able to read and
write the hot folders: that is for you to see to. Installed again, it keeps its account.

On Windows, an account with a password is asked for it; --password-stdin takes it from standard input. 'NT AUTHORITY\LocalService' and 'NT SERVICE\hotfolder'
have none, nor have managed accounts, whose name ends with $.`
	c.Example = `  sudo hotfolder service install
  sudo hotfolder service install --account studio
  hotfolder service install --account "NT AUTHORITY\LocalService"
  hotfolder service install --account STUDIO\anna --password-stdin < password.txt`
	c.Flags().StringVar(&account, "account", "", "run it as this `ACCOUNT` (default: as before, at first root or LocalSystem)")
	c.Flags().BoolVar(&passwordStdin, "password-stdin", false, "read the account's password from standard input (Windows)")
	return c
}

// installService installs only what can run: a service has nobody to show a configuration's errors to.
func (a *app) installService(ctx context.Context, account string, passwordStdin bool) error {
	c, err := a.readyConfig()
	if err != nil {
		return err
	}
	password, err := a.accountPassword(ctx, account, passwordStdin)
	if err != nil {
		return err
	}
	for _, f := range c.Folders {
		for _, m := range mapped(f) {
			fmt.Fprintf(a.err, "hotfolder: %s; write %s instead\n", visible(m.what), visible(m.unc))
		}
	}
	return installer.Install(installer.Options{
		Config: c.File, Account: account, Password: password,
		Access: func(uid string) error { return giveToAccount(c, uid) },
	})
}

// giveToAccount gives an account what the agent reads and writes beside the hot folders.
func giveToAccount(c *config.Config, uid string) error {
	if err := private.MkdirAll(c.DataDir); err != nil {
		return err
	}
	if err := private.Give(c.DataDir, uid); err != nil {
		return err
	}
	for _, file := range []string{c.Account.CredentialsFile, c.Dashboard.PasswordFile, c.Mail.PasswordFile} {
		if file == "" {
			continue
		}
		if err := private.Give(file, uid); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// accountPassword is the password of a service's account; "" if it has none.
func (a *app) accountPassword(ctx context.Context, account string, fromStdin bool) (string, error) {
	switch {
	case account == "" && fromStdin:
		return "", usage(errors.New("--password-stdin is for --account"))
	case account == "" || !installer.HasPassword(account):
		return "", nil
	case fromStdin:
		const longest = 4 << 10 // bytes; Windows takes 256 characters
		b, err := io.ReadAll(io.LimitReader(a.in, longest))
		if err != nil {
			return "", fmt.Errorf("the password cannot be read from standard input: %w", err)
		}
		password, _, _ := strings.Cut(string(b), "\n")
		return strings.TrimSuffix(password, "\r"), nil
	}
	d := a.dialogue()
	if d == nil {
		return "", usage(fmt.Errorf("the account %s has a password: give it with --password-stdin", visible(account)))
	}
	return d.secret(ctx, "Password of "+account)
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

// howItIs is how the agent is, in a line, or why only a new start helps it. That a damaged ledger cannot be counted is no reason for one.
func howItIs(ctx context.Context, a interface {
	Pulse() error
	Status(context.Context) (agent.Status, error)
}) (string, error) {
	if err := a.Pulse(); err != nil {
		return "", err
	}
	s, err := a.Status(ctx)
	if err != nil {
		return "error: " + visible(plain(err)), nil
	}
	return serviceLine(s), nil
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
