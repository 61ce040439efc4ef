package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hotfolder/config"
	"hotfolder/sandbox"
)

// load reads what was written, as every command does.
func (w *world) load() *config.Config {
	w.t.Helper()
	c, err := config.Load(w.file, os.Getenv)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func TestInitByFlags(t *testing.T) {
	w := newWorld(t)
	w.file = w.path("new folder/studio.yaml")
	in, out := w.path("shop/Schuhe & Co/in"), w.path("shop/Schuhe & Co/out")
	w.want(2, `^$`, `hotfolder: --input is missing\n`, "init")
	w.want(2, `^$`, `hotfolder: --after-success: "burn" is not one of keep, move, delete\n`, "init", "--input", in, "--after-success", "burn")
	w.want(2, `^$`, `hotfolder: output: is or lies in the input .*\n`, "init", "--input", in, "--output", in)
	w.want(2, `^$`, `hotfolder: .*hotfolder.yaml is a file, not a folder; name another one\n`, "init", "--input", w.path("hotfolder.yaml"))
	w.want(2, `^$`, `hotfolder: api.url: must begin with https:// .*\n`, "init", "--input", in, "--api", "http://example.com")
	if _, err := os.Stat(w.path("shop")); err == nil {
		t.Error("folders were created for nothing")
	}
	w.want(0, `(?s)^Created: .*in\nCreated: .*out\n\nWritten: .*studio.yaml\nNext: hotfolder --config ".*studio.yaml" login\n$`, ``,
		"init", "--input", in, "--api", w.url, "--recursive=false")
	c := w.load()
	if f := c.Folders[0]; f.Name != "Schuhe & Co" || f.Input != in || f.Output != out || f.Recursive || f.AfterSuccess != config.Keep || f.Workflow != "" ||
		c.API.URL != w.url || c.API.AuthURL != w.url || c.DataDir != w.path("new folder/hotfolder-data") || c.Account.Organization != "" {
		t.Errorf("%+v", c)
	}

	before, _ := os.ReadFile(w.file)
	w.want(2, `^$`, `hotfolder: there is a configuration already, .*studio.yaml; add a hot folder with 'hotfolder init --add', .*\n`, "init", "--input", in)
	if now, _ := os.ReadFile(w.file); string(now) != string(before) {
		t.Error("an existing file was changed")
	}

	args := []string{"login", "--refresh-token-stdin", "--organization", sandbox.Organization}
	w.check(w.runWith(w.box.RefreshToken(), args...), 0, `Set the workflow of the hot folder Schuhe & Co`, ``, args)
	w.want(2, `^$`, `hotfolder: --name is missing\n`, "init", "--add", "--input", w.path("other/Schuhe & Co/in"))
	w.want(2, `^$`, `hotfolder: --workflow: there is no workflow x; .*\n`, "init", "--add", "--input", w.path("glasses"), "--workflow", "x")
	w.want(2, `^$`, `hotfolder: input: overlaps with .*\n`, "init", "--add", "--input", filepath.Join(in, "new"))
	w.want(0, `(?s)Created: .*glasses\n.*Created: .*glasses-retouched\nCreated: .*glasses-processed\n.*Next: .* login`, ``,
		"init", "--add", "--input", w.path("glasses"), "--workflow", sandbox.CatalogueJPEG, "--after-success", "move")
	c = w.load()
	f := c.Folders[1]
	if f.Name != "glasses" || f.Output != w.path("glasses-retouched") || f.Processed != w.path("glasses-processed") || f.AfterSuccess != config.Move || f.Workflow != sandbox.CatalogueJPEG {
		t.Errorf("%+v", f)
	}
	text, _ := os.ReadFile(w.file)
	if !regexp.MustCompile(sandbox.CatalogueJPEG + " +# Catalogue JPEG, 5 credits a picture\n").Match(text) {
		t.Errorf("the price is not in\n%s", text)
	}
}

// Where the configuration goes, and that no other one is hidden by it, or hides it.
func TestInitFindsItsPlace(t *testing.T) {
	w := newWorld(t)
	t.Setenv("XDG_CONFIG_HOME", w.path("etc"))
	t.Setenv("AppData", w.path("etc"))
	t.Setenv("HOME", w.path("etc"))
	t.Chdir(t.TempDir())
	home := config.Home(false, os.Getenv)
	if os.Geteuid() == 0 { // root's is the machine's
		if home != "/etc/hotfolder/hotfolder.yaml" {
			t.Errorf("root's is %s", home)
		}
		return
	}
	if !strings.HasPrefix(home, w.path("etc")) {
		t.Fatal(home)
	}
	got := w.runBare("init", "--input", w.path("photos"))
	w.check(got, 0, `(?s)Written: `+regexp.QuoteMeta(home)+`\nNext: hotfolder login\n$`, ``, nil)
	got = w.runBare("init", "--input", w.path("photos"))
	w.check(got, 2, `^$`, `hotfolder: there is a configuration already, .*\n`, nil)
}
