package cli

import (
	"os"
	"os/exec"
	"runtime"
	"time"

	"hotfolder/installer"
)

// openBrowser opens an address in the person's browser and tells whether it could. Over SSH, as a service, under sudo and
// without a desktop there is none: it would open where nobody sits, as root, or in this terminal.
func openBrowser(address string) bool {
	if !hasDesktop(runtime.GOOS, os.Getenv) || !installer.Interactive() {
		return false
	}
	command := map[string][]string{
		"windows": {"rundll32", "url.dll,FileProtocolHandler"},
		"darwin":  {"open"},
	}[runtime.GOOS]
	if command == nil {
		command = []string{"xdg-open"}
	}
	c := exec.Command(command[0], append(command[1:], address)...) // without our terminal
	if c.Start() != nil {
		return false
	}
	opened := make(chan bool, 1)
	go func() { opened <- c.Wait() == nil }() // ends with the opener, which leaves the browser to itself
	select {
	case ok := <-opened:
		return ok
	case <-time.After(openerTime):
		return true // one that stays, such as the browser itself
	}
}

const openerTime = 3 * time.Second // in which an opener that fails has failed

// hasDesktop tells whether a browser would open before the person who asks for it.
func hasDesktop(system string, getenv func(string) string) bool {
	if getenv("SSH_CONNECTION") != "" || getenv("SSH_TTY") != "" {
		return false
	}
	if system == "windows" || system == "darwin" {
		return true
	}
	return getenv("SUDO_UID") == "" && (getenv("DISPLAY") != "" || getenv("WAYLAND_DISPLAY") != "")
}
