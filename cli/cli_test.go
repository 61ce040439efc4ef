package cli

import (
	"bytes"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestCommandLine(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr string
	}{
		{"", 0, `Usage:\n`, ``},
		{"--help", 0, `Available Commands:`, ``},
		{"version", 0, `^hotfolder \S+ \(commit .*, go1\.\S+, \w+/\w+\)\n$`, ``},
		{"--version", 0, `^hotfolder \S+ \(commit .*, go1\.\S+, \w+/\w+\)\n$`, ``},
		{"staus", 2, `^$`, `hotfolder: unknown command "staus"; did you mean 'hotfolder status'\?\n`},
		{"nonsense", 2, `^$`, `hotfolder: unknown command "nonsense"; see 'hotfolder --help'\n`},
		{"jobs shw", 2, `^$`, `hotfolder: unknown command "shw"; did you mean 'hotfolder jobs show'\?\n`},
		{"service instal", 2, `^$`, `hotfolder: unknown command "instal"; did you mean 'hotfolder service install'\?\n`},
		{"status --jsn", 2, `^$`, `hotfolder: unknown flag: --jsn; see 'hotfolder status --help'\n`},
		{"status now", 2, `^$`, `hotfolder: 'hotfolder status' takes no "now"; see 'hotfolder status --help'\n`},
		{"status --json --watch", 2, `^$`, `hotfolder: --json and --watch cannot be given together; see 'hotfolder status --help'\n`},
		{"jobs show", 2, `^$`, `hotfolder: name one job by its id; .*\n`},
		{"jobs --state lost", 2, `^$`, `hotfolder: --state: there is no state "lost"; there are queued, .*\n`},
		{"jobs --folder shoes", 2, `^$`, `hotfolder: --folder: .*hotfolder.yaml has no hot folder "shoes"; it has packshots, website\n`},
		{"jobs --since yesterday", 2, `^$`, `hotfolder: --since: "yesterday" is no time; .*\n`},
		{"jobs --path /nowhere/at/all", 2, `^$`, `hotfolder: --path: .* lies in no input folder\n`},
		{"retry", 2, `^$`, `hotfolder: say which jobs: .*\n`},
		{"retry abc --all", 2, `^$`, `hotfolder: give either ids, .*\n`},
		{"redeliver", 2, `^$`, `hotfolder: say which results: .*\n`},
		{"redeliver abc --missing", 2, `^$`, `hotfolder: give either ids and files, .*\n`},
		{"redeliver --folder shoes", 2, `^$`, `hotfolder: --folder: .* no hot folder "shoes"; .*\n`},
		{"__complete redeliver --folder p", 0, `(?m)^packshots$`, `Completion ended .*\n`},
		{"sandbox --fault nonsense=1", 2, `^$`, `hotfolder: --fault nonsense=1: write NAME=VALUE; the names are latency, .*\n`},
		{"sandbox --fault latency=soon", 2, `^$`, `hotfolder: --fault latency: "soon" is no value for it; .*\n`},
		{"sandbox --listen nowhere", 2, `^$`, `hotfolder: cannot serve on nowhere \(.*missing port.*\); choose another address with --listen\n`},
		{"sandbox --credits x", 2, `^$`, `hotfolder: --credits: "x" is not a whole number; see 'hotfolder sandbox --help'\n`},
		{"sandbox --processing x", 2, `^$`, `hotfolder: --processing: "x" is not a time span such as .*; see 'hotfolder sandbox --help'\n`},
		{"run --once=maybe", 2, `^$`, `hotfolder: --once: "maybe" is not true or false; see 'hotfolder run --help'\n`},
		{"init -y=maybe", 2, `^$`, `hotfolder: --yes: "maybe" is not true or false; see 'hotfolder init --help'\n`},
		{"login --organization", 2, `^$`, `hotfolder: --organization needs a value; see 'hotfolder login --help'\n`},
		{"jobs show nope", 1, `^$`, `hotfolder: no such job: nope; 'hotfolder jobs' lists them\n`},
		{"retry nope", 1, `^$`, `hotfolder: no such job: nope; 'hotfolder jobs' lists them\n`},
		{"nonsense --help", 2, `^$`, `hotfolder: unknown command "nonsense"; see 'hotfolder --help'\n`},
		{"staus -h", 2, `^$`, `hotfolder: unknown command "staus"; did you mean 'hotfolder status'\?\n`},
		{"jobs shw --help", 2, `^$`, `hotfolder: unknown command "shw"; did you mean 'hotfolder jobs show'\?\n`},
		{"help nonsense", 2, `^$`, `hotfolder: unknown command "nonsense"; see 'hotfolder --help'\n`},
		{"help", 0, `Available Commands:`, ``},
		{"help jobs show", 0, `(?s)^Show tells of.*hotfolder jobs show ID`, ``},
		{"jobs show --help", 0, `hotfolder jobs show ID`, ``},
		{"jobs --help", 0, `hotfolder jobs \[command\]`, ``},
		{"completion nope", 2, `^$`, `hotfolder: unknown command "nope"; see 'hotfolder completion --help'\n`},
		{"--config .. status", 2, `^$`, `hotfolder: .. is a folder; name the configuration file in it\n`},
		{"--config missing.yaml status", 2, `^$`, `hotfolder: .*missing.yaml.*\n`},
		{"completion bash", 0, `hotfolder`, ``},
		{"completion powershell", 0, `hotfolder`, ``},
		{"__complete jobs --state que", 0, `(?m)^queued$`, `Completion ended .*\n`},
		{"__complete retry --folder p", 0, `(?m)^packshots$`, `Completion ended .*\n`},
	} {
		t.Run(c.args, func(t *testing.T) {
			w.t = t
			if runtime.GOOS == "windows" && strings.Contains(c.args, "/nowhere") {
				t.Skip("that path is not absolute there")
			}
			w.want(c.code, c.stdout, c.stderr, strings.Fields(c.args)...)
		})
	}
}

func TestConfigurationErrorsAreALineEach(t *testing.T) {
	w := newWorld(t)
	write(t, w.file, []byte("folders: 3\nlimts: {}\n"))
	w.want(2, `^$`, `\S+hotfolder\.yaml:1:10: .*\n\S+hotfolder\.yaml:2:1: .*limits.*\n`, "status")
	write(t, w.file, nil)
	w.want(2, `^$`, `\S+hotfolder\.yaml:1:1: folders: .*\n\S+hotfolder\.yaml:1:1: account.organization: is missing; .*\n`, "run")
	w.want(2, `^$`, `\S+hotfolder\.yaml:1:1: account.organization: is missing; .*\n`, "workflows")
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if strings.TrimSpace(c.Example) == "" || c.Short == "" {
			t.Errorf("%s has no example or description", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit((&app{}).root())
}

func TestTheHelpOfACompletionShowsItsOwnShell(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		c, _, err := (&app{}).root().Find([]string{"completion", shell})
		if err != nil || c.Name() != shell || !strings.Contains(c.Example, "hotfolder completion "+shell+" ") {
			t.Errorf("%s: %v, %q", shell, err, c.Example)
		}
	}
}

func TestSignalEndsRun(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot interrupt itself there")
	}
	w := newWorld(t)
	w.login()
	var stdout, stderr buffer
	ended := make(chan int, 1)
	go func() { ended <- Main([]string{"--config", w.file, "run"}, &bytes.Buffer{}, &stdout, &stderr) }()
	w.await("the start", func() bool { return strings.Contains(stderr.String(), "hotfolder started") })
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Signal(os.Interrupt)
	}
	if err != nil {
		t.Fatal(err)
	}
	if code := <-ended; code != 0 || stdout.String() != "" {
		t.Errorf("exit %d, stdout %q, stderr %s", code, stdout.String(), stderr.String())
	}
}
