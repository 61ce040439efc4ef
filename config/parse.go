package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

const maxFile = 1 << 20 // bytes; a thousand folders need a third of it

// Load reads and parses file. What is wrong inside the file is an Errors; see Parse for getenv.
func Load(file string, getenv func(string) string) (*Config, error) {
	return load(file, getenv, realPath)
}

// LoadReady is Load for an agent that is to run: what RequireFolders and RequireOrganization want is told together with all else that is
// wrong.
func LoadReady(file string, getenv func(string) string) (*Config, error) {
	return load(file, getenv, realPath, (*Config).RequireFolders, (*Config).RequireOrganization)
}

// Glance is Load for those who only ask or tell: it touches none of the folders. Where one is on a share that hangs, a process that
// touched it could not even end.
func Glance(file string, getenv func(string) string) (*Config, error) {
	return load(file, getenv, fold)
}

func load(file string, getenv, real func(string) string, required ...func(*Config) error) (*Config, error) {
	data, err := Read(file)
	if err != nil {
		return nil, err
	}
	return parse(file, data, getenv, real, required...)
}

// Read reads a configuration file. Its error says what to do.
func Read(file string) ([]byte, error) {
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a folder; name the configuration file in it", file)
	}
	f, err := os.Open(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &unread{fmt.Sprintf("there is no configuration %s; check --config and $HOTFOLDER_CONFIG, or write it with 'hotfolder init'", file), err}
	case errors.Is(err, fs.ErrPermission):
		return nil, &unread{fmt.Sprintf("the configuration %s may not be read; be the user who may, or change its rights", file), err}
	case err != nil:
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return data, nil
}

// unread is why a file could not be read, in words for people.
type unread struct {
	text string
	error
}

func (u *unread) Error() string { return u.text }
func (u *unread) Unwrap() error { return u.error }

// Parse turns data, the content of file, into a checked Config. On error the Config is nil and the error is an Errors with
// everything that is wrong. From the environment come AUTORETOUCH_ORGANIZATION_ID, when the file names no organization,
// and the folders that the default of data_dir depends on. Parse looks at the file system to resolve links in the
// folders' paths, but the folders need not exist.
func Parse(file string, data []byte, getenv func(string) string) (*Config, error) {
	return parse(file, data, getenv, realPath)
}

// parse also wants what is required, unless the file is not even YAML.
func parse(file string, data []byte, getenv, real func(string) string, required ...func(*Config) error) (*Config, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	d := &document{file: file, real: real, at: map[string]position{"": {1, 1}}, bad: map[string]bool{}}
	c := Default()
	c.File = file
	root := d.read(data)
	if root == nil && len(d.problems) > 0 {
		return nil, d.problems.sorted()
	}
	if root != nil {
		d.decode("", root, &c)
	}
	c.Account.Organization = cmp.Or(c.Account.Organization, getenv("AUTORETOUCH_ORGANIZATION_ID"))
	c.DataDir = cmp.Or(c.DataDir, thisMachine(getenv).dataDir(file))
	c.Account.CredentialsFile = cmp.Or(c.Account.CredentialsFile, filepath.Join(c.DataDir, "credentials.json"))
	d.check(&c)
	for _, require := range required {
		missing, _ := errors.AsType[Errors](require(&c))
		d.problems = append(d.problems, missing...)
	}
	if len(d.problems) > 0 {
		return nil, d.problems.sorted()
	}
	return &c, nil
}

// RequireOrganization returns an Errors when no organization is set. It is apart from Parse because the commands that
// tell a user which organizations there are must run before one is chosen.
func (c *Config) RequireOrganization() error {
	if len(c.noOrganization) > 0 {
		return c.noOrganization
	}
	return nil
}

// RequireFolders returns an Errors when there is no hot folder, or one without a workflow, so that nothing could be done. It is
// apart from Parse as RequireOrganization is.
func (c *Config) RequireFolders() error {
	if len(c.Folders) == 0 {
		return Errors{{c.File, 1, 1, "folders: at least one is needed; 'hotfolder init --add' adds one"}}
	}
	if len(c.noWorkflow) > 0 {
		return c.noWorkflow
	}
	return nil
}

// Problem is one thing that is wrong in a configuration file, and its mend.
type Problem struct {
	File         string
	Line, Column int // from 1
	Text         string
}

func (p Problem) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Text)
}

// Errors is all that is wrong in a configuration file, in the order of the file.
type Errors []Problem

// Error returns one line a problem.
func (e Errors) Error() string {
	var lines []string
	for _, p := range e {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

func (e Errors) sorted() Errors {
	slices.SortStableFunc(e, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return e
}

// document is a file while it is read: where each value stands, by its path ("folders[0].input"), and what is wrong.
type document struct {
	file     string
	real     func(path string) string // where a folder really is
	at       map[string]position
	bad      map[string]bool // the paths that have a problem
	problems Errors
}

type position struct{ line, column int }

// problem notes what is wrong with the value at path or, when it is missing, with the nearest thing around it. What is said
// about a value, or anything inside it, after its first problem is dropped: it mostly follows from that one.
func (d *document) problem(path, format string, args ...any) {
	at, known := d.at[path]
	for around := path; !d.bad[around]; around = around[:max(0, strings.LastIndexAny(around, ".["))] {
		if !known {
			at, known = d.at[around]
		}
		if around == "" {
			d.bad[path] = true
			d.note(at, "%s%s", label(path), fmt.Sprintf(format, args...))
			return
		}
	}
}

func (d *document) note(at position, format string, args ...any) {
	d.problems = append(d.problems, Problem{d.file, at.line, at.column, fmt.Sprintf(format, args...)})
}

// label names a value in a message; which folder it belongs to is told by the line.
func label(path string) string {
	if folder, key, ok := strings.Cut(path, "]."); ok && strings.HasPrefix(folder, "folders[") {
		path = key
	}
	if path == "" {
		return ""
	}
	return path + ": "
}

// read returns the top node of the file, nil if there is none.
func (d *document) read(data []byte) *yaml.Node {
	if len(data) > maxFile {
		d.problem("", "larger than 1 MiB; is this the configuration file?")
		return nil
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // Notepad's
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if err != io.EOF {
			d.syntax(data, err)
		}
		return nil
	}
	if err := dec.Decode(&more); err == nil {
		d.note(position{more.Line, more.Column}, "a second document; everything belongs into the first, so remove this line")
	} else if err != io.EOF {
		d.syntax(data, err)
	}
	return doc.Content[0]
}
