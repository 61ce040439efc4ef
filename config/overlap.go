package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// checkOverlap notes folders that would feed each other: results taken for inputs, or a picture taken twice. All paths are
// compared as d.real says that they really are.
func (d *document) checkOverlap(c *Config) {
	report := c.Report.To
	if c.Report.ToMail() {
		report = ""
	}
	paths := []string{c.DataDir, c.Log.File, report}
	for _, f := range c.Folders {
		paths = append(paths, f.Input, f.Output, f.Processed, f.Failed, f.ReviewFolder())
	}
	realOf, silent := realPaths(paths, d.real)
	c.silent = silent
	inputs := make([]string, len(c.Folders))
	for i, f := range c.Folders {
		inputs[i] = realOf[f.Input]
	}
	clash := func(at, what string, i int) {
		d.problem(at, "%s the input of folder %q, %s; keep them apart", what, short(c.Folders[i].Name), c.Folders[i].Input)
	}
	for i, f := range c.Folders {
		at := fmt.Sprintf("folders[%d].", i)
		for j := range i {
			if within(inputs[i], inputs[j]) || within(inputs[j], inputs[i]) {
				clash(at+"input", "overlaps with", j)
			}
		}
		for _, own := range []struct{ key, path string }{
			{"output", f.Output}, {"processed", f.Processed}, {"failed", f.Failed}, {"review", f.ReviewFolder()},
		} {
			if own.key == "review" && f.Review == "" && d.bad[at+"output"] {
				continue // beside it: said already
			}
			real := realOf[own.path]
			for j, input := range inputs {
				if within(real, input) {
					clash(at+own.key, "is or lies in", j)
				} else if within(input, real) {
					clash(at+own.key, "holds", j)
				}
			}
		}
	}
	for _, own := range []struct{ key, path string }{{"data_dir", c.DataDir}, {"log.file", c.Log.File}, {"report.to", report}} {
		real := realOf[own.path]
		for i, input := range inputs {
			if within(real, input) {
				clash(own.key, "is or lies in", i)
			}
		}
	}
}

// within says whether the folder is parent or lies in it; the empty path is nowhere.
func within(folder, parent string) bool {
	if folder == "" || parent == "" {
		return false
	}
	if !strings.HasSuffix(parent, string(filepath.Separator)) { // only a root ends in one
		parent += string(filepath.Separator)
	}
	return strings.HasPrefix(folder+string(filepath.Separator), parent)
}

// answersWithin is how long a folder may take to be found: on a share that hangs it would take for ever.
const answersWithin = 2 * time.Second

// realPaths are what real says of each path. One that does not answer in time is taken as it is written, and listed: that a share hangs
// must keep no command from its work.
func realPaths(paths []string, real func(string) string) (found map[string]string, silent []string) {
	var mu sync.Mutex
	answers := map[string]string{}
	var all sync.WaitGroup
	for _, p := range paths {
		all.Go(func() {
			r := real(p)
			mu.Lock()
			defer mu.Unlock()
			answers[p] = r
		})
	}
	answered := make(chan struct{})
	go func() {
		all.Wait()
		close(answered)
	}()
	timeout := time.NewTimer(answersWithin)
	defer timeout.Stop()
	select {
	case <-answered:
	case <-timeout.C:
	}
	mu.Lock()
	defer mu.Unlock()
	found = maps.Clone(answers)
	for _, p := range paths {
		if _, answered := found[p]; !answered {
			found[p] = fold(p)
			silent = append(silent, p)
		}
	}
	return found, silent
}

// realPath returns the absolute path p with the links in its deepest existing part resolved, in lower case where file
// names usually ignore case.
func realPath(p string) string {
	if p == "" {
		return ""
	}
	real, rest := p, ""
	for dir := p; ; dir = filepath.Dir(dir) {
		if r, err := filepath.EvalSymlinks(dir); err == nil {
			real = filepath.Join(r, rest)
			break
		}
		if dir == filepath.Dir(dir) {
			break
		}
		rest = filepath.Join(filepath.Base(dir), rest)
	}
	return fold(real)
}

// fold is a path in lower case where file names usually ignore case.
func fold(path string) string {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return strings.ToLower(path)
	}
	return path
}
