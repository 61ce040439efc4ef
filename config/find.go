package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

const fileName = "hotfolder.yaml"

// Find returns the configuration file to use: flag if it is set, else $HOTFOLDER_CONFIG, else the first that exists of
// ./hotfolder.yaml, the user's and the system's. The error lists where it looked.
func Find(flag string, getenv func(string) string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if file := getenv("HOTFOLDER_CONFIG"); file != "" {
		return file, nil
	}
	m := thisMachine(getenv)
	files := []string{fileName}
	for _, dir := range []string{m.userConfig(), m.systemConfig()} {
		if dir != "" {
			files = append(files, filepath.Join(dir, fileName))
		}
	}
	for _, file := range files {
		if _, err := os.Stat(file); !os.IsNotExist(err) {
			return file, nil // unreadable ones too: Load says why, rather than another file being taken
		}
	}
	return "", fmt.Errorf("%w (looked for %s); 'hotfolder init' writes one", ErrNone, strings.Join(files, ", "))
}

// ErrNone is in the chain of Find's error when there is no file.
var ErrNone = errors.New("there is no configuration")

// Home is where a new file belongs so that Find finds it: in the user's configuration folder, or in the system's for root or when
// it is for a service.
func Home(service bool, getenv func(string) string) string {
	m := thisMachine(getenv)
	dir := m.userConfig()
	if service || m.root || dir == "" {
		dir = m.systemConfig()
	}
	return filepath.Join(dir, fileName)
}

// machine knows where an operating system keeps things. Paths are empty where the environment does not tell.
type machine struct {
	os     string // a GOOS
	root   bool   // runs as root; always false on Windows
	getenv func(string) string
}

func thisMachine(getenv func(string) string) machine {
	return machine{runtime.GOOS, os.Geteuid() == 0, getenv}
}

func (m machine) userConfig() string {
	switch m.os {
	case "windows":
		return m.below("AppData", "hotfolder")
	case "darwin":
		return m.below("HOME", "Library/Application Support/hotfolder")
	}
	if dir := m.below("XDG_CONFIG_HOME", "hotfolder"); dir != "" {
		return dir
	}
	return m.below("HOME", ".config/hotfolder")
}

func (m machine) systemConfig() string {
	switch m.os {
	case "windows":
		return m.below("ProgramData", "hotfolder")
	case "darwin":
		return "/Library/Application Support/hotfolder"
	}
	return "/etc/hotfolder"
}

// dataDir is the default of data_dir for a configuration file: the system's for a system service, and for the system's
// file whoever reads it, so that a user's `hotfolder status` finds the service's ledger; else the user's.
func (m machine) dataDir(file string) string {
	if m.isService() || within(file, m.systemConfig()) {
		return m.systemData()
	}
	switch m.os {
	case "windows":
		return m.below("LocalAppData", "hotfolder")
	case "darwin":
		return m.userConfig()
	}
	if dir := m.below("XDG_DATA_HOME", "hotfolder"); dir != "" {
		return dir
	}
	return m.below("HOME", ".local/share/hotfolder")
}

func (m machine) systemData() string {
	if m.os == "windows" || m.os == "darwin" {
		return m.systemConfig()
	}
	return "/var/lib/hotfolder"
}

// isService says whether this is root or one of Windows' service accounts, whose profiles lie in the Windows folder.
func (m machine) isService() bool {
	return m.root || m.os == "windows" && within(strings.ToLower(m.getenv("USERPROFILE")), strings.ToLower(m.getenv("SystemRoot")))
}

// below returns the path under the folder that an environment variable names.
func (m machine) below(variable, path string) string {
	if dir := m.getenv(variable); dir != "" {
		return filepath.Join(dir, filepath.FromSlash(path))
	}
	return ""
}
