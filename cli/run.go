package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"hotfolder/agent"
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
	if !installer.Interactive() {
		return a.runService(ctx, c)
	}
	log, file := openLog(c, "", a.err)
	defer file.Close()
	if c.Log.File != "" {
		fmt.Fprintf(a.err, "logging to %s\n", c.Log.File)
	}
	return start{config: c, log: log}.run(ctx)
}

// runService runs under a service manager.
func (a *app) runService(ctx context.Context, c *config.Config) error {
	log, file := openLog(c, serviceLog(c, os.Getenv("LOGS_DIRECTORY")), a.err)
	defer file.Close()
	return start{config: c, log: log, beside: func(ctx context.Context, agent *agent.Agent, _ agent.Status) {
		err := installer.Alive(ctx, func() (string, error) {
			if err := agent.Pulse(); err != nil {
				log.Error("the service should be started again", "why", err)
				return "", err
			}
			s, err := agent.Status(ctx)
			return serviceLine(s), err
		})
		if err != nil {
			log.Error("systemd cannot be told how it goes", "err", err)
		}
	}}.run(ctx)
}

// runOnce shows on stdout how it goes; on a terminal the log runs above the bars.
func (a *app) runOnce(ctx context.Context, c *config.Config) error {
	p := newProgress(a.out, c.Folders)
	log, file := openLog(c, "", p.above(a.err))
	defer file.Close()
	err := start{config: c, log: log, once: true, beside: p.watch}.run(ctx)
	p.end()
	if p.begun {
		fmt.Fprintln(a.out, p.summary())
	}
	return err
}
