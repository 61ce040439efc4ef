package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"

	"hotfolder/agent"
	"hotfolder/config"
	"hotfolder/control"
	"hotfolder/dashboard"
	"hotfolder/private"
	"hotfolder/store"
	"hotfolder/watcher"
)

// start is an agent to be started.
type start struct {
	config *config.Config
	log    *slog.Logger
	once   bool

	// beside, unless it is nil, runs beside the agent. Its ctx ends when the agent has ended.
	beside func(ctx context.Context, a *agent.Agent)
}

// run puts the agent together, runs it until ctx ends or, with once, until it has done what there is to do, and takes it
// apart in reverse order. It leaves nothing behind: a process may do it twice, at once too with two configurations.
//
// What the agent holds at a time is a few megabytes, and with these alone the garbage collector would run many times a second. The
// ballast, which is never touched and so takes no memory, lets it run less than half as often, for about 8 MB of garbage more. GOGC would
// do the same, but multiply what a large account takes, too; GOMEMLIMIT would have it run without end there.
func (s start) run(ctx context.Context) (err error) {
	ballast := make([]byte, 8<<20)
	defer runtime.KeepAlive(ballast)

	ledger, err := openLedger(s.config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()

	api, err := newClient(s.config)
	if err != nil {
		return err
	}
	defer api.Close()

	a, err := agent.New(agent.Options{
		Config: s.config, Ledger: ledger, API: api, Log: s.log, Version: build().version, Once: s.once, Events: watcher.OSEvents, FreeSpace: freeSpace,
	})
	if err != nil {
		return usage(err)
	}

	var beside sync.WaitGroup
	defer beside.Wait()
	during, end := context.WithCancel(context.WithoutCancel(ctx)) // the commands reach the agent while it stops, too
	defer end()
	beside.Go(func() { s.serve(during, a) })
	if s.config.Webhook.Listen != "" {
		s.hear(during, &beside, a)
	}
	if !s.once {
		s.assist(during, &beside, a)
		s.keepStatusFiles(during, &beside, a)
	}
	if s.beside != nil {
		beside.Go(func() { s.beside(during, a) })
	}

	s.log.Info("hotfolder started", "version", build().version, "config", s.config.File, "folders", len(s.config.Folders))
	for _, dir := range s.config.Silent() {
		s.log.Warn("a folder does not answer, it is taken up when it does", "path", dir, "mend", toMendSilence)
	}
	defer s.log.Info("hotfolder stopped")
	return a.Run(ctx)
}

// openLedger fails where another agent works with the ledger. That is no usage error (exit code 2), after which systemd would leave the
// service stopped: the other one ends sooner or later.
func openLedger(c *config.Config) (*store.Ledger, error) {
	ledger, err := store.Open(ledgerFile(c))
	if errors.Is(err, store.ErrLocked) {
		who := "another agent"
		if pid := control.PID(c.DataDir); pid != 0 {
			who = fmt.Sprintf("the agent with process id %d", pid)
		}
		return nil, fmt.Errorf("%s works with %s already; stop it first, or give this one another data_dir", who, ledgerFile(c))
	}
	return ledger, err
}

// hear lets AutoRetouch announce results to the agent, until ctx ends. The agent does its work without it, too.
func (s start) hear(ctx context.Context, beside *sync.WaitGroup, a *agent.Agent) {
	c := s.config.Webhook
	webhook, err := control.ListenWebhook(control.WebhookOptions{
		Listen: c.Listen, URL: c.URL, CertFile: c.CertFile, KeyFile: c.KeyFile, DataDir: s.config.DataDir, Log: s.log,
	})
	if err != nil {
		a.WebhookOff(err)
		return
	}
	a.AnnounceTo(webhook.Address)
	beside.Go(func() {
		if err := webhook.Serve(ctx, a.Announced); err != nil {
			a.WebhookOff(err)
		}
	})
}

// pagePassword reads the page's password; "" when it needs none.
func pagePassword(c *config.Config) (string, error) {
	file := c.Dashboard.PasswordFile
	if file == "" {
		return "", nil
	}
	content, err := private.ReadFile(file)
	if err != nil {
		return "", err
	}
	password := strings.TrimRight(string(content), "\r\n")
	if len(password) < shortestPassword {
		return "", fmt.Errorf("the password in %s has less than %d characters", file, shortestPassword)
	}
	return password, nil
}

const shortestPassword = 8

// serve answers the commands, and shows the page, while the agent runs. The agent does its work without it, too.
func (s start) serve(ctx context.Context, a *agent.Agent) {
	server, err := control.Listen(control.Options{
		Listen: s.config.Dashboard.Listen, DataDir: s.config.DataDir, Desk: a, Log: s.log,
	})
	if err != nil {
		s.log.Warn("status, jobs and retry cannot reach this agent", "err", err)
		return
	}
	switch password, err := pagePassword(s.config); {
	case server.Moved != nil:
		a.PageOff(server.Moved, "")
	case err != nil:
		a.PageOff(err, "correct the file dashboard.password_file, or leave that empty, and restart")
	case s.config.Dashboard.Listen != "":
		dashboard.New(a, password).Serve(server.Handle)
	}
	if err := server.Serve(ctx); err != nil {
		s.log.Warn("status, jobs and retry could not reach this agent to the end", "err", err)
	}
}
