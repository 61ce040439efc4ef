package config

import (
	"bytes"
	"regexp"
	"strconv"

	"gopkg.in/yaml.v3"
)

var (
	yamlError = regexp.MustCompile(`(?s)^(?:yaml: )?(?:line (\d+): )?(.*)$`)
	badEscape = regexp.MustCompile(`"[^"]*\\`)
)

// syntax notes a YAML syntax error, with the mend of the two mistakes that are made most.
func (d *document) syntax(data []byte, err error) {
	m := yamlError.FindStringSubmatch(err.Error())
	reported, _ := strconv.Atoi(m[1])
	lines := bytes.SplitAfter(data, []byte("\n"))
	n := brokenLine(lines, reported)
	line := lines[n-1]
	column := 1 + len(line) - len(bytes.TrimLeft(line, " "))

	mend := "check the indentation, colons and quotes of this line and the one before"
	if column <= len(line) && line[column-1] == '\t' {
		mend = "YAML cannot be indented with tabs; use spaces"
	} else if at := badEscape.FindIndex(line); at != nil {
		column = at[0] + 1
		mend = `in "double quotes" \ begins an escape; write Windows paths in 'single quotes' or with /`
	}
	d.bad[""] = true // nothing else can be said
	d.note(position{n, column}, "not valid YAML (%s); %s", m[2], mend)
}

// brokenLine returns the number, from 1, of the line that breaks the file: the one after the longest beginning that is
// valid. yaml.v3 itself reports where the broken thing begins, or the line before, or the end of the file; this stands
// only for files so long that trying takes a while.
func brokenLine(lines [][]byte, reported int) int {
	if len(lines) > 500 {
		return min(max(reported, 1), len(lines))
	}
	for n := len(lines) - 1; n > 0; n-- {
		var doc yaml.Node
		if yaml.Unmarshal(bytes.Join(lines[:n], nil), &doc) == nil {
			return n + 1
		}
	}
	return 1
}
