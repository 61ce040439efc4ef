package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"hotfolder/agent"
	"hotfolder/autoretouch"
	"hotfolder/config"
)

func (a *app) status() *cobra.Command {
	var asJSON, watch bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the counts by folder and state, and what is wrong now",
		Long:  "Status asks the running agent; when none runs, it reads the ledger.",
		Example: `  hotfolder status
  hotfolder status --watch
  hotfolder status --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := a.glance()
			if err != nil {
				return err
			}
			if watch {
				return a.watchStatus(c.Context(), cfg)
			}
			return a.printStatus(c.Context(), cfg, a.printer(asJSON))
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	c.Flags().BoolVar(&watch, "watch", false, "keep it up to date, until Ctrl-C")
	c.MarkFlagsMutuallyExclusive("json", "watch")
	return c
}

func (a *app) printStatus(ctx context.Context, c *config.Config, p printer) error {
	return withDesk(ctx, c, false, func(desk agent.Desk) error {
		s, err := desk.Status(ctx)
		if err != nil {
			return err
		}
		return p.status(beforeAStart(s, c))
	})
}

// beforeAStart adds what can be known while no agent runs: since when, about, and whether there is a login.
func beforeAStart(s agent.Status, c *config.Config) agent.Status {
	if s.Agent.Running {
		return s
	}
	if info, err := os.Stat(ledgerFile(c)); err == nil {
		s.Agent.Since = info.ModTime()
	}
	if _, err := savedLogin(c).Load(); errors.Is(err, autoretouch.ErrNoLogin) && os.Getenv(refreshTokenVariable) == "" {
		s.Account.State = "login_needed"
	}
	return s
}

// watchStatus shows the status until ctx ends, the agent's or, while it does not run, the ledger's. What goes wrong is shown in
// its place.
func (a *app) watchStatus(ctx context.Context, c *config.Config) error {
	if a.drawable() {
		view := newLive(a.out, func(s agent.Status) string { return pageLine(c, s) + "Ctrl-C ends the watching" })
		return view.follow(ctx, func(ctx context.Context) (s agent.Status, err error) {
			err = withDesk(ctx, c, false, func(desk agent.Desk) error {
				s, err = desk.Status(ctx)
				s = beforeAStart(s, c)
				return err
			})
			return s, err
		})
	}
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		var page bytes.Buffer
		err := a.printStatus(ctx, c, &textPrinter{out: &page})
		if ctx.Err() != nil {
			return nil
		}
		for _, line := range explain(err) {
			page.WriteString(line + "\n")
		}
		page.WriteString("\n")
		if _, err := a.out.Write(page.Bytes()); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
