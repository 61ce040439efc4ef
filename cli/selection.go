package cli

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hotfolder/agent"
	"hotfolder/config"
	"hotfolder/store"
)

// selection is how a person chooses jobs.
type selection struct{ state, folder, path, since string }

func (s *selection) addFlags(a *app, c *cobra.Command) {
	c.Flags().StringVar(&s.folder, "folder", "", "only jobs of the hot folder of this `NAME`")
	c.Flags().StringVar(&s.path, "path", "", "only the job of this `FILE`, or those of all files in this folder; absolute, or relative to the input folder")
	_ = c.RegisterFlagCompletionFunc("folder", a.completeFolders) // fails only for a flag that there is not
}

// filter is what the ledger is asked for. What it cannot hold is an error, rather than an empty list.
func (s selection) filter(c *config.Config) (store.Filter, error) {
	f := store.Filter{State: store.State(s.state), Folder: s.folder}
	if s.state != "" && !slices.Contains(store.States, f.State) {
		return f, fmt.Errorf("--state: there is no state %q; there are %s", s.state, strings.Join(stateNames(), ", "))
	}
	if s.folder != "" && !slices.Contains(folderNames(c), s.folder) {
		return f, fmt.Errorf("--folder: %s has no hot folder %q; it has %s", c.File, s.folder, strings.Join(folderNames(c), ", "))
	}
	if s.since != "" {
		var err error
		if f.Since, err = parseTime("--since", s.since, time.Now()); err != nil {
			return f, err
		}
	}
	if s.path != "" {
		return f, s.locate(c, &f)
	}
	return f, nil
}

// locate finds the hot folder in which an absolute path lies.
func (s selection) locate(c *config.Config, f *store.Filter) error {
	f.Path = path.Clean(filepath.ToSlash(s.path))
	if !filepath.IsAbs(s.path) {
		return nil
	}
	for _, folder := range c.Folders {
		rel, err := filepath.Rel(folder.Input, s.path)
		if err != nil || !filepath.IsLocal(rel) || s.folder != "" && s.folder != folder.Name {
			continue
		}
		if f.Folder, f.Path = folder.Name, filepath.ToSlash(rel); f.Path == "." {
			f.Path = ""
		}
		return nil
	}
	return fmt.Errorf("--path: %s lies in no input folder", s.path)
}

// parseTime reads a time span before now, a local time of day (the last one before now), a local date, or an RFC 3339 time.
func parseTime(flag, s string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if _, err := time.Parse("15:04", s); err == nil {
		return config.Clock(s).Last(now), nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, s, time.Local); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("%s: %q is no time; write 12h, 18:00, 2026-11-23 or 2026-11-23T18:00:00+01:00", flag, s)
}

func stateNames() (names []string) {
	for _, s := range store.States {
		names = append(names, string(s))
	}
	return names
}

func folderNames(c *config.Config) (names []string) {
	for _, f := range c.Folders {
		names = append(names, f.Name)
	}
	return names
}

func completeStates(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return stateNames(), cobra.ShellCompDirectiveNoFileComp
}

const (
	mostCompleted = 50          // jobs that are offered to complete an id: the newest
	timeCompleted = time.Second // for finding them: somebody waits at a prompt
)

// completeIDs offers the ids of the newest jobs, or of those in a state, each with its file.
func (a *app) completeIDs(state store.State) cobra.CompletionFunc {
	return func(_ *cobra.Command, given []string, begun string) (ids []string, _ cobra.ShellCompDirective) {
		c, err := a.glance()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		ctx, cancel := context.WithTimeout(context.Background(), timeCompleted) // cobra gives none
		defer cancel()
		_ = withDesk(ctx, c, false, func(desk agent.Desk) error { // what was found until an error is better than nothing
			for job, err := range desk.Jobs(ctx, store.Filter{State: state}) {
				if err != nil {
					return err
				}
				if id := shortID(job.ID); strings.HasPrefix(job.ID, begun) && !slices.Contains(given, id) {
					ids = append(ids[max(0, len(ids)-mostCompleted+1):], cobra.CompletionWithDesc(id, visible(job.Folder+"/"+job.Path)))
				}
			}
			return nil
		})
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
}

func (a *app) completeFolders(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	c, err := a.glance()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return folderNames(c), cobra.ShellCompDirectiveNoFileComp
}
