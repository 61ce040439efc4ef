package config

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

var (
	yamlLine   = regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)$`)
	tabIndent  = regexp.MustCompile(`(?m)^[ ]*\t`)
	badEscape  = regexp.MustCompile(`"[^"\n]*\\[^"\n]*"?`)
	mendEscape = "in double quotes \\ starts an escape; write Windows paths in 'single quotes' or with forward slashes"
)

// syntax notes a YAML syntax error. yaml.v3 gives the line as text, not always exactly, and no column, so for the two
// mistakes that are made most the place is looked up.
func (d *document) syntax(data []byte, err error) {
	text, line := strings.TrimPrefix(err.Error(), "yaml: "), 1
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		text = m[2]
		line, _ = strconv.Atoi(m[1])
	}
	lines := bytes.Split(data, []byte("\n"))
	line = min(max(line, 1), len(lines))
	column := 1 + len(lines[line-1]) - len(bytes.TrimLeft(lines[line-1], " "))

	mend := "check the indentation, colons and quotes of this line and the one before"
	if at := tabIndent.FindIndex(data); at != nil && !strings.Contains(text, "escape") {
		line, column = place(data, at[1]-1)
		mend = "YAML cannot be indented with tabs; use spaces"
	} else if strings.Contains(text, "escape") || strings.Contains(text, "hexdecimal") {
		mend = mendEscape
		if at := badEscape.FindIndex(lines[line-1]); at != nil {
			column = at[0] + 1
		}
	}
	d.at["syntax"] = position{line, column}
	d.problem("syntax", "not valid YAML (%s); %s", text, mend)
}

// place returns the line and column, from 1, of a byte offset.
func place(data []byte, offset int) (line, column int) {
	before := data[:offset]
	return 1 + bytes.Count(before, []byte("\n")), offset - bytes.LastIndexByte(before, '\n')
}
