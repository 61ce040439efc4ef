package cli

import (
	"strings"
	"testing"

	"golang.org/x/sys/windows/registry"
)

// A service does not see the drives that a person has mapped; check names the path to write instead.
func TestMappedDrives(t *testing.T) {
	k, existed, err := registry.CreateKey(registry.CURRENT_USER, `Network\Q`, registry.ALL_ACCESS)
	if err != nil {
		t.Fatal(err)
	}
	if existed {
		t.Skip("Q: is mapped on this machine")
	}
	defer registry.DeleteKey(registry.CURRENT_USER, `Network\Q`)
	defer k.Close()
	if err := k.SetStringValue("RemotePath", `\\nas\photos`); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		`Q:\packshots\in`: `\\nas\photos\packshots\in`, `q:\`: `\\nas\photos\`, `C:\photos`: "", `\\nas\photos`: "", `photos`: "",
	} {
		if got := uncOf(path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	w := newWorld(t)
	w.login()
	w.configure(strings.Replace(studioConfig, "in/packshots", `'Q:\in'`, 1))
	w.want(1, `warning packshots: input Q:\\in is on a mapped drive, which a service does not see\n +mend: write \\\\nas\\photos\\in instead`, `(?s).*`, "check")
}
