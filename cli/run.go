package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"hotfolder/config"
	"hotfolder/installer"
)

func (a *app) run() *cobra.Command {
	var once bool
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the agent, until Ctrl-C",
		Long: `Run watches the folders of the configuration and works until SIGINT or SIGTERM; what is in hand is finished first, within
ten seconds. A second signal ends it at once; nothing is lost by that either.

With --once it handles the pictures that are in the folders now and ends: with code 1 if one of them failed or waits for a
person.`,
		Example: `  hotfolder run
  hotfolder run --once
  hotfolder --config studio.yaml run`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			run := func(ctx context.Context) error { return a.runAgent(ctx, once) }
			if installer.Interactive() {
				return run(c.Context())
			}
			return installer.Run(c.Context(), run)
		},
	}
	c.Flags().BoolVar(&once, "once", false, "handle what is there now, then end")
	return c
}

func (a *app) runAgent(ctx context.Context, once bool) error {
	c, err := a.readyConfig()
	if err != nil {
		return err
	}
	if once {
		return a.runOnce(ctx, c)
	}
	log, file := openLog(c, !installer.Interactive(), a.err)
	defer file.Close()
	if c.Log.File != "" {
		fmt.Fprintf(a.err, "logging to %s\n", c.Log.File)
	}
	return start{config: c, log: log}.run(ctx)
}

// runOnce shows on stdout how it goes; on a terminal the log runs above the bars.
func (a *app) runOnce(ctx context.Context, c *config.Config) error {
	p := newProgress(a.out, c.Folders)
	log, file := openLog(c, false, p.above(a.err))
	defer file.Close()
	err := start{config: c, log: log, once: true, beside: p.watch}.run(ctx)
	p.end()
	if p.begun {
		fmt.Fprintln(a.out, p.summary())
	}
	return err
}
