package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"hotfolder/agent"
)

func (a *app) audit() *cobra.Command {
	var asJSON, results bool
	c := &cobra.Command{
		Use:   "audit",
		Short: "Hold the ledger against the account: every difference named",
		Long: `Audit compares each execution in the account with the jobs in the ledger: which of them the other lacks, what was made twice,
what was charged. It changes nothing, and works whether the agent runs or not. It ends with code 1 if there is a difference.`,
		Example: "  hotfolder audit\n  hotfolder audit --results   # has anyone changed a result since?\n  hotfolder audit --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			found, err := a.holdBooks(c, results)
			if err == nil {
				err = a.printer(asJSON).audit(found)
			}
			if n := len(found.Differences); err == nil && n > 0 {
				err = fmt.Errorf("audit found %s, named above", plural(n, "difference"))
			}
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	c.Flags().BoolVar(&results, "results", false, "read the results in the output folders, too")
	return c
}

func (a *app) holdBooks(c *cobra.Command, results bool) (found agent.Audit, err error) {
	cfg, err := a.readyConfig()
	if err != nil {
		return found, err
	}
	api, err := newClient(cfg)
	if err != nil {
		return found, err
	}
	defer api.Close()
	err = withDesk(c.Context(), cfg, false, func(desk agent.Desk) error {
		found, err = agent.RunAudit(c.Context(), agent.AuditOptions{Config: cfg, API: api, Desk: desk, Results: results})
		return err
	})
	return found, err
}

func (p *jsonPrinter) audit(found agent.Audit) error { return p.print(found) }

func (p *textPrinter) audit(found agent.Audit) error {
	var err error
	for _, d := range found.Differences {
		what := fmt.Sprintf("%s: execution %s", strings.ReplaceAll(string(d.Kind), "_", " "), d.Execution)
		if d.Job != "" {
			what += ", job " + d.Job
		}
		what += fmt.Sprintf(", %s: %s", plural(d.Credits, "credit"), d.Text)
		err = errors.Join(err, p.finding(finding{levelError, what, d.Mend}))
	}
	for _, note := range notes(found.Results) {
		err = errors.Join(err, p.finding(finding{Level: levelWarning, What: note}))
	}
	booked := humanize.Comma(int64(found.Booked)) + " booked"
	if found.Unpaid > 0 {
		booked += fmt.Sprintf(" (%s not charged yet)", humanize.Comma(int64(found.Unpaid)))
	}
	sums := finding{Level: levelOK, What: fmt.Sprintf("%s in the account for %s in the ledger; %s credits charged, %s, balance %s",
		plural(found.Executions, "execution"), plural(found.Jobs, "job"),
		humanize.Comma(int64(found.Charged)), booked, humanize.Comma(int64(found.Balance)))}
	if len(found.Differences) > 0 {
		sums.Level = "" // nothing is ok, and the lines above say what is wrong
	}
	return errors.Join(err, p.finding(sums))
}

// notes are what there is to say of the results, which are their owners' to take and to edit.
func notes(r agent.AuditResults) (notes []string) {
	if r.Missing > 0 {
		notes = append(notes, plural(r.Missing, "delivered result")+" no longer in the output folder; 'hotfolder redeliver --missing' brings them back")
	}
	if r.Changed > 0 {
		notes = append(notes, plural(r.Changed, "delivered result")+" changed since")
	}
	if r.Offline > 0 {
		notes = append(notes, plural(r.Offline, "output folder")+" not there, results not looked at")
	}
	return notes
}
