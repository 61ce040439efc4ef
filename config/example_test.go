package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"hotfolder/config"
)

const exampleFile = "../config.example.yaml"

// The example is the reference: what it writes are the defaults.
func TestExampleParsesToTheDefaults(t *testing.T) {
	got, err := config.Load(exampleFile, env(map[string]string{"AUTORETOUCH_ORGANIZATION_ID": "org"}))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	under := func(p string) string { // /srv is on the file's drive
		if filepath.IsAbs(p) {
			return p
		}
		return filepath.VolumeName(dir) + filepath.FromSlash(p)
	}
	want := config.Default()
	want.File = filepath.Join(dir, "config.example.yaml")
	want.Account.Organization = "org" // which the example leaves to the environment
	want.DataDir, want.Account.CredentialsFile = got.DataDir, filepath.Join(got.DataDir, "credentials.json")
	f := config.DefaultFolder()
	f.Name = "packshots"
	f.Input = under("/srv/photos/packshots/in")
	f.Output = under("/srv/photos/packshots/out")
	f.Workflow = "a0f0b604-85c0-45fd-85cf-4428bb3941ba"
	f.Exclude, f.Labels, f.Settings = []string{}, map[string]string{}, map[string]any{}
	want.Folders = []config.Folder{f}
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("got  %+v\nwant %+v", *got, want)
	}
}

func TestExampleHasEveryKey(t *testing.T) {
	data, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(data), "\n")
	var check func(at string, typ reflect.Type, n *yaml.Node)
	check = func(at string, typ reflect.Type, n *yaml.Node) {
		if n.Kind == yaml.SequenceNode {
			typ, n = typ.Elem(), n.Content[0]
		}
		keys := map[string]*yaml.Node{}
		for i := 0; i < len(n.Content); i += 2 {
			keys[n.Content[i].Value] = n.Content[i+1]
		}
		for f := range typ.Fields() {
			key := f.Tag.Get("yaml")
			if key == "-" {
				continue
			}
			value, ok := keys[key]
			if !ok {
				t.Errorf("%s%s is not in the example", at, key)
				continue
			}
			if k := f.Type.Kind(); k == reflect.Struct || k == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct {
				check(at+key+".", f.Type, value)
			} else if !strings.Contains(lines[value.Line-1]+lines[value.Line], "# ") {
				t.Errorf("%s%s is not explained", at, key)
			}
		}
	}
	check("", reflect.TypeFor[config.Config](), doc.Content[0])
}
