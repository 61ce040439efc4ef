package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"hotfolder/agent"
	"hotfolder/sandbox"
	"hotfolder/store"
	"hotfolder/watcher"
)

// step is one thing that happens in a scenario. Its error ends the scenario as failed, or as skipped if it is a notHere.
type step func(ctx context.Context, s *scene) error

func startAgent(_ context.Context, s *scene) (err error) {
	s.agent, err = startProcess(s.config, "run")
	return err
}

// stopAgent ends the agent in good order, after any other one.
func stopAgent(_ context.Context, s *scene) error {
	s.rival.kill()
	return s.agent.stop()
}

// dropAll puts what is left of the pictures into the input folders.
func dropAll(_ context.Context, s *scene) error { return s.drop(len(s.toDrop)) }

func dropHalf(_ context.Context, s *scene) error { return s.drop(len(s.toDrop) / 2) }

func (s *scene) drop(n int) error {
	for _, d := range s.toDrop[:n] {
		if err := s.put(d); err != nil {
			return err
		}
		s.dropped = append(s.dropped, d)
	}
	s.toDrop = s.toDrop[n:]
	return nil
}

// put copies a picture to its place.
func (s *scene) put(d drop) error {
	from, err := os.Open(d.file)
	if err != nil {
		return err
	}
	defer from.Close()
	to := s.inputOf(d)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	_, _, err = writePicture(to, from)
	return err
}

func pauseFor(d time.Duration) step {
	return func(ctx context.Context, _ *scene) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// awaitTrouble waits until the agent says what is wrong, in every hot folder or as a whole.
func awaitTrouble(code agent.Code) step {
	return func(ctx context.Context, s *scene) error {
		return s.await(ctx, fmt.Sprintf("not said by status: %s", code), func(d agent.Desk) (bool, error) {
			return hasTrouble(ctx, d, code)
		})
	}
}

func hasTrouble(ctx context.Context, d agent.Desk, code agent.Code) (bool, error) {
	status, err := d.Status(ctx)
	return slices.ContainsFunc(status.Troubles, func(t agent.Trouble) bool { return t.Code == code }), err
}

// awaitAll waits until every file that was dropped has its result or its failure, and nothing is under way.
func awaitAll(ctx context.Context, s *scene) error {
	return s.await(ctx, "not all results are there", func(d agent.Desk) (bool, error) {
		missing := map[string]bool{}
		for _, drop := range slices.Concat(s.dropped, s.bad) {
			missing[s.config.Folders[drop.folder].Name+"\x00"+drop.path+"\x00"+drop.sha] = true
		}
		for j, err := range d.Jobs(ctx, store.Filter{}) {
			if err != nil || !j.State.Final() {
				return false, err
			}
			if j.State != store.Gone {
				delete(missing, j.Folder+"\x00"+j.Path+"\x00"+j.SHA256)
			}
		}
		return len(missing) == 0, nil
	})
}

// killedTimes starts the agent and kills it at a random moment, n times, with pictures dropped meanwhile.
func killedTimes(n int) step {
	return func(ctx context.Context, s *scene) error {
		share := len(s.toDrop) / (n + 1)
		for range n {
			if err := startAgent(ctx, s); err != nil {
				return err
			}
			if err := s.drop(max(share, min(1, len(s.toDrop)))); err != nil {
				return err
			}
			if err := pauseFor(time.Duration(100+s.rand.IntN(1200))*time.Millisecond)(ctx, s); err != nil {
				return err
			}
			if err := s.agent.ended(); err != nil {
				return err
			}
			s.agent.kill()
		}
		return nil
	}
}

// runOnce runs `run --once`, which has to say by its exit code that some files failed.
func runOnce(ctx context.Context, s *scene) error {
	p, err := startProcess(s.config, "run", "--once")
	if err != nil {
		return err
	}
	defer p.kill()
	code, err := p.wait(ctx)
	if err == nil && len(s.bad) > 0 && code != exitFailed {
		err = fmt.Errorf("'run --once' ended with exit code %d instead of %d", code, exitFailed)
	}
	return err
}

// startSecond starts an agent on the same data folder, which has to refuse.
func startSecond(ctx context.Context, s *scene) error {
	err := s.await(ctx, "the agent does not answer", func(d agent.Desk) (bool, error) {
		status, err := d.Status(ctx)
		return status.Agent.Running, err
	})
	if err != nil {
		return err
	}
	p, err := startProcess(s.config, "run")
	if err != nil {
		return err
	}
	defer p.kill()
	code, err := p.wait(ctx)
	if err == nil && code != exitFailed {
		err = fmt.Errorf("the second agent ended with exit code %d instead of %d", code, exitFailed)
	}
	return err
}

// startRival starts an agent of another data folder on the same input folders, which has to keep away from them.
func startRival(ctx context.Context, s *scene) error {
	rival := *s.config
	rival.File = filepath.Join(s.dir, "rival.yaml")
	rival.DataDir = filepath.Join(s.dir, "rival-data")
	rival.Account.CredentialsFile = filepath.Join(rival.DataDir, "credentials.json")
	if err := s.logIn(&rival); err != nil {
		return err
	}
	c, err := writeConfig(&rival)
	if err != nil {
		return err
	}
	if s.rival, err = startProcess(c, "run"); err != nil {
		return err
	}
	return s.awaitOf(ctx, c, "the second agent does not keep away", func(d agent.Desk) (bool, error) {
		return hasTrouble(ctx, d, agent.InputClaimed)
	})
}

func cutNetwork(_ context.Context, s *scene) error {
	s.offline()
	return nil
}

func mendNetwork(ctx context.Context, s *scene) error {
	port, err := listenAgain(ctx, s.address)
	if err == nil {
		s.offline = serve(port, s.box.Handler())
	}
	return err
}

func revokeLogin(_ context.Context, s *scene) error {
	s.box.RevokeTokens()
	s.box.RevokeRefreshTokens()
	return nil
}

func renewLogin(_ context.Context, s *scene) error { return s.logIn(s.config) }

func setCredits(n int) step {
	return func(_ context.Context, s *scene) error {
		s.box.SetCredits(n)
		return nil
	}
}

// copySlowly writes the pictures all at once and piece by piece, each piece later than settle. Every other one has its full size from
// the start, as Windows Explorer copies, where the agent can tell that it is not complete.
func copySlowly(ctx context.Context, s *scene) error {
	var all sync.WaitGroup
	errs := make([]error, len(s.toDrop))
	for i, d := range s.toDrop {
		all.Go(func() { errs[i] = s.putSlowly(ctx, d, i%2 == 0) })
	}
	all.Wait()
	s.dropped, s.toDrop = append(s.dropped, s.toDrop...), nil
	return errors.Join(errs...)
}

// showsWriters tells whether the system lets the agent see that a program still writes to a file.
const showsWriters = runtime.GOOS == "linux" || runtime.GOOS == "windows"

func (s *scene) putSlowly(ctx context.Context, d drop, sized bool) (err error) {
	content, err := os.ReadFile(d.file)
	if err != nil {
		return err
	}
	to := s.inputOf(d)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if sized && showsWriters || sized && !isWhole(slices.Concat(content[:len(content)/3], make([]byte, len(content)-len(content)/3))) {
		if err := f.Truncate(int64(len(content))); err != nil {
			return err
		}
	}
	for piece := range slices.Chunk(content, len(content)/3+1) {
		if _, err := f.Write(piece); err != nil {
			return err
		}
		if err := pauseFor(3*s.config.Folders[d.folder].Settle)(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// replaceDuringUpload puts another picture in the place of each hot folder's first one, when uploads are under way.
func replaceDuringUpload(ctx context.Context, s *scene) error {
	err := s.await(ctx, "nothing is uploaded", func(agent.Desk) (bool, error) {
		return s.box.Books().Calls[sandbox.Upload] > 0, nil
	})
	if err != nil {
		return err
	}
	for i := range s.dropped {
		old := s.dropped[i]
		if slices.ContainsFunc(s.dropped[:i], func(d drop) bool { return d.folder == old.folder }) {
			continue
		}
		s.dropped[i], err = s.replace(old)
		if err != nil {
			return err
		}
		s.replaced = append(s.replaced, old)
	}
	s.box.SetFaults(sandbox.Faults{})
	return nil
}

// replace writes a changed picture over one, as an editor saves it.
func (s *scene) replace(d drop) (drop, error) {
	content, err := os.ReadFile(d.file)
	if err != nil {
		return d, err
	}
	place, saved := s.inputOf(d), filepath.Join(s.dir, "saved")
	if d.sha, d.size, err = writePicture(saved, bytes.NewReader(append(content, " retouched by hand"...))); err != nil {
		return d, err
	}
	for range 50 { // Windows refuses while the agent reads the old one
		if err = os.Rename(saved, place); err == nil {
			break
		}
		time.Sleep(lookEvery)
	}
	return d, err
}

// dropBroken drops a file of each broken kind into each hot folder that takes one of this name.
func dropBroken(ctx context.Context, s *scene) error {
	for i, f := range s.studio.folders {
		model := f.pictures[0]
		whole, err := os.ReadFile(model.file)
		if err != nil {
			return err
		}
		contents := map[string][]byte{
			" cut short": cutShort(whole),
			" empty":     nil,
			" letter":    []byte("Dear client, this is no picture.\n"),
		}
		names := map[string]string{}
		for kind := range contents {
			names[kind] = withSuffix(model.path, kind)
		}
		takes, err := s.takes(ctx, i, names)
		if err != nil {
			return err
		}
		for kind, content := range contents {
			if !takes[names[kind]] {
				continue
			}
			d := drop{i, picture{path: names[kind]}}
			if err := os.MkdirAll(filepath.Dir(s.inputOf(d)), 0o755); err != nil {
				return err
			}
			if d.sha, d.size, err = writePicture(s.inputOf(d), bytes.NewReader(content)); err != nil {
				return err
			}
			s.bad = append(s.bad, d)
		}
	}
	return nil
}

// cutShort is the beginning of a picture, short enough that some of it is missing: there may be other things at a file's end.
func cutShort(content []byte) []byte {
	for {
		content = content[:len(content)/2]
		if !isWhole(content) {
			return content
		}
	}
}

func isWhole(content []byte) bool {
	found, err := watcher.Inspect(bytes.NewReader(content), int64(len(content)))
	return err == nil && found.Whole && found.Type != ""
}

// renameDrops gives the pictures names that programs have been known to stumble over.
func renameDrops(ctx context.Context, s *scene) error {
	kinds := []string{" Größe äöü", "  two  spaces", " 🙂📷", " 100% #1 & (2) [3] +", " 写真", " e\u0301 decomposed", " 'quoted'"}
	for i := range s.config.Folders {
		names := map[string]string{}
		for n, d := range s.toDrop {
			if d.folder == i {
				names[d.path] = withSuffix(d.path, kinds[n%len(kinds)])
			}
		}
		takes, err := s.takes(ctx, i, names)
		if err != nil {
			return err
		}
		for n, d := range s.toDrop {
			if d.folder == i && takes[names[d.path]] {
				s.toDrop[n].path = names[d.path]
			}
		}
	}
	return nil
}

// dropCopies drops each hot folder's first picture again, under another name.
func dropCopies(ctx context.Context, s *scene) error {
	for i, f := range s.studio.folders {
		again := drop{i, f.pictures[0]}
		again.path = withSuffix(again.path, " copy")
		takes, err := s.takes(ctx, i, map[string]string{"copy": again.path})
		if err != nil {
			return err
		}
		if takes[again.path] {
			s.toDrop = append(s.toDrop, again)
		}
	}
	return dropAll(ctx, s)
}

// takes tells which of the names a hot folder takes.
func (s *scene) takes(ctx context.Context, folder int, names map[string]string) (map[string]bool, error) {
	var paths []string
	for _, name := range names {
		paths = append(paths, name)
	}
	return taken(ctx, filepath.Join(s.dir, "names"), s.config.Folders[folder], paths)
}

// withSuffix puts a text before a name's extension.
func withSuffix(name, text string) string {
	ext := path.Ext(name)
	return strings.TrimSuffix(name, ext) + text + ext
}
