package config

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
)

// New is what a new configuration file says; the rest keeps its default.
type New struct {
	Organization, OrganizationName string // may be empty: it is chosen later
	API                            string // another address than AutoRetouch's, for the login, too; empty: none
	DataDir                        string // empty: the default
	Folder                         NewFolder
}

// NewFolder is what is said of a new hot folder.
type NewFolder struct {
	Name, Input, Output    string
	Workflow, WorkflowNote string // the first may be empty: it is chosen later
	Recursive              bool
	AfterSuccess           AfterSuccess
	Processed              string // for Move
}

// YAML writes the file.
func (n New) YAML() []byte {
	var b strings.Builder
	b.WriteString(`# The configuration of hotfolder, written by 'hotfolder init'. What is not written here keeps its default;
# config.example.yaml explains every key. 'hotfolder check' says whether everything is in place.

account:
`)
	writeKeys(&b, 2, keyLine{"organization", quote(n.Organization), cmp.Or(n.OrganizationName, "who pays; 'hotfolder login' fills it in")})
	if n.API != "" {
		b.WriteString("\napi:\n")
		writeKeys(&b, 2, keyLine{"url", quote(n.API), ""}, keyLine{"auth_url", quote(n.API), ""})
	}
	if n.DataDir != "" {
		b.WriteString("\n")
		writeKeys(&b, 0, keyLine{"data_dir", quote(n.DataDir), "ledger, login and logs"})
	}
	b.WriteString("\nfolders:\n" + n.Folder.block(2))
	b.WriteString("\n  # One more hot folder: 'hotfolder init --add', or copy the block above, with another name and other folders.\n")
	return []byte(b.String())
}

// block writes the hot folder as an item of a list.
func (f NewFolder) block(indent int) string {
	keys := []keyLine{
		{"- name", quote(f.Name), "the jobs are kept under it: renaming it starts afresh"},
		{"  input", quote(f.Input), "pictures dropped here are processed"},
		{"  output", quote(f.Output), "the results appear here"},
		{"  workflow", quote(f.Workflow), cmp.Or(f.WorkflowNote, "what is done to the pictures; 'hotfolder login' fills it in")},
		{"  recursive", fmt.Sprint(f.Recursive), "subfolders, too, mirrored in output"},
		{"  after_success", string(f.AfterSuccess), "what becomes of the original: keep | move (to processed) | delete"},
	}
	if f.AfterSuccess == Move {
		keys = append(keys, keyLine{"  processed", quote(f.Processed), "where originals move to"})
	}
	var b strings.Builder
	writeKeys(&b, indent, keys...)
	return b.String()
}

type keyLine struct{ key, value, comment string }

// writeKeys writes lines of which the comments stand below each other.
func writeKeys(b *strings.Builder, indent int, keys ...keyLine) {
	t := tabwriter.NewWriter(b, 0, 0, 1, ' ', tabwriter.StripEscape)
	for _, k := range keys {
		line := strings.Repeat(" ", indent) + k.key + ": " + k.value
		if k.comment != "" {
			line = "\xff" + line + "\xff\t# " + strings.Map(printable, k.comment)
		}
		fmt.Fprintln(t, line)
	}
	t.Flush()
}

// printable keeps a comment to its line.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
		return ' '
	}
	return r
}
