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
	"regexp"
	"strings"
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
	c, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = a.wrong
	} else if !a.began {
		err = usage(inOurWords(c, err))
	}
	for _, line := range explain(err) {
		fmt.Fprintln(stderr, line)
	}
	return exitCode(err)
}

// Root is the command line as it is documented.
func Root() *cobra.Command { return (&app{}).root() }

// app is what the commands share.
type app struct {
	in         io.Reader
	out, err   io.Writer
	configFile string // --config
	began      bool   // the command line was right, a command runs
	wrong      error  // what was wrong with a command line that asked for help
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "hotfolder",
		Short: "Sends pictures from watched folders through AutoRetouch and brings the results back",
		Long: `Hotfolder watches input folders, sends each finished picture through an AutoRetouch workflow and drops the result
into the matching output folder.`,
		Example: `  hotfolder demo                    # see it work, without an account
  hotfolder init                    # write a configuration; then:
  hotfolder login                   # connect to the account
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
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			group(c)
			exemplify(c)
		}
	}
	root.SetHelpCommand(a.help())
	root.InitDefaultHelpCmd()
	a.prepare(root)
	a.helpOnlyForWhatThereIs(root)
	return root
}

func (a *app) help() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Tell what a command does",
		Example: "  hotfolder help jobs",
		RunE: func(c *cobra.Command, args []string) error {
			asked, rest, err := c.Root().Find(args)
			if err == nil {
				err = onlyCommands(asked, rest)
			}
			if err != nil {
				return usage(err)
			}
			return asked.Help()
		},
	}
}

// helpOnlyForWhatThereIs makes --help of an unknown command an error, rather than the help of the command above.
func (a *app) helpOnlyForWhatThereIs(root *cobra.Command) {
	show := root.HelpFunc()
	root.SetHelpFunc(func(c *cobra.Command, args []string) {
		if rest := c.Flags().Args(); c.HasSubCommands() && len(rest) > 0 {
			a.wrong = usage(onlyCommands(c, rest))
			return
		}
		show(c, args)
	})
}

// prepare has every command say when it begins, so that what went wrong before is known for the command line's fault.
func (a *app) prepare(c *cobra.Command) {
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			a.began = true
			return run(c, args)
		}
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

// exemplify gives cobra's own commands, one a shell, their examples.
func exemplify(completion *cobra.Command) {
	completion.Example = "  hotfolder completion zsh --help   # how to load it"
	of := map[string]string{
		"bash":       "hotfolder completion bash > /etc/bash_completion.d/hotfolder",
		"zsh":        `hotfolder completion zsh > "${fpath[1]}/_hotfolder"`,
		"fish":       "hotfolder completion fish > ~/.config/fish/completions/hotfolder.fish",
		"powershell": "hotfolder completion powershell | Out-String | Invoke-Expression",
	}
	for _, shell := range completion.Commands() {
		shell.Example = "  " + of[shell.Name()]
	}
}

var (
	noArguments  = regexp.MustCompile(`^unknown command ("(?:[^"\\]|\\.)*") for "(.*)"$`)
	notTogether  = regexp.MustCompile(`^if any flags in the group .*; \[(\S+) (\S+).*\] were all set$`)
	wrongValue   = regexp.MustCompile(`(?s)^invalid argument (".*") for "(?:-\w, )?(--\S+)" flag: .*$`)
	missingValue = regexp.MustCompile(`^flag needs an argument: (?:'\w' in )?(\S+)$`)
)

// inOurWords is what is wrong with a command line, where cobra says it in a programmer's words.
func inOurWords(c *cobra.Command, err error) error {
	text, mend, _ := strings.Cut(err.Error(), "; see ")
	if mend == "" {
		mend = fmt.Sprintf("'%s --help'", c.CommandPath())
	}
	if m := noArguments.FindStringSubmatch(text); m != nil {
		text = fmt.Sprintf("'%s' takes no %s", m[2], m[1])
	} else if m := notTogether.FindStringSubmatch(text); m != nil {
		text = fmt.Sprintf("--%s and --%s cannot be given together", m[1], m[2])
	} else if m := wrongValue.FindStringSubmatch(text); m != nil {
		text = fmt.Sprintf("%s: %s is not %s", m[2], m[1], kindOfFlag(c, strings.TrimPrefix(m[2], "--")))
	} else if m := missingValue.FindStringSubmatch(text); m != nil {
		text = m[1] + " needs a value"
	} else {
		return err
	}
	return fmt.Errorf("%s; see %s", text, mend)
}

// kindOfFlag says what a flag's value must be.
func kindOfFlag(c *cobra.Command, name string) string {
	kind := ""
	if f := c.Flag(name); f != nil {
		kind = f.Value.Type()
	}
	switch kind {
	case "int", "int64", "uint64":
		return "a whole number"
	case "duration":
		return "a time span such as 500ms, 2s or 1m30s"
	case "bool":
		return "true or false"
	}
	return "a value for it"
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
