package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"hotfolder/agent"
	"hotfolder/config"
	"hotfolder/report"
	"hotfolder/store"
)

func (a *app) report() *cobra.Command {
	var since, until, page string
	var asJSON, asCSV bool
	c := &cobra.Command{
		Use:   "report",
		Short: "Tell what a night did: pictures, failures, credits and times",
		Long: `Report tells what happened since 18:00 yesterday, by hot folder and order. It works whether the agent runs or not.

A time is a span before now (24h), a date, a time of day (the last one) or an RFC 3339 time.`,
		Example: `  hotfolder report
  hotfolder report --since 2026-11-20 --until 2026-11-23 --csv > week.csv
  hotfolder report --since 18:00 --html night.html`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := a.glance()
			if err != nil {
				return err
			}
			o, err := reportOptions(cfg, since, until, time.Now())
			if err != nil {
				return usage(err)
			}
			r, err := a.makeReport(c, cfg, o)
			switch {
			case err != nil:
				return err
			case page != "":
				return writePage(page, r)
			case asCSV:
				return r.CSV(a.out)
			case asJSON:
				return (&jsonPrinter{out: a.out}).print(r)
			}
			return r.Text(a.out)
		},
	}
	c.Flags().StringVar(&since, "since", "", "what happened since `TIME`: 24h, 18:00, 2026-11-22 or RFC 3339 (default: 18:00 yesterday)")
	c.Flags().StringVar(&until, "until", "", "and before this `TIME` (default: now)")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	c.Flags().BoolVar(&asCSV, "csv", false, "print a table for spreadsheets: a line for each order")
	c.Flags().StringVar(&page, "html", "", "write one HTML `FILE` that needs nothing else; an older report is replaced")
	c.MarkFlagsMutuallyExclusive("json", "csv", "html")
	return c
}

// evening is when the night begins of which a report tells unless it is told otherwise.
const evening = 18

func reportOptions(c *config.Config, since, until string, now time.Time) (report.Options, error) {
	o := newReport(c)
	o.Since, o.Until = time.Date(now.Year(), now.Month(), now.Day()-1, evening, 0, 0, 0, now.Location()), now
	for _, flag := range []struct {
		name, value string
		time        *time.Time
	}{{"--since", since, &o.Since}, {"--until", until, &o.Until}} {
		if flag.value == "" {
			continue
		}
		t, err := parseTime(flag.name, flag.value, now)
		if err != nil {
			return o, err
		}
		*flag.time = t.Local()
	}
	if !o.Since.Before(o.Until) {
		return o, fmt.Errorf("--until: %s is not after %s", clock(o.Until), clock(o.Since))
	}
	return o, nil
}

// newReport is a report of all hot folders, the time of which is to be filled in.
func newReport(c *config.Config) report.Options {
	folders := map[string]config.Folder{}
	for _, f := range c.Folders {
		folders[f.Name] = f
	}
	return report.Options{
		Folders: folderNames(c),
		Order:   func(j store.Job) string { return agent.OrderName(folders[j.Folder], j) },
	}
}

func (a *app) makeReport(c *cobra.Command, cfg *config.Config, o report.Options) (r report.Report, err error) {
	err = withDesk(c.Context(), cfg, false, func(desk agent.Desk) error {
		r, err = report.Make(o, desk.Jobs(c.Context(), o.Filter()))
		return err
	})
	return r, err
}

// writePage writes a report into a file that a person named, in place of an older report, but of nothing else.
func writePage(file string, r report.Report) error {
	taken, err := isNoReport(file)
	if err != nil {
		return err
	}
	if taken {
		return usage(fmt.Errorf("--html: %s is there and is no report; name another file", visible(file)))
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(r.HTML(f), f.Close())
}

// isNoReport says whether a file is there that a report must not replace. Empty ones and pipes hold nothing that could be lost.
func isNoReport(file string) (bool, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.Size() == 0) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	beginning, err := io.ReadAll(io.LimitReader(f, 1<<10))
	return err == nil && !report.IsPage(beginning), err
}
