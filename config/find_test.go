package config

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the folders' names are Linux's")
	}
	home := t.TempDir()
	t.Chdir(t.TempDir())
	vars := map[string]string{"HOME": home, "HOTFOLDER_CONFIG": "from-env.yaml"}
	getenv := func(key string) string { return vars[key] }
	find := func(flag, want string) {
		t.Helper()
		if got, err := Find(flag, getenv); got != want || err != nil {
			t.Errorf("Find(%q) = %q, %v, want %q", flag, got, err, want)
		}
	}
	find("flag.yaml", "flag.yaml")
	find("", "from-env.yaml")

	delete(vars, "HOTFOLDER_CONFIG")
	users := filepath.Join(home, ".config/hotfolder/hotfolder.yaml")
	if _, err := Find("", getenv); err == nil || !strings.Contains(err.Error(), "hotfolder.yaml, "+users+", /etc/hotfolder/hotfolder.yaml") {
		t.Errorf("nothing there: %v", err)
	}
	if err := os.MkdirAll(filepath.Dir(users), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{users, "hotfolder.yaml"} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		find("", file)
	}
}

// The places of each system, tried on any: only the separators are the machine's own.
func TestPlaces(t *testing.T) {
	windows := map[string]string{"AppData": "/u/Roaming", "LocalAppData": "/u/Local", "ProgramData": "/ProgramData",
		"SystemRoot": "/Windows", "USERPROFILE": "/u"}
	service := map[string]string{"LocalAppData": "/windows/system32/config/systemprofile/AppData/Local", "ProgramData": "/ProgramData",
		"SystemRoot": "/Windows", "USERPROFILE": "/windows/system32/config/systemprofile"}
	unix := map[string]string{"HOME": "/u"}
	xdg := map[string]string{"HOME": "/u", "XDG_CONFIG_HOME": "/c", "XDG_DATA_HOME": "/d"}
	const macSystem = "/Library/Application Support/hotfolder"
	for _, test := range []struct {
		name                   string
		os                     string
		root                   bool
		env                    map[string]string
		file                   string
		config, system, dataIn string
	}{
		{"Linux user", "linux", false, unix, "/u/x.yaml", "/u/.config/hotfolder", "/etc/hotfolder", "/u/.local/share/hotfolder"},
		{"Linux user with XDG", "linux", false, xdg, "/u/x.yaml", "/c/hotfolder", "/etc/hotfolder", "/d/hotfolder"},
		{"Linux root", "linux", true, unix, "/u/x.yaml", "/u/.config/hotfolder", "/etc/hotfolder", "/var/lib/hotfolder"},
		{"Linux user, system's file", "linux", false, unix, "/etc/hotfolder/hotfolder.yaml", "/u/.config/hotfolder", "/etc/hotfolder", "/var/lib/hotfolder"},
		{"Linux without home", "linux", false, nil, "/x.yaml", "", "/etc/hotfolder", ""},
		{"macOS user", "darwin", false, unix, "/u/x.yaml", "/u" + macSystem, macSystem, "/u" + macSystem},
		{"macOS root", "darwin", true, unix, "/u/x.yaml", "/u" + macSystem, macSystem, macSystem},
		{"Windows user", "windows", false, windows, "/u/x.yaml", "/u/Roaming/hotfolder", "/ProgramData/hotfolder", "/u/Local/hotfolder"},
		{"Windows user, system's file", "windows", false, windows, "/ProgramData/hotfolder/hotfolder.yaml", "/u/Roaming/hotfolder", "/ProgramData/hotfolder", "/ProgramData/hotfolder"},
		{"Windows service", "windows", false, service, "/u/x.yaml", "", "/ProgramData/hotfolder", "/ProgramData/hotfolder"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if runtime.GOOS == "windows" && test.os != "windows" {
				t.Skip("has other paths")
			}
			m := machine{test.os, test.root, func(key string) string { return filepath.FromSlash(test.env[key]) }}
			for _, place := range []struct{ what, got, want string }{
				{"user's configuration", m.userConfig(), test.config},
				{"system's configuration", m.systemConfig(), test.system},
				{"data", m.dataDir(filepath.FromSlash(test.file)), test.dataIn},
			} {
				if filepath.ToSlash(place.got) != place.want {
					t.Errorf("%s: got %q, want %q", place.what, place.got, place.want)
				}
			}
		})
	}
}
