// Package cli is the command line: a file a command, flags in, text out. Read this file (how a command is found and run),
// exit.go (what an error becomes), setup.go and desk.go (what commands begin with), start.go (how an agent is put together),
// text.go and json.go (how answers look), then a command.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// Main runs the command that args (without the program's name) ask for and returns its exit code (CONTRACT.md, Commands).
// The first SIGINT or SIGTERM ends the command in good order, a second one ends the process at once.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := untilSignal()
	defer stop()
	return execute(ctx, args, stdin, stdout, stderr)
}

// oneSignal is the time within which signals count as one: a terminal or a wrapper may send it to the process and to its group.
const oneSignal = 500 * time.Millisecond

func untilSignal() (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ended := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		var first time.Time
		for {
			select {
			case <-signals:
			case <-ended:
				return
			}
			switch {
			case first.IsZero():
				first = time.Now()
				cancel()
			case time.Since(first) > oneSignal:
				os.Exit(exitKilled)
			}
		}
	})
	return ctx, func() {
		signal.Stop(signals)
		close(ended)
		wg.Wait()
		cancel()
	}
}

func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{in: stdin, out: stdout, err: stderr}
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.began {
		err = usage(err)
	}
	for _, line := range explain(err) {
		fmt.Fprintln(stderr, line)
	}
	return exitCode(err)
}

// app is what the commands share.
type app struct {
	in         io.Reader
	out, err   io.Writer
	configFile string // --config
	began      bool   // the command line was right, a command runs
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "hotfolder",
		Short: "Sends pictures from watched folders through AutoRetouch and brings the results back",
		Long: `Hotfolder watches input folders, sends each finished picture through an AutoRetouch workflow and drops the result
into the matching output folder.`,
		Example: `  hotfolder demo                    # see it work, without an account
  hotfolder check                   # is everything in place?
  hotfolder run                     # the agent, until Ctrl-C
  hotfolder status                  # how is it going?`,
		Version:       versionLine(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	group(root)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w; see '%s --help'", err, c.CommandPath())
	})
	root.SetVersionTemplate("{{.Version}}\n")
	root.PersistentFlags().StringVar(&a.configFile, "config", "", "configuration `FILE` (default: $HOTFOLDER_CONFIG, ./hotfolder.yaml, the user's, the system's)")
	_ = root.MarkPersistentFlagFilename("config", "yaml", "yml") // fails only for a flag that there is not
	root.AddCommand(
		a.audit(), a.balance(), a.check(), a.demo(), a.drill(), a.init(), a.jobs(), a.login(), a.logout(), a.organizations(), a.recover(), a.redeliver(), a.report(), a.retry(), a.run(), a.sandbox(),
		a.service(), a.status(), a.version(), a.workflows(),
	)
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	a.prepare(root)
	return root
}

// prepare has every command say when it begins, so that what went wrong before is known for the command line's fault.
func (a *app) prepare(c *cobra.Command) {
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			a.began = true
			return run(c, args)
		}
	}
	if c.Example == "" { // cobra's own: completion, help
		c.Example = "  hotfolder completion bash > /etc/bash_completion.d/hotfolder\n  hotfolder help jobs"
	}
	for _, sub := range c.Commands() {
		a.prepare(sub)
	}
}

// group makes c a command that only holds others: by itself it shows its help, and it names the nearest one to a typo.
func group(c *cobra.Command) {
	c.Args = onlyCommands
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
}

func onlyCommands(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	mend := fmt.Sprintf("see '%s --help'", c.CommandPath())
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		mend = fmt.Sprintf("did you mean '%s %s'?", c.CommandPath(), near[0])
	}
	return fmt.Errorf("unknown command %q; %s", args[0], mend)
}
