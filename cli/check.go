package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"hotfolder/agent"
	"hotfolder/config"
	"hotfolder/control"
	"hotfolder/store"
)

func (a *app) check() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Say whether everything is in place, and what mends it",
		Long: `Check looks at the configuration, the data folder, the ledger, the login, the account, the workflows, and the folders with their
rights, disks, clocks and shares. It writes, renames and deletes a hidden file in each folder that the agent writes to; nothing is
spent. It ends with code 0 if there are at most warnings.`,
		Example: "  hotfolder check\n  hotfolder check --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			printer := a.printer(asJSON)
			k := &checker{print: printer.finding, command: a.command}
			cfg, err := a.config()
			if err != nil {
				_, err = a.readyConfig() // which tells what is missing, too
				k.configError(err)
				k.skip("all else", "mend the configuration first")
			} else {
				k.all(c.Context(), cfg)
			}
			if err := c.Context().Err(); err != nil {
				return err
			}
			err = errors.Join(k.err, printer.end(), k.verdict())
			if err == nil && !asJSON {
				_, err = fmt.Fprintln(a.out, k.conclusion())
			}
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return c
}

// The levels of a finding.
const (
	levelOK      = "ok"
	levelWarning = "warning"
	levelError   = "error"
)

// finding is one thing that was looked at.
type finding struct {
	Level string `json:"level"`
	What  string `json:"what"`
	Mend  string `json:"mend,omitempty"`
}

// checker looks at one thing after the other and tells at once what it found.
type checker struct {
	print   func(finding) error
	command func(string) string // see app.command
	alive   func()              // of a look at a folder: to be called now and then where it may take long; see at
	silent  []string            // the folders that do not answer

	err      error // of printing, the first
	codes    []int // of the errors found
	warnings int
	running  bool // an agent runs
}

func (k *checker) ok(format string, args ...any) {
	k.tell(finding{Level: levelOK, What: fmt.Sprintf(format, args...)})
}

func (k *checker) warn(mend, format string, args ...any) {
	k.warnings++
	k.tell(finding{levelWarning, fmt.Sprintf(format, args...), mend})
}

func (k *checker) fail(code int, mend, format string, args ...any) {
	k.codes = append(k.codes, code)
	k.tell(finding{levelError, fmt.Sprintf(format, args...), mend})
}

// skip says what could not be looked at, and what to do first.
func (k *checker) skip(what, first string) { k.warn(first, "not checked: %s", what) }

func (k *checker) tell(f finding) {
	if err := k.print(f); k.err == nil {
		k.err = err
	}
}

// verdict has the exit code of the gravest error found: what must be mended before the rest can be.
func (k *checker) verdict() error {
	for _, code := range []int{exitUsage, exitLogin, exitUnreachable, exitFailed} {
		if slices.Contains(k.codes, code) {
			return &coded{code, fmt.Errorf("check found %s, named above", plural(len(k.codes), "error"))}
		}
	}
	return nil
}

// conclusion is said when there is no error.
func (k *checker) conclusion() string {
	text := "Everything is in place."
	if k.warnings > 0 {
		text = fmt.Sprintf("It can run, with %s, named above.", plural(k.warnings, "warning"))
	}
	if !k.running {
		text += " Next: " + k.command("run")
	}
	return "\n" + text
}

func (k *checker) all(ctx context.Context, c *config.Config) {
	for _, err := range []error{c.RequireFolders(), c.RequireOrganization()} {
		if err != nil {
			k.configError(err)
		}
	}
	if len(k.codes) == 0 {
		k.ok("configuration %s", c.File)
	}
	k.silent = stillSilent(c.Silent())
	k.running = k.agent(ctx, c)
	if k.at("data_dir", c.DataDir, func(k *checker) bool { return k.dataDir(c) }) {
		k.ledger(ctx, c)
	} else {
		k.skip("ledger", "mend data_dir first")
	}
	k.account(ctx, c)
	for _, f := range c.Folders {
		if ctx.Err() == nil {
			k.folder(f, c.DataDir)
		}
	}
	k.assist(c)
	k.watches(ctx, c.Folders)
}

func (k *checker) configError(err error) {
	problems, ok := errors.AsType[config.Errors](err)
	if !ok {
		k.fail(exitUsage, "", "%s", plain(err))
	}
	for _, p := range problems {
		k.fail(exitUsage, "", "%s", config.Errors{p}.Error())
	}
}

// agent tells whether an agent runs with this configuration, and what it says is wrong.
func (k *checker) agent(ctx context.Context, c *config.Config) (runs bool) {
	client, err := control.Dial(ctx, c.DataDir)
	switch {
	case errors.Is(err, control.ErrNotRunning):
		k.ok("no agent runs")
		return false
	case errors.Is(err, control.ErrForbidden):
		k.fail(exitUnreachable, "check as that user: with sudo, or sudo -u NAME", "%s", plain(err))
		return true
	case err != nil:
		k.fail(exitUnreachable, mendOf(err), "%s", plain(err))
		return true
	}
	defer client.Close()
	k.ok("the agent runs (process id %d)", client.PID())
	status, err := client.Status(ctx)
	if err != nil {
		k.fail(exitUnreachable, mendOf(err), "%s", plain(err))
	}
	for _, t := range status.Troubles {
		if t.Severity == agent.Error {
			k.fail(exitFailed, t.Mend, "the agent says: %s", troubleText(t))
		} else {
			k.warn(t.Mend, "the agent says: %s", troubleText(t))
		}
	}
	return true
}

func (k *checker) ledger(ctx context.Context, c *config.Config) {
	file := ledgerFile(c)
	switch {
	case k.running:
		k.ok("ledger %s is in use by the agent, which says if something is wrong with it", file)
		return
	case !store.Exists(file):
		k.ok("there is no ledger yet; the agent makes it at its first start")
		return
	}
	ledger, err := store.OpenReadOnly(file)
	if err != nil {
		k.fail(exitFailed, ledgerMend(err), "ledger: %s", plain(err))
		return
	}
	if err := ledger.Verify(ctx); err != nil {
		k.fail(exitFailed, ledgerMend(err), "ledger: %s", plain(err))
	} else {
		k.ok("ledger %s is whole", file)
	}
	if err := ledger.Close(); err != nil {
		k.fail(exitFailed, "", "ledger: %s", plain(err))
	}
}

func ledgerMend(err error) string {
	if errors.Is(err, store.ErrDamaged) {
		return "put the newest copy from the folder copies beside it in its place, or run 'hotfolder recover'"
	}
	return ""
}
