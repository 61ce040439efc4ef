package config

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// checkOverlap notes folders that would feed each other: results taken for inputs, or a picture taken twice. All paths are
// compared as they really are, links resolved.
func (d *document) checkOverlap(c *Config) {
	inputs := make([]string, len(c.Folders))
	for i, f := range c.Folders {
		inputs[i] = realPath(f.Input)
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
			real := realPath(own.path)
			for j, input := range inputs {
				if within(real, input) {
					clash(at+own.key, "is or lies in", j)
				} else if within(input, real) {
					clash(at+own.key, "holds", j)
				}
			}
		}
	}
	report := c.Report.To
	if c.Report.ToMail() {
		report = ""
	}
	for _, own := range []struct{ key, path string }{{"data_dir", c.DataDir}, {"log.file", c.Log.File}, {"report.to", report}} {
		real := realPath(own.path)
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
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		real = strings.ToLower(real)
	}
	return real
}
