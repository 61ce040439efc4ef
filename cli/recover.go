package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"hotfolder/agent"
	"hotfolder/config"
	"hotfolder/control"
	"hotfolder/store"
)

func (a *app) recover() *cobra.Command {
	var asJSON, dryRun, force bool
	c := &cobra.Command{
		Use:   "recover",
		Short: "Rebuild a lost ledger from the account and the folders",
		Long: `Recover reads the pictures in the input folders and the account's executions, and enters into a new ledger what was paid for:
results that lie in the output folders are delivered, others will be downloaded, at no charge. It spends nothing. A damaged ledger
is moved aside, never deleted; one in good order only with --force. All input and output folders must be there.`,
		Example: "  hotfolder recover --dry-run\n  hotfolder recover",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			found, err := a.recoverLedger(c.Context(), dryRun, force)
			if err != nil {
				return err
			}
			return a.printer(asJSON).recovery(found, dryRun)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would be entered")
	c.Flags().BoolVar(&force, "force", false, "move a ledger in good order aside, too")
	return c
}

func (a *app) recoverLedger(ctx context.Context, dryRun, force bool) (found agent.Recovery, err error) {
	cfg, err := a.readyConfig()
	if err != nil {
		return found, err
	}
	o := agent.RecoverOptions{Config: cfg, Log: slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if !dryRun {
		aside, err := mustGo(ctx, cfg, force)
		if err != nil {
			return found, err
		}
		var ledger *store.Ledger
		defer func() {
			if ledger != nil {
				err = errors.Join(err, ledger.Close())
			}
		}()
		o.Open = func() (*store.Ledger, error) {
			ledger, err = a.beginLedger(ledgerFile(cfg), aside)
			return ledger, err
		}
	}
	if o.API, err = newClient(cfg); err != nil {
		return found, err
	}
	defer o.API.Close()
	fmt.Fprintf(a.err, "reading the folders, then the account; where there is anything to recover this takes %v at least\n", cfg.API.CreateLookup)
	return agent.Recover(ctx, o)
}

// mustGo tells whether the ledger that is there must make room for a new one. It fails if that may not be, or if an agent runs.
func mustGo(ctx context.Context, c *config.Config, force bool) (aside bool, err error) {
	client, err := control.Dial(ctx, c.DataDir)
	if err == nil {
		defer client.Close()
		return false, fmt.Errorf("the agent with process id %d runs; stop it first", client.PID())
	}
	if !errors.Is(err, control.ErrNotRunning) {
		return false, err
	}
	file := ledgerFile(c)
	if !store.Exists(file) {
		return false, nil
	}
	jobs, reconciled, err := stateOf(ctx, file)
	switch {
	case errors.Is(err, store.ErrDamaged):
		return true, nil
	case err != nil:
		return false, err
	case jobs && !force && reconciled:
		return false, fmt.Errorf("the ledger %s is in good order; to rebuild it all the same use --force, which moves it aside", file)
	}
	return jobs && force, nil // one that is not reconciled is completed
}

// stateOf reads a ledger through and tells whether it has jobs, and whether it is reconciled.
func stateOf(ctx context.Context, file string) (jobs, reconciled bool, err error) {
	ledger, err := store.OpenReadOnly(file)
	if err != nil {
		return false, false, err
	}
	defer ledger.Close()
	if err := ledger.Verify(ctx); err != nil {
		return false, false, err
	}
	counts, err := ledger.Counts()
	if err != nil {
		return false, false, err
	}
	reconciled, err = ledger.Reconciled()
	return len(counts) > 0, reconciled, err
}

// beginLedger opens the ledger to fill.
func (a *app) beginLedger(file string, aside bool) (*store.Ledger, error) {
	if aside {
		ext := filepath.Ext(file)
		to := strings.TrimSuffix(file, ext) + time.Now().Format("-2006-01-02T150405") + ext
		if err := os.Rename(file, to); err != nil {
			return nil, fmt.Errorf("move the old ledger aside: %w", err)
		}
		fmt.Fprintf(a.err, "the old ledger is now %s\n", to)
	}
	if store.Exists(file) {
		return store.Open(file)
	}
	return store.Create(file)
}

func (p *jsonPrinter) recovery(found agent.Recovery, _ bool) error { return p.print(found) }

func (p *textPrinter) recovery(found agent.Recovery, dryRun bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s in the input folders, %s in the account\n", plural(found.Files, "picture"), plural(found.Executions, "execution"))
	entered := 0
	for _, n := range found.Jobs {
		entered += n
	}
	verb := "entered"
	if dryRun {
		verb = "to be entered"
	}
	fmt.Fprintf(&b, "%s %s%s\n", plural(entered, "job"), verb, states(found.Jobs))
	for _, line := range []struct {
		n    int
		text string
	}{
		{found.ByContent, "of these have an execution that was created elsewhere for the same picture"},
		{found.NoOriginal, "of these have no original in the input folder any more"},
		{found.Before, "were in the ledger already"},
		{found.New, "pictures are new to the account: the agent sends them, which is charged"},
		{found.Unreadable, "files could not be read"},
		{found.Twice, "executions are further ones of a job; 'hotfolder audit' names them"},
		{found.Unmatched, "executions belong to pictures that were not found, and are left alone:"},
	} {
		if line.n > 0 {
			fmt.Fprintf(&b, "%s %s\n", humanize.Comma(int64(line.n)), line.text)
		}
	}
	for _, u := range found.Named {
		fmt.Fprintf(&b, "  %s %s %s\n", u.Execution, visible(string(u.Status)), visible(u.File))
	}
	if n := found.Unmatched - len(found.Named); n > 0 {
		fmt.Fprintf(&b, "  and %d more\n", n)
	}
	switch {
	case dryRun:
		fmt.Fprintln(&b, "nothing was changed")
	case found.Reconciled:
		fmt.Fprintln(&b, "the ledger is rebuilt; 'hotfolder run' goes on from it")
	default:
		fmt.Fprintln(&b, "the ledger is filled; 'hotfolder run' compares the rest with the account before it spends anything")
	}
	_, err := io.WriteString(p.out, b.String())
	return err
}

// states lists how many jobs are in each state.
func states(counts map[store.State]int) string {
	var parts []string
	for _, s := range store.States {
		if n := counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, strings.ReplaceAll(string(s), "_", " ")))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}
