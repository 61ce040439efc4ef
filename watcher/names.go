package watcher

import (
	"fmt"
	"path"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// What is always ignored, files and folders alike, in lower case: hidden ones (among them .DS_Store, ._*, .~lock*, .Trash-*,
// and .hotfolder-*, the agent's own), what programs are still writing under another name, and what systems keep for themselves.
var (
	ignoredPrefixes = []string{".", "~"}
	ignoredEndings  = map[string]bool{
		".tmp": true, ".temp": true, ".swp": true, ".part": true, ".partial": true, ".crdownload": true, ".download": true,
		".opdownload": true, ".filepart": true, ".!ut": true, ".!qb": true, ".aria2": true,
	}
	ignoredNames = map[string]bool{
		"_status.html": true, // the agent's own, for people
		"thumbs.db":    true, "ehthumbs.db": true, "desktop.ini": true, "icon\r": true,
		"$recycle.bin": true, "recycler": true, "system volume information": true, // Windows
		"@eadir": true, "#recycle": true, "#snapshot": true, "@recycle": true, "@recently-snapshot": true, // Synology, QNAP
		"lost+found": true, "__macosx": true,
	}
)

// A name is a path relative to the root, with slashes, and its last element, both in lower case.
type name struct{ rel, base string }

func nameOf(rel string) name {
	rel = strings.ToLower(rel)
	return name{rel, rel[strings.LastIndexByte(rel, '/')+1:]}
}

// ignored reports whether a file or folder of this base name, in lower case, is never looked at.
func ignored(base string) bool {
	for _, p := range ignoredPrefixes {
		if strings.HasPrefix(base, p) {
			return true
		}
	}
	return strings.HasSuffix(base, "~") || ignoredEndings[path.Ext(base)] || ignoredNames[base]
}

// patterns are compiled Include or Exclude patterns.
type patterns []pattern

type pattern struct {
	glob   string
	suffix string // of a pattern "*.jpg", which needs no matching: ".jpg"
	base   bool   // to be matched with the base name
}

func compile(globs []string) (patterns, error) {
	var ps patterns
	for _, g := range globs {
		if !doublestar.ValidatePattern(g) {
			return nil, fmt.Errorf("pattern %q is malformed", g)
		}
		p := pattern{glob: strings.ToLower(g), base: !strings.Contains(g, "/")}
		if rest, ok := strings.CutPrefix(p.glob, "*"); ok && p.base && !strings.ContainsAny(rest, `*?[{\`) {
			p.suffix = rest
		}
		ps = append(ps, p)
	}
	return ps, nil
}

// match reports whether one of the patterns matches.
func (ps patterns) match(n name) bool {
	for _, p := range ps {
		s := n.rel
		if p.base {
			s = n.base
		}
		if p.suffix != "" && strings.HasSuffix(s, p.suffix) || p.suffix == "" && doublestar.MatchUnvalidated(p.glob, s) {
			return true
		}
	}
	return false
}
