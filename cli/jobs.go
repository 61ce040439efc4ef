package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"hotfolder/agent"
)

func (a *app) jobs() *cobra.Command {
	var asJSON bool
	var which selection
	c := &cobra.Command{
		Use:   "jobs",
		Short: "List the jobs; 'jobs show ID' tells one job's whole history",
		Example: `  hotfolder jobs --state failed
  hotfolder jobs --folder packshots --since 12h
  hotfolder jobs --path shoes/red --json
  hotfolder jobs show 3f9a1c2e`,
		Args: onlyCommands,
		RunE: func(c *cobra.Command, _ []string) error { return a.listJobs(c, which, a.printer(asJSON)) },
	}
	c.Flags().StringVar(&which.state, "state", "", "only jobs in this `STATE`")
	c.Flags().StringVar(&which.since, "since", "", "only jobs of which something happened since `TIME`: 12h, 18:00, 2026-11-23 or RFC 3339")
	which.addFlags(a, c)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	_ = c.RegisterFlagCompletionFunc("state", completeStates) // fails only for a flag that there is not
	c.AddCommand(a.showJob())
	return c
}

func (a *app) listJobs(c *cobra.Command, which selection, p printer) error {
	cfg, err := a.glance()
	if err != nil {
		return err
	}
	filter, err := which.filter(cfg)
	if err != nil {
		return usage(err)
	}
	return withDesk(c.Context(), cfg, false, func(desk agent.Desk) error {
		found := false
		for job, err := range desk.Jobs(c.Context(), filter) {
			if err != nil {
				return err
			}
			found = true
			if err := p.job(job); err != nil {
				return err
			}
		}
		if _, text := p.(*textPrinter); text && !found {
			none := "no such job" // not on stdout, where a program counts lines
			if which.path != "" {
				none += "; --path takes the whole way to the file or folder, below its input folder"
			}
			fmt.Fprintln(a.err, none)
		}
		return p.end()
	})
}

func (a *app) showJob() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:               "show ID",
		Short:             "Show one job and its whole history",
		Long:              "Show tells of the job whose id begins with ID.",
		Example:           "  hotfolder jobs show 3f9a1c2e\n  hotfolder jobs show 3f9a1c2e --json",
		ValidArgsFunction: a.completeIDs(""),
		Args: func(_ *cobra.Command, ids []string) error {
			if len(ids) != 1 {
				return errors.New("name one job by its id; 'hotfolder jobs' lists them")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := a.glance()
			if err != nil {
				return err
			}
			return withDesk(c.Context(), cfg, false, func(desk agent.Desk) error {
				job, err := desk.Job(c.Context(), args[0])
				if err != nil {
					return err
				}
				return a.printer(asJSON).whole(job)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return c
}
