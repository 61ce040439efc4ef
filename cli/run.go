package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"time"

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

On a terminal it shows how it goes, and the log goes to log.file or hotfolder.log in data_dir; elsewhere, and with TERM=dumb, it
writes the log.

With --once it handles the pictures that are in the folders now and ends: with code 1 if one of them failed or waits for a
person.`,
		Example: `  hotfolder run
  hotfolder run --once
  hotfolder --config studio.yaml run`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if installer.Interactive() {
				return a.runAgent(c.Context(), once, nil)
			}
			events := installer.OpenEvents()
			defer events.Close()
			return installer.Run(c.Context(), func(ctx context.Context) error {
				err := a.runAgent(ctx, once, events)
				tellEnd(events, err)
				return err
			})
		},
	}
	c.Flags().BoolVar(&once, "once", false, "handle what is there now, then end")
	return c
}

// tellEnd takes down how the service ended. Of an error that comes before there is a log nothing else is seen.
func tellEnd(events *installer.Events, err error) {
	if err == nil {
		events.Tell(slog.LevelInfo, eventStopped, "hotfolder stopped")
	} else {
		events.Tell(slog.LevelError, eventFailed, strings.Join(explain(err), "\n"))
	}
}

func (a *app) runAgent(ctx context.Context, once bool, events *installer.Events) error {
	c, err := a.readyConfig()
	if err != nil {
		return err
	}
	if n := c.Limits.Nice; n > 0 {
		if err := setNice(n); err != nil {
			fmt.Fprintf(a.err, "limits.nice has no effect: %v\n", err)
		}
	}
	if !installer.Interactive() && !once {
		return a.runService(ctx, c, events)
	}
	if a.drawable() {
		return a.runLive(ctx, c, once)
	}
	log, file := openLog(c, "", a.err)
	defer file.Close()
	if once {
		p := progress{out: a.out, since: time.Now()}
		err := start{config: c, log: log, once: true, beside: func(ctx context.Context, agent *agent.Agent) {
			p.watch(ctx, agent.Status)
		}}.run(ctx)
		if p.begun {
			fmt.Fprintln(a.out, p.summary(err))
		}
		return err
	}
	if c.Log.File != "" {
		fmt.Fprintf(a.err, "logging to %s\n", c.Log.File)
	}
	return start{config: c, log: log}.run(ctx)
}

// runLive runs on a terminal, and shows on it how it goes. The log would run into that, so it goes into a file.
func (a *app) runLive(ctx context.Context, c *config.Config, once bool) error {
	file := c.Log.File
	if isTerminal(a.err) {
		file = serviceLog(c, "")
	}
	log, closer := openLog(c, file, a.err)
	defer closer.Close()
	view := newLive(a.out, func(s agent.Status) string {
		switch {
		case ctx.Err() != nil:
			return "stopping; what is in hand is finished first"
		case file == "":
			return pageLine(c, s) + "Ctrl-C stops it"
		}
		return pageLine(c, s) + "Ctrl-C stops it, the log is " + visible(file)
	})
	p := progress{since: time.Now()}
	err := start{config: c, log: log, once: once, beside: func(during context.Context, agent *agent.Agent) {
		if err := view.follow(during, agent.Status); err != nil {
			log.Warn("the terminal cannot be written to", "err", err)
		}
		if now, err := agent.Status(context.WithoutCancel(during)); err == nil {
			p.take(now)
		}
	}}.run(ctx)
	if once && p.begun {
		fmt.Fprintln(a.out, p.summary(err))
	}
	return err
}

// pageLine says where the page is, if there is one now.
func pageLine(c *config.Config, s agent.Status) string {
	off := slices.ContainsFunc(s.Troubles, func(t agent.Trouble) bool { return t.Code == agent.PageOffline })
	host, port, err := net.SplitHostPort(c.Dashboard.Listen)
	if err != nil || off || !s.Agent.Running {
		return ""
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port) + " shows more, "
}

// runService runs under a service manager.
func (a *app) runService(ctx context.Context, c *config.Config, events *installer.Events) error {
	log, file := openLog(c, serviceLog(c, os.Getenv("LOGS_DIRECTORY")), a.err)
	defer file.Close()
	if events != nil {
		log = slog.New(eventHandler{log.Handler(), events.Tell})
	}
	die := func(why error) {
		events.Tell(slog.LevelError, eventHangs, "hotfolder hangs and ends, to be started again: "+why.Error())
		log.Error("hotfolder hangs and ends, to be started again; what its goroutines do follows", "why", why)
		logGoroutines(log)
		file.Close()
		os.Exit(exitFailed)
	}
	return start{config: c, log: log, beside: func(ctx context.Context, agent *agent.Agent) {
		events.Tell(slog.LevelInfo, eventStarted, fmt.Sprintf("hotfolder %s started with %s", build().version, c.File))
		err := installer.Alive(ctx, func() (string, error) {
			line, err := howItIs(ctx, agent)
			if err != nil {
				log.Error("the service should be started again", "why", err)
			}
			return line, err
		}, die)
		if err != nil {
			log.Error("systemd cannot be told how it goes", "err", err)
		}
	}}.run(ctx)
}
