// Manual writes the commands' reference from the commands themselves: docs/commands.md and the man pages.
//
//	go run ./cli/manual --markdown docs/commands.md --man DIR
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"hotfolder/cli"
)

func main() {
	log.SetFlags(0)
	markdown := flag.String("markdown", "", "write the reference into this `file`")
	man := flag.String("man", "", "write the man pages into this `folder`")
	flag.Parse()
	if *markdown != "" {
		if err := os.WriteFile(*markdown, []byte(reference(cli.Root())), 0o644); err != nil {
			log.Fatal(err)
		}
	}
	if *man != "" {
		if err := manPages(*man); err != nil {
			log.Fatal(err)
		}
	}
}

// manPages are the same for the same SOURCE_DATE_EPOCH.
func manPages(dir string) error {
	root := cli.Root()
	root.DisableAutoGenTag = true
	return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "hotfolder", Manual: "Hotfolder for AutoRetouch"}, dir)
}

// reference tells of c and all below it.
func reference(c *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# Commands\n\nMade from the commands themselves by `go run ./cli/manual --markdown docs/commands.md`. `hotfolder COMMAND --help` and the\n" +
		"man pages say the same.\n")
	describe(&b, c)
	return b.String()
}

func describe(b *strings.Builder, c *cobra.Command) {
	c.InitDefaultHelpFlag()
	fmt.Fprintf(b, "\n## %s\n\n%s.\n", c.CommandPath(), c.Short)
	if c.Long != "" {
		fmt.Fprintf(b, "\n%s\n", prose(c.Long))
	}
	block(b, "", c.UseLine())
	block(b, "", c.LocalFlags().FlagUsages())
	block(b, "For example:\n\n", c.Example)
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			describe(b, sub)
		}
	}
}

// prose makes code of what a help text sets apart by a tab or spaces.
func prose(long string) string {
	lines := strings.Split(strings.TrimSpace(long), "\n")
	for i, line := range lines {
		if rest := strings.TrimLeft(line, "\t "); rest != line && rest != "" {
			lines[i] = "    " + rest
		}
	}
	return strings.Join(lines, "\n")
}

func block(b *strings.Builder, before, text string) {
	if text = strings.Trim(text, "\n"); text != "" {
		fmt.Fprintf(b, "\n%s```\n%s\n```\n", before, text)
	}
}
