package cli

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hotfolder/agent"
	"hotfolder/autoretouch"
	"hotfolder/config"
	"hotfolder/sandbox"
	"hotfolder/store"
)

// scene is where a scenario happens: fresh folders, an account of its own, and the real agent in a process of its own.
type scene struct {
	studio *studio
	dir    string
	config *config.Config
	rand   *rand.Rand

	box     *sandbox.Server
	address string // of the sandbox, host:port
	offline func() // ends serving
	agent   *agentProcess
	rival   *agentProcess // another one on the same input folders
	watch   *outputWatch
	undo    []func() error // what close has to do first, the last one first

	toDrop    []drop // not yet in their input folders
	dropped   []drop
	replaced  []drop // contents that stood in an input folder for a while only
	bad       []drop // files that can't be processed
	inputLost bool   // originals could not always be put away
}

// drop is a file that is put into the input folder of a hot folder.
type drop struct {
	folder int // in config.Folders
	picture
}

// run plays a scenario and holds what came of it against the promises.
func (s *studio) run(ctx context.Context, sc scenario, seed uint64) outcome {
	out := outcome{Name: sc.name, Title: sc.title}
	if ctx.Err() != nil {
		return out
	}
	if sc.impossible != nil {
		if out.Reason = sc.impossible(); out.Reason != "" {
			out.Result = resultSkip
			return out
		}
	}
	began := time.Now()
	broken, err := s.play(ctx, sc, seed, &out)
	if reason, ok := errors.AsType[notHere](err); ok {
		out.Result, out.Reason = resultSkip, string(reason)
		return out
	}
	if err != nil {
		broken = append(broken, err.Error())
	}
	out.Result, out.Problems, out.Seconds = resultPass, broken, time.Since(began).Seconds()
	if len(broken) > 0 {
		out.Result = resultFail
	}
	return out
}

// notHere is why a scenario turned out to be impossible on this machine.
type notHere string

func (n notHere) Error() string { return string(n) }

func (s *studio) play(ctx context.Context, sc scenario, seed uint64, out *outcome) (broken []string, err error) {
	sn, err := s.open(sc, seed)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sn.close()) }()
	for _, step := range slices.Concat(sc.steps, []step{awaitAll, stopAgent}) {
		if err := step(ctx, sn); err != nil {
			return nil, sn.explain(err)
		}
	}
	e, err := sn.evidence()
	if err != nil {
		return nil, err
	}
	out.Pictures, out.Executions, out.Results = len(e.dropped), len(e.books.Executions), e.results()
	return e.complaints(), nil
}

// open sets the scene.
func (s *studio) open(sc scenario, seed uint64) (_ *scene, err error) {
	sn := &scene{
		studio: s, dir: filepath.Join(s.dir, sc.name),
		rand: rand.New(rand.NewPCG(seed, uint64(crc32.ChecksumIEEE([]byte(sc.name))))),
	}
	sn.toDrop = s.drops()
	if err := os.Mkdir(sn.dir, 0o755); err != nil {
		return nil, err
	}
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	sn.address = port.Addr().String()
	sn.box, err = sandbox.New(sandbox.Options{
		Dir: filepath.Join(sn.dir, "sandbox"), Credits: 1_000_000, Processing: 300 * time.Millisecond, PassThrough: true,
		Faults: sc.faults, Seed: sn.rand.Uint64(),
	})
	if err != nil {
		port.Close()
		return nil, err
	}
	sn.offline = serve(port, sn.box.Handler())
	if sn.config, err = s.configure(sn.dir, "http://"+sn.address); err == nil {
		err = sn.logIn(sn.config)
	}
	if err != nil {
		sn.offline()
		return nil, errors.Join(err, sn.box.Close())
	}
	var outputs []string
	for _, f := range sn.config.Folders {
		outputs = append(outputs, f.Output)
	}
	sn.watch = watchOutputs(outputs, sn.isResult)
	return sn, nil
}

// drops are all pictures, in turn from the hot folders.
func (s *studio) drops() (list []drop) {
	for n := 0; ; n++ {
		before := len(list)
		for i, f := range s.folders {
			if n < len(f.pictures) {
				list = append(list, drop{i, f.pictures[n]})
			}
		}
		if len(list) == before {
			return list
		}
	}
}

// close ends all that runs in the scene, and mends what lies in it.
func (s *scene) close() error {
	s.agent.kill()
	s.rival.kill()
	s.watch.stop()
	var err error
	for _, undo := range slices.Backward(s.undo) {
		err = errors.Join(err, undo())
	}
	s.offline()
	err = errors.Join(err, s.box.Close())
	if !s.studio.keep {
		_ = os.RemoveAll(s.dir) // what another program has open for a moment is none of the agent's faults, and goes with the drill's folder
	}
	return err
}

// logIn does what `hotfolder login` does for the agent of that configuration.
func (s *scene) logIn(c *config.Config) error {
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return err
	}
	return (&autoretouch.File{Path: c.Account.CredentialsFile}).Save(autoretouch.Token{Refresh: s.box.RefreshToken()})
}

func (s *scene) isResult(sha string) bool {
	return slices.ContainsFunc(s.box.Books().Executions, func(e sandbox.Execution) bool { return e.ResultHash == sha })
}

// inputOf is where a drop is put.
func (s *scene) inputOf(d drop) string {
	return filepath.Join(s.config.Folders[d.folder].Input, filepath.FromSlash(d.path))
}

const (
	lookEvery     = 100 * time.Millisecond
	drillPatience = 2 * time.Minute // for what takes seconds, or a minute when the agent has just begun to wait
)

// await looks until is says true; what is named when it never does.
func (s *scene) await(ctx context.Context, what string, is func(agent.Desk) (bool, error)) error {
	return s.awaitOf(ctx, s.config, what, is)
}

// awaitOf is await for the agent of another configuration.
func (s *scene) awaitOf(ctx context.Context, c *config.Config, what string, is func(agent.Desk) (bool, error)) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var last error
	for began := time.Now(); time.Since(began) < drillPatience; {
		var yes bool
		last = withDesk(ctx, c, false, func(d agent.Desk) (err error) { yes, err = is(d); return err })
		if last == nil && yes {
			return nil
		}
		if err := s.agent.ended(); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.Join(fmt.Errorf("after %v still %s", drillPatience, what), last)
}

// explain adds to an error what the agent said last.
func (s *scene) explain(err error) error {
	if _, ok := errors.AsType[notHere](err); ok || errors.Is(err, context.Canceled) {
		return err
	}
	if said := s.agent.lastWords(); said != "" {
		return fmt.Errorf("%w; the agent's log ended with: %s", err, said)
	}
	return err
}

// evidence collects what came of it, when the agent has ended.
func (s *scene) evidence() (e evidence, err error) {
	e = evidence{folders: s.config.Folders, dropped: s.dropped, replaced: s.replaced, bad: s.bad, inputLost: s.inputLost,
		books: s.box.Books(), halves: s.watch.stop()}
	e.jobs, err = jobsIn(s.config)
	if err != nil {
		return e, err
	}
	for _, f := range e.folders {
		var found foundFiles
		for _, look := range []struct {
			at   string
			into *map[string]string
		}{{f.Input, &found.input}, {f.Output, &found.output}, {f.Processed, &found.processed}, {f.Failed, &found.failed}} {
			if *look.into, err = hashesIn(look.at); err != nil {
				return e, err
			}
		}
		e.found = append(e.found, found)
	}
	return e, nil
}

// jobsIn reads a ledger that no agent works with.
func jobsIn(c *config.Config) (jobs []store.Job, err error) {
	ledger, err := store.OpenReadOnly(ledgerFile(c))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	for job, err := range ledger.Jobs(store.Filter{}) {
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

// hashesIn returns the files in a folder, hidden ones too but for the agent's lock, with their hashes by their paths.
func hashesIn(dir string) (map[string]string, error) {
	files := map[string]string{}
	if dir == "" {
		return files, nil
	}
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".hotfolder-lock") {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err == nil {
			files[filepath.ToSlash(rel)], err = hashOf(file)
		}
		return err
	})
	return files, err
}
