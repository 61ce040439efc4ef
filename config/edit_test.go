package config_test

import (
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"hotfolder/config"
)

func TestSetOrganization(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"empty file":     {"", "account:\n  organization: org-1\n"},
		"comments alone": {"# mine", "account:\n  organization: org-1\n# mine"},
		"empty text":     {"account:\n  organization: \"\"   # who pays\nlog: {}\n", "account:\n  organization: org-1   # who pays\nlog: {}\n"},
		"single quotes":  {"account: {organization: '', credentials_file: x}\n", "account: {organization: org-1, credentials_file: x}\n"},
		"nothing":        {"account:\n  organization:\n", "account:\n  organization: org-1\n"},
		"a comment":      {"account:\n  organization:   # who pays\n", "account:\n  organization: org-1   # who pays\n"},
		"null":           {"account: {organization: ~}", "account: {organization: org-1}"},
		"no key":         {"account:\n    # the login\n    credentials_file: x\n", "account:\n    # the login\n    credentials_file: x\n    organization: org-1\n"},
		"empty section":  {"account:\nlog: {}\n", "account:\n  organization: org-1\nlog: {}\n"},
		"empty braces":   {"account: {}\n", "account: {organization: org-1}\n"},
		"braces":         {"account: {credentials_file: 'Jäger'}\n", "account: {organization: org-1, credentials_file: 'Jäger'}\n"},
		"no section":     {"# mine\n---\n\nlog: {level: info}\n", "# mine\n---\n\naccount:\n  organization: org-1\n\nlog: {level: info}\n"},
		"Notepad":        {"\ufefflog: {}\r\nfolders: []\r\n", "\ufeffaccount:\r\n  organization: org-1\r\n\r\nlog: {}\r\nfolders: []\r\n"},
		"not the first":  {"log: {}\naccount:\n  credentials_file: 'ü'\n  organization: ''\n", "log: {}\naccount:\n  credentials_file: 'ü'\n  organization: org-1\n"},
	} {
		got, err := config.SetOrganization([]byte(test.text), "org-1")
		if err != nil || string(got) != test.want {
			t.Errorf("%s: %v, %q; want %q", name, err, got, test.want)
		}
	}
	for name, text := range map[string]string{
		"set already": "account: {organization: other}", "an alias": "x: &x {}\naccount: *x\n", "a list": "- account", "all in braces": "{log: {}}",
		"explicit null": "account: ~\n", "broken": "a: [", "an anchor elsewhere": "account: &a {}\nx: *a\n",
	} {
		if got, err := config.SetOrganization([]byte(text), "org-1"); !errors.Is(err, config.ErrByHand) {
			t.Errorf("%s: %v, %q", name, err, got)
		}
	}
	for _, id := range []string{"12345", "1e5", "true", "a: b", "it's", "x # y", "ü\n\t\"", "*a", ""} {
		got, err := config.SetOrganization([]byte("account: {organization: ''}\n"), id)
		if err != nil {
			t.Errorf("%q: %v", id, err)
			continue
		}
		if c, err := config.Parse("x.yaml", got, env(nil)); err != nil || c.Account.Organization != id {
			t.Errorf("%q: %v in %s", id, err, got)
		}
	}
}

func TestSetWorkflow(t *testing.T) {
	const text = "folders:\n  - name: a # first\n    input: in\n    output: out\n  - {name: b, input: in2, output: out}\n  - name: c\n    workflow: \"\"  # later\n    input: in3\n    output: out\n"
	want := "folders:\n  - name: a # first\n    workflow: w-1\n    input: in\n    output: out\n  - {workflow: w-1, name: b, input: in2, output: out}\n  - name: c\n    workflow: w-1  # later\n    input: in3\n    output: out\n"
	data := []byte(text)
	for i := range 3 {
		var err error
		if data, err = config.SetWorkflow(data, i, "w-1"); err != nil {
			t.Fatal(err)
		}
	}
	if string(data) != want {
		t.Errorf("got %s", data)
	}
	for _, index := range []int{0, 3} {
		if got, err := config.SetWorkflow(data, index, "w-2"); !errors.Is(err, config.ErrByHand) {
			t.Errorf("%d: %v, %s", index, err, got)
		}
	}
}

// What is written means what was said, whatever the names.
func TestNew(t *testing.T) {
	for _, name := range []string{"packshots", "Jäger & Söhne", "it's #1: 'x'", "12", "true", "-", "C:\\photos\\in", `\\nas\studio\in`, "a\tb", "%s", "x\u2028y", "[a]", " a", "~"} {
		dir := t.TempDir()
		in, out := filepath.Join(dir, "in", name), filepath.Join(dir, "out", name)
		n := config.New{
			Organization: name, OrganizationName: "Müller\n& Co", API: "http://127.0.0.1:8799", DataDir: filepath.Join(dir, name),
			Folder: config.NewFolder{
				Name: "first", Input: in, Output: out, Workflow: name, WorkflowNote: "White\u0085 # 10", Recursive: false,
				AfterSuccess: config.Move, Processed: out + "-done",
			},
		}
		data := n.YAML()
		second := config.NewFolder{Name: "second", Input: in + "-2", Output: out, Recursive: true, AfterSuccess: config.Keep}
		data, err := config.AddFolder(data, second)
		if err != nil {
			t.Fatalf("%q: %v in\n%s", name, err, n.YAML())
		}
		c, err := config.Parse(filepath.Join(dir, "hotfolder.yaml"), data, env(nil))
		if err != nil {
			t.Errorf("%q: %v in\n%s", name, err, data)
			continue
		}
		want := []config.Folder{config.DefaultFolder(), config.DefaultFolder()}
		f := &want[0]
		f.Name, f.Input, f.Output, f.Workflow, f.Recursive = "first", in, out, name, false
		f.AfterSuccess, f.Processed = config.Move, out+"-done"
		want[1].Name, want[1].Input, want[1].Output = "second", in+"-2", out
		if !reflect.DeepEqual(c.Folders, want) || c.Account.Organization != name || c.API.URL != n.API || c.API.AuthURL != n.API || c.DataDir != n.DataDir {
			t.Errorf("%q: %+v from\n%s", name, c, data)
		}
	}
}

func TestAddFolder(t *testing.T) {
	f := config.NewFolder{Name: "b", Input: "/b/in", Output: "/b/out", Workflow: "w", Recursive: true, AfterSuccess: config.Keep}
	got, err := config.AddFolder([]byte("folders:\n- name: a\n  input: in\n  include: [a,\n    b]\n  output: out\n  workflow: w\n# end\nlog: {}"), f)
	if err != nil || !strings.Contains(string(got), "  workflow: w\n\n- name: b ") || !strings.HasSuffix(string(got), "\n# end\nlog: {}") {
		t.Errorf("%v, %s", err, got)
	}
	got, err = config.AddFolder([]byte("folders:\n  - name: a\n    output: out"), f) // without an end of line
	if err != nil || !strings.Contains(string(got), "output: out\n\n  - name: b ") {
		t.Errorf("%v, %s", err, got)
	}
	for name, text := range map[string]string{
		"none": "", "an empty list": "folders: []\n", "in brackets": "folders: [{name: a}]\n", "text of many lines": "folders:\n  - name: |\n      a\n      b\n",
	} {
		if got, err := config.AddFolder([]byte(text), f); !errors.Is(err, config.ErrByHand) {
			t.Errorf("%s: %v, %s", name, err, got)
		}
	}
}
