package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"hotfolder/autoretouch"
	"hotfolder/config"
	"hotfolder/control"
	"hotfolder/store"
)

func (a *app) check() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Say whether everything is in place, and what mends it",
		Long: `Check looks at the configuration, the data folder, the login, the workflows and the folders with their rights and disks. It
writes, renames and deletes a hidden file in each folder that the agent writes to; nothing is spent.`,
		Example: "  hotfolder check\n  hotfolder check --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			k := &checker{printer: a.printer(asJSON)}
			cfg, err := a.config()
			if err != nil {
				k.configError(err)
			} else {
				k.all(c.Context(), cfg)
			}
			return errors.Join(k.err, k.printer.end(), k.verdict())
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
	printer printer
	err     error // of printing, the first
	codes   []int // of the errors found
}

func (k *checker) ok(format string, args ...any) {
	k.tell(finding{Level: levelOK, What: fmt.Sprintf(format, args...)})
}

func (k *checker) warn(mend, format string, args ...any) {
	k.tell(finding{levelWarning, fmt.Sprintf(format, args...), mend})
}

func (k *checker) fail(code int, mend, format string, args ...any) {
	k.codes = append(k.codes, code)
	k.tell(finding{levelError, fmt.Sprintf(format, args...), mend})
}

func (k *checker) tell(f finding) {
	if err := k.printer.finding(f); k.err == nil {
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

func (k *checker) all(ctx context.Context, c *config.Config) {
	k.ok("configuration %s", c.File)
	for _, err := range []error{c.RequireFolders(), c.RequireOrganization()} {
		if err != nil {
			k.configError(err)
		}
	}
	k.dataDir(c)
	k.ledger(ctx, c)
	k.account(ctx, c)
	for _, f := range c.Folders {
		k.folder(f)
	}
	k.watches(ctx, c.Folders)
}

func (k *checker) configError(err error) {
	problems, ok := errors.AsType[config.Errors](err)
	if !ok {
		k.fail(exitUsage, "", "configuration: %v", err)
	}
	for _, p := range problems {
		k.fail(exitUsage, "", "%s", config.Errors{p}.Error())
	}
}

func (k *checker) ledger(ctx context.Context, c *config.Config) {
	client, err := control.Dial(ctx, c.DataDir)
	if err == nil {
		k.ok("ledger in use by the running agent (process id %d)", client.PID())
		client.Close()
		return
	}
	if !errors.Is(err, control.ErrNotRunning) {
		k.fail(exitUnreachable, mendOf(err), "%v", err)
		return
	}
	if !store.Exists(ledgerFile(c)) {
		k.ok("no ledger yet; the agent makes it at its first start")
		return
	}
	ledger, err := store.OpenReadOnly(ledgerFile(c))
	if err != nil {
		k.fail(exitFailed, "", "%v", err)
		return
	}
	if err := ledger.Verify(ctx); err != nil {
		k.fail(exitFailed, "", "%v", err)
	} else {
		k.ok("ledger %s is whole", ledgerFile(c))
	}
	if err := ledger.Close(); err != nil {
		k.fail(exitFailed, "", "close ledger: %v", err)
	}
}

// account asks the API, each call for a short while only.
func (k *checker) account(ctx context.Context, c *config.Config) {
	hurried := *c
	hurried.API.Timeout = min(c.API.Timeout, 15*time.Second)
	api, err := newClient(&hurried)
	if err != nil {
		k.fail(exitUsage, "", "%v", err)
		return
	}
	defer api.Close()
	organizations, err := api.Organizations(ctx)
	if err != nil {
		k.fail(exitCode(err), mendOf(err), "login: %s", plain(err))
		return
	}
	k.ok("login at %s", c.API.URL)
	k.clock(api.Skew())
	if c.Account.Organization == "" {
		return
	}
	i := slices.IndexFunc(organizations, func(o autoretouch.Organization) bool { return o.ID == c.Account.Organization })
	if i < 0 {
		k.fail(exitUsage, "choose one of 'hotfolder organizations'", "the account has no organization %s", c.Account.Organization)
		return
	}
	k.ok("organization %s", organizations[i].Name)
	k.balance(ctx, api)
	for _, f := range c.Folders {
		k.workflow(ctx, api, f)
	}
}

func (k *checker) clock(ahead time.Duration) {
	if ahead.Abs() < time.Minute {
		k.ok("clock agrees with AutoRetouch's")
		return
	}
	k.warn("set this machine's clock", "this machine's clock is %v off AutoRetouch's", ahead.Abs())
}

func (k *checker) balance(ctx context.Context, api *autoretouch.Client) {
	switch credits, err := api.Balance(ctx); {
	case err != nil:
		k.fail(exitCode(err), mendOf(err), "balance: %s", plain(err))
	case credits <= 0:
		k.warn("buy credits", "the account is out of credits")
	default:
		k.ok("balance %d credits", credits)
	}
}

func (k *checker) workflow(ctx context.Context, api *autoretouch.Client, f config.Folder) {
	w, err := api.Workflow(ctx, f.Workflow)
	switch {
	case errors.Is(err, autoretouch.ErrNotFound):
		k.fail(exitUsage, "choose one of 'hotfolder workflows'", "%s: there is no workflow %s", f.Name, f.Workflow)
	case err != nil:
		k.fail(exitCode(err), mendOf(err), "%s: workflow: %s", f.Name, plain(err))
	default:
		k.ok("%s: workflow %s, %s a picture", f.Name, w.Name, plural(w.ExecutionPrice, "credit"))
	}
}
