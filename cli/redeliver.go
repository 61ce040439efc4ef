package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hotfolder/agent"
	"hotfolder/config"
	"hotfolder/control"
	"hotfolder/store"
)

func (a *app) redeliver() *cobra.Command {
	var folder string
	var missing bool
	c := &cobra.Command{
		Use:   "redeliver [ID|FILE...]",
		Short: "Download results again, at no charge",
		Long: `Redeliver downloads results again that were deleted or changed, at no charge: those of the jobs or files named (an original
or a result, or a folder of them), of a hot folder, or with --missing all that are no longer in their place. A result that is there
as it was delivered is left alone. Nothing is overwritten: where something else has the name now, the result gets another one.

The ID of a job whose result was put into the review folder delivers that result as it is.`,
		Example: `  hotfolder redeliver 3f9a1c2e
  hotfolder redeliver /srv/photos/packshots/out/shoes/red.png
  hotfolder redeliver --folder packshots
  hotfolder redeliver --missing
  hotfolder redeliver --missing --folder packshots`,
		ValidArgsFunction: func(c *cobra.Command, given []string, begun string) ([]string, cobra.ShellCompDirective) {
			ids, _ := a.completeIDs(store.Delivered)(c, given, begun)
			return ids, cobra.ShellCompDirectiveDefault // files, too
		},
		Args: func(_ *cobra.Command, named []string) error {
			switch chosen := folder != "" || missing; {
			case len(named) == 0 && !chosen:
				return errors.New("say which results: by the ids or files of their jobs, --folder or --missing")
			case len(named) > 0 && chosen:
				return errors.New("give either ids and files, or --folder and --missing")
			}
			return nil
		},
		RunE: func(c *cobra.Command, named []string) error {
			return a.redeliverJobs(c, named, selection{folder: folder}, missing)
		},
	}
	c.Flags().StringVar(&folder, "folder", "", "the results of the hot folder of this `NAME`")
	c.Flags().BoolVar(&missing, "missing", false, "only results that are no longer in their place")
	_ = c.RegisterFlagCompletionFunc("folder", a.completeFolders) // fails only for a flag that there is not
	return c
}

func (a *app) redeliverJobs(c *cobra.Command, named []string, which selection, missing bool) error {
	cfg, err := a.glance()
	if err != nil {
		return err
	}
	filter, err := which.filter(cfg)
	if err != nil {
		return usage(err)
	}
	return withDesk(c.Context(), cfg, true, func(desk agent.Desk) error {
		requests := []agent.RedeliverRequest{{Filter: filter, Missing: missing}}
		if len(named) > 0 {
			if requests, err = requestsFor(c.Context(), cfg, desk, named); err != nil {
				return err
			}
		}
		var all agent.Redelivered
		for _, r := range requests {
			done, err := desk.Redeliver(c.Context(), r)
			all.Jobs, all.There, all.Lost = all.Jobs+done.Jobs, all.There+done.There, all.Lost+done.Lost
			if err != nil {
				return errors.Join(a.tellRedelivered(desk, all), err)
			}
		}
		return a.tellRedelivered(desk, all)
	})
}

func (a *app) tellRedelivered(desk agent.Desk, done agent.Redelivered) error {
	line := plural(done.Jobs, "result") + " to be downloaded again"
	if _, runs := desk.(*control.Client); !runs && done.Jobs > 0 {
		line += " when the agent runs"
	}
	if done.There > 0 {
		line += fmt.Sprintf(", %d in place already", done.There)
	}
	fmt.Fprintln(a.out, line)
	if done.Lost > 0 {
		return fmt.Errorf("AutoRetouch no longer has %s; ask its support", plural(done.Lost, "result"))
	}
	return nil
}

// mostIDs is how many jobs are named in one request.
const mostIDs = 10_000

// requestsFor are the requests for what a person named: ids of jobs, originals, results, and folders of these.
func requestsFor(ctx context.Context, cfg *config.Config, desk agent.Desk, named []string) (requests []agent.RedeliverRequest, err error) {
	var ids []string
	for _, name := range named {
		job, err := desk.Job(ctx, name)
		if err == nil {
			ids = append(ids, job.ID)
			continue
		}
		if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		found, err := jobsOf(ctx, cfg, desk, name)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%w: %s is neither the id of one nor a file of which something was delivered", store.ErrNotFound, name)
		}
		ids = append(ids, found...)
	}
	for some := range slices.Chunk(ids, mostIDs) {
		requests = append(requests, agent.RedeliverRequest{IDs: some})
	}
	return requests, nil
}

// jobsOf are the delivered jobs of a file: an original or a result, by its path or by that in its hot folder, or a folder of them.
func jobsOf(ctx context.Context, cfg *config.Config, desk agent.Desk, name string) (ids []string, err error) {
	full, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	roots := map[string]config.Folder{}
	for _, f := range cfg.Folders {
		roots[f.Name] = f
	}
	for job, err := range desk.Jobs(ctx, store.Filter{State: store.Delivered}) {
		if err != nil {
			return nil, err
		}
		f := roots[job.Folder]
		if job.Output != "" && (isOf(full, name, f.Input, job.Path) || isOf(full, name, f.Output, job.Output)) {
			ids = append(ids, job.ID)
		}
	}
	return ids, nil
}

// isOf tells whether a name, or what it is in full, is that of a file in the root, or of a folder that it is in.
func isOf(full, name, root, file string) bool {
	within := func(dir, file string) bool {
		rel, err := filepath.Rel(dir, file)
		return err == nil && (rel == "." || filepath.IsLocal(rel))
	}
	if root == "" {
		return false
	}
	file = filepath.FromSlash(file)
	return within(full, filepath.Join(root, file)) || !filepath.IsAbs(name) && !strings.HasPrefix(name, ".") && within(filepath.Clean(name), file)
}
