package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"hotfolder/config"
)

// Read drill.go (what is run, and where), drillstudio.go (the copies), drillscenarios.go (the list), drillsteps.go
// and drillfaults.go (what happens in a scenario), drillscene.go (the stage it happens on), drillpromises.go (what must hold
// afterwards), drillreport.go.

func (a *app) drill() *cobra.Command {
	var o drillOptions
	var asJSON, list bool
	c := &cobra.Command{
		Use:   "drill",
		Short: "Rehearse every fault on copies of your folders: a pass list",
		Long: `Drill copies some pictures of each input folder into a temporary place and runs the real agent there, with your configuration
but against the sandbox inside this program. In each scenario something goes wrong: the agent is killed, the network fails, a
folder vanishes, the credits run out. Afterwards the promises are checked: one execution and one charge a picture, one whole
result each, nothing else in any folder, and a ledger that agrees with the account.

Your folders are only read. Your ledger, your login and AutoRetouch are not touched, and nothing is spent. Without a
configuration sample photographs are used, and in the place of a folder without pictures, too.

What is as in your configuration: the hot folders, which files they take and what becomes of files and results. What is not:
all paths, the account, the workflows (the sandbox's stand in), times and limits, so that the drill is short.`,
		Example: `  hotfolder drill
  hotfolder drill --list
  hotfolder drill --only kills --only full-disk --seed 7 --dir drill`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if list {
				return a.listDrill(asJSON)
			}
			var err error
			if o.chosen, err = chooseScenarios(o.only); err != nil {
				return usage(err)
			}
			if !c.Flags().Changed("seed") {
				o.seed = rand.Uint64N(1_000_000)
			}
			return a.runDrill(c.Context(), o, a.drillPrinter(asJSON))
		},
	}
	c.Flags().IntVar(&o.pictures, "pictures", 6, "copies at most so many `PICTURES` of each input folder")
	c.Flags().StringVar(&o.dir, "dir", "", "works in this new `FOLDER` and leaves it, with the agent's logs; default: a temporary one")
	c.Flags().StringArrayVar(&o.only, "only", nil, "only the scenario of this `NAME`; may be given several times")
	c.Flags().Uint64Var(&o.seed, "seed", 0, "`NUMBER` that decides the random moments and faults; default: another one each time")
	c.Flags().BoolVar(&list, "list", false, "name the scenarios, and end")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return c
}

type drillOptions struct {
	pictures int
	dir      string
	only     []string
	chosen   []scenario // those that only names, or all
	seed     uint64
}

// chooseScenarios returns those of these names, in the order of the list; all, if there are no names.
func chooseScenarios(names []string) (chosen []scenario, err error) {
	for _, name := range names {
		if !slices.ContainsFunc(scenarios(), func(s scenario) bool { return s.name == name }) {
			return nil, fmt.Errorf("--only: there is no scenario %q; see 'hotfolder drill --list'", name)
		}
	}
	for _, s := range scenarios() {
		if len(names) == 0 || slices.Contains(names, s.name) {
			chosen = append(chosen, s)
		}
	}
	return chosen, nil
}

// runDrill makes the copies and runs the scenarios on them.
func (a *app) runDrill(ctx context.Context, o drillOptions, p drillPrinter) (err error) {
	if o.pictures < 1 {
		return usage(errors.New("--pictures must be at least 1"))
	}
	cfg, err := a.drillConfig()
	if err != nil {
		return err
	}
	dir, remove, err := drillDir(cfg, o.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	studio, err := copyStudio(ctx, cfg, dir, o.pictures)
	if err != nil {
		return err
	}
	studio.keep = o.dir != ""
	if err := p.begin(studio, o); err != nil {
		return err
	}
	return studio.runAll(ctx, o, p)
}

// drillConfig reads the configuration; where there is none it is as if a studio had two empty folders.
func (a *app) drillConfig() (*config.Config, error) {
	if _, err := config.Find(a.configFile, os.Getenv); err == nil {
		c, err := a.config()
		if err == nil {
			err = c.RequireFolders()
		}
		return c, err
	}
	c := config.Default()
	for _, name := range []string{"packshots", "website"} {
		f := config.DefaultFolder()
		f.Name, f.Workflow = name, name
		c.Folders = append(c.Folders, f)
	}
	return &c, nil
}

// drillDir makes the folder that all happens in. One in an input folder would have the real agent pay for the copies.
func drillDir(c *config.Config, wanted string) (dir string, remove func() error, err error) {
	parent := cmp.Or(wanted, os.TempDir())
	for _, f := range c.Folders {
		for _, own := range []string{f.Input, f.Output, f.Processed, f.Failed} {
			if liesIn(nearest(parent), own) {
				return "", nil, usage(fmt.Errorf("%s lies in a folder of %s; name another one with --dir", parent, f.Name))
			}
		}
	}
	if wanted == "" {
		if dir, err = os.MkdirTemp("", "hotfolder-drill-"); err != nil {
			return "", nil, err
		}
		return dir, func() error { return os.RemoveAll(dir) }, nil
	}
	if dir, err = filepath.Abs(wanted); err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", nil, err
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		return "", nil, usage(cmp.Or(err, fmt.Errorf("%s is not empty; name a new folder with --dir", dir)))
	}
	return dir, func() error { return nil }, nil
}

// liesIn tells whether an existing folder is parent or lies in it, by whatever name.
func liesIn(dir, parent string) bool {
	root, err := os.Stat(parent)
	if err != nil {
		return false
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return false
	}
	for {
		if info, err := os.Stat(dir); err == nil && os.SameFile(info, root) {
			return true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return false
		}
		dir = up
	}
}

// scenariosAtOnce is how many scenarios run side by side: they mostly wait.
const scenariosAtOnce = 3

// runAll runs the scenarios and tells their outcomes in order, each as soon as it is its turn.
func (s *studio) runAll(ctx context.Context, o drillOptions, p drillPrinter) error {
	began := time.Now()
	outcomes := make([]chan outcome, len(o.chosen))
	for i := range outcomes {
		outcomes[i] = make(chan outcome, 1)
	}
	places := make(chan struct{}, scenariosAtOnce)
	var all sync.WaitGroup
	defer all.Wait()
	for i, sc := range o.chosen {
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			outcomes[i] <- s.run(ctx, sc, o.seed)
		})
	}
	var sum drillSummary
	var printErr error
	for _, c := range outcomes {
		out := <-c
		if ctx.Err() == nil && printErr == nil {
			sum.add(out)
			printErr = p.outcome(out)
		}
	}
	if err := cmp.Or(ctx.Err(), printErr); err != nil {
		return err
	}
	sum.took = time.Since(began)
	if err := p.end(sum); err != nil {
		return err
	}
	if sum.failed > 0 {
		return fmt.Errorf("drill: %s failed; 'hotfolder drill --only %s --seed %d --dir FOLDER' runs them again and keeps the agent's logs",
			plural(sum.failed, "scenario"), strings.Join(sum.failures, " --only "), o.seed)
	}
	return nil
}
