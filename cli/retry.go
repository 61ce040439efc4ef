package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"hotfolder/agent"
	"hotfolder/store"
)

func (a *app) retry() *cobra.Command {
	var which selection
	var all bool
	c := &cobra.Command{
		Use:   "retry [ID...]",
		Short: "Take failed jobs up again",
		Long: `Retry takes failed jobs up where they failed: a result that could not be fetched is fetched, an execution that failed is run
again, a file that was refused is looked at anew. Nothing is paid twice.`,
		Example: `  hotfolder retry 3f9a1c2e 77ab01de
  hotfolder retry --path shoes/red
  hotfolder retry --folder packshots
  hotfolder retry --all`,
		ValidArgsFunction: a.completeIDs(store.Failed),
		Args: func(_ *cobra.Command, ids []string) error {
			filtered := which != (selection{})
			switch {
			case len(ids) == 0 && !filtered && !all:
				return errors.New("say which jobs: by their ids, --path, --folder or --all")
			case len(ids) > 0 && (filtered || all), filtered && all:
				return errors.New("give either ids, or --path and --folder, or --all")
			}
			return nil
		},
		RunE: func(c *cobra.Command, ids []string) error { return a.retryJobs(c, ids, which, all) },
	}
	which.addFlags(a, c)
	c.Flags().BoolVar(&all, "all", false, "all failed jobs")
	return c
}

func (a *app) retryJobs(c *cobra.Command, ids []string, which selection, all bool) error {
	cfg, err := a.glance()
	if err != nil {
		return err
	}
	filter, err := which.filter(cfg)
	if err != nil {
		return usage(err)
	}
	return withDesk(c.Context(), cfg, true, func(desk agent.Desk) error {
		done, err := desk.Retry(c.Context(), agent.RetryRequest{IDs: ids, Filter: filter, All: all})
		if done.Jobs > 0 || err == nil {
			what := "no failed job"
			if done.Jobs > 0 {
				what = plural(done.Jobs, "failed job")
			}
			fmt.Fprintf(a.out, "%s taken up again\n", what)
		}
		return err
	})
}
