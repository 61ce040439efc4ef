package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"hotfolder/agent"
	"hotfolder/autoretouch"
	"hotfolder/config"
	"hotfolder/sandbox"
	"hotfolder/store"
	"hotfolder/watcher"
)

func (a *app) demo() *cobra.Command {
	d := &demo{out: a.out}
	var dir string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Do the whole job on sample pictures: no account, no configuration",
		Long: `Demo makes a folder with two hot folders in it, drops photographs into them and lets the real agent send them
through a sandbox of AutoRetouch that runs inside this program. Nothing leaves this machine. The results lie in the
folder's output, and beside it a picture that shows each photograph before and after.`,
		Example: `  hotfolder demo
  hotfolder demo --keep    # goes on watching: drop pictures of your own`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if d.folder, err = openDemoFolder(dir); err == nil {
				err = d.run(c.Context())
			}
			if err != nil {
				return fmt.Errorf("demo: %w", err)
			}
			return nil
		},
	}
	c.Flags().StringVar(&dir, "dir", "hotfolder-demo", "the demo's `FOLDER`; an earlier demo in it is replaced")
	c.Flags().BoolVar(&d.keep, "keep", false, "go on watching for pictures of your own, until Ctrl-C")
	return c
}

// demo is a run of the command.
type demo struct {
	folder demoFolder
	keep   bool
	out    io.Writer

	cfg *config.Config
	api *autoretouch.Client
}

// run serves the sandbox while the agent works with it.
func (d *demo) run(ctx context.Context) (err error) {
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer port.Close()
	if d.cfg, err = d.folder.configure("http://" + port.Addr().String()); err != nil {
		return err
	}
	box, err := sandbox.New(sandbox.Options{Dir: d.folder.sandbox(), Credits: 100_000, Processing: 700 * time.Millisecond})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	defer serve(port, box.Handler())()
	return d.login(ctx, box.RefreshToken())
}

// serve answers on the port until stop is called.
func serve(port net.Listener, handler http.Handler) (stop func()) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(port) // ends with Close
	}()
	return func() {
		_ = server.Close()
		<-done
	}
}

// login connects to the sandbox as `hotfolder login` does to AutoRetouch.
func (d *demo) login(ctx context.Context, refresh string) error {
	api, err := newClientWith(d.cfg, &autoretouch.File{Path: d.cfg.Account.CredentialsFile})
	if err != nil {
		return err
	}
	defer api.Close()
	if err := api.LoginWithRefreshToken(ctx, refresh); err != nil {
		return err
	}
	d.api = api
	return d.runAgent(ctx)
}

// runAgent runs the agent while the demo is shown. It is the agent of `hotfolder run`, but for the login: one that the
// environment gives is for AutoRetouch.
func (d *demo) runAgent(ctx context.Context) (err error) {
	ledger, err := openLedger(d.cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	log, file := openLog(d.cfg, serviceLog(d.cfg, ""), nil)
	defer file.Close()
	a, err := agent.New(agent.Options{
		Config: d.cfg, Ledger: ledger, API: d.api, Log: log, Version: build().version, Events: watcher.OSEvents,
	})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { start{config: d.cfg, log: log}.serve(running, a) })
	var ran error
	wg.Go(func() { ran = a.Run(running) })
	err = d.show(ctx, a)
	stop()
	wg.Wait()
	return errors.Join(err, ran)
}

// show drops the photographs, tells how they fare and what came out.
func (d *demo) show(ctx context.Context, desk agent.Desk) error {
	fmt.Fprintf(d.out, "Dropping %d photographs into %s\n\n", len(demoSamples), d.folder.input())
	began := time.Now()
	news := &news{desk: desk, told: map[string]int{}}
	jobs, err := d.dropAndWait(ctx, news)
	if err != nil {
		return err
	}
	if err := d.report(ctx, jobs, time.Since(began)); err != nil {
		return err
	}
	if d.keep {
		if err := d.keepWatching(ctx, news); err != nil {
			return err
		}
	}
	return demoFailures(jobs)
}

// The demo's times.
const (
	demoPace     = 100 * time.Millisecond // from one dropped photograph to the next, and between two looks at the jobs
	demoPatience = 2 * time.Minute        // for all photographs together; they take seconds
)

// dropAndWait drops one photograph after the other and returns the jobs when each has its result or its failure.
func (d *demo) dropAndWait(ctx context.Context, news *news) ([]store.Job, error) {
	show := newDemoProgress(d.out)
	defer show.close()
	tick := time.NewTicker(demoPace)
	defer tick.Stop()
	for toDrop, began := demoSamples, time.Now(); ; {
		if len(toDrop) > 0 {
			if err := d.folder.drop(toDrop[0]); err != nil {
				return nil, err
			}
			toDrop = toDrop[1:]
		}
		jobs, err := news.tell(ctx, show.step)
		if err != nil {
			return nil, err
		}
		if samplesDone(jobs) {
			slices.SortFunc(jobs, func(a, b store.Job) int { return strings.Compare(demoName(a), demoName(b)) })
			return jobs, nil
		}
		if time.Since(began) > demoPatience {
			return nil, fmt.Errorf("after %v not every photograph has its result; %s says why", demoPatience, d.folder.log())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.New("stopped before every photograph had its result")
		}
	}
}

// samplesDone tells whether every photograph has become a job and no job is under way.
func samplesDone(jobs []store.Job) bool {
	missing := map[string]bool{}
	for _, s := range demoSamples {
		missing[s.folder+"/"+s.photo] = true
	}
	for _, j := range jobs {
		if !j.State.Final() {
			return false
		}
		delete(missing, demoName(j))
	}
	return len(missing) == 0
}

// demoName is a job's file, beginning at the demo's input.
func demoName(j store.Job) string { return j.Folder + "/" + j.Path }

// keepWatching tells of every further result until ctx ends.
func (d *demo) keepWatching(ctx context.Context, news *news) error {
	fmt.Fprintf(d.out, "\nWatching. Drop pictures of your own into\n")
	for _, f := range d.cfg.Folders {
		fmt.Fprintf(d.out, "  %s\n", f.Input)
	}
	fmt.Fprintf(d.out, "and end it with Ctrl-C.\n\n")
	tick := time.NewTicker(demoPace)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		_, err := news.tell(ctx, func(j store.Job, e store.Event) {
			if e.State.Final() {
				fmt.Fprintln(d.out, demoLine(j, e))
			}
		})
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
}
