//go:build unix

package cli

import (
	"os"
	"strings"
	"testing"

	"hotfolder/config"
	"hotfolder/sandbox"
)

func TestInitAtATerminal(t *testing.T) {
	w := newStudioWorld(t)
	w.file = w.path("new.yaml")
	x := w.atTerminal("init", "--api", w.url)
	x.answer("Which folder are pictures dropped into?", "")
	x.answer("Which folder are pictures dropped into?", w.file+"/../hotfolder.yaml")
	x.expect("That cannot be:")
	x.answer("Which folder are pictures dropped into?", w.path("studio/in"))
	x.answer("Which folder do the results go to? ["+w.path("studio/out")+"]", w.path("studio/in/out"))
	x.expect("That cannot be: output: is or lies in the input")
	x.answer("Which folder do the results go to?", "")
	x.answer("Take pictures in its subfolders, too? [Y/n]", "n")
	x.answer("Originals [1]", "2")
	x.answer("Which folder do originals move to? ["+w.path("studio/processed")+"]", "")
	x.answer("Create them? [Y/n]", "")
	x.expect("Created: " + w.path("studio/in"))
	x.expect("Next: hotfolder --config " + w.file + " login")
	x.wantEnd(0)
	f := w.load().Folders[0]
	if f.Name != "studio" || f.Recursive || f.AfterSuccess != config.Move || f.Workflow != "" {
		t.Errorf("%+v", f)
	}

	args := []string{"login", "--refresh-token-stdin", "--organization", sandbox.Organization}
	w.check(w.runWith(w.box.RefreshToken(), args...), 0, `Logged in`, ``, args)
	x = w.atTerminal("init", "--add") // with a login it lets choose the workflow
	x.answer("Which folder are pictures dropped into?", w.path("other/studio/in"))
	x.answer("What is the hot folder called?", "")
	x.answer("What is the hot folder called?", "shoes")
	x.answer("Which folder do the results go to?", "")
	x.answer("Take pictures in its subfolders, too? [Y/n]", "")
	x.answer("Originals [1]", "")
	x.expect("3  Transparent cut-out, 12 credits a picture")
	x.answer("Which one for the hot folder shoes?", "3")
	x.answer("Create them? [Y/n]", "n")
	x.expect("Create them, or connect their share, before the agent starts.")
	x.wantEnd(0)
	if f := w.load().Folders[1]; f.Name != "shoes" || f.Workflow != sandbox.TransparentCut || !f.Recursive || f.AfterSuccess != config.Keep {
		t.Errorf("%+v", f)
	}
	if _, err := os.Stat(w.path("other")); err == nil {
		t.Error("folders were created that were not wanted")
	}

	w.file = w.path("third.yaml") // Ctrl-D
	x = w.atTerminal("init")
	x.expect("Which folder are pictures dropped into?")
	if _, err := x.pty.WriteString("\x04"); err != nil {
		t.Fatal(err)
	}
	x.expect("hotfolder: ended without an answer")
	x.wantEnd(2)
	if _, err := os.Stat(w.file); err == nil || strings.Contains(x.text(), "Written") {
		t.Error("something was written")
	}
}
