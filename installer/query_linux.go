package installer

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/kardianos/service"
)

func query() (Info, error) {
	if service.Platform() != "linux-systemd" {
		return Info{}, errNoSystemd
	}
	c := exec.Command("systemctl", "show", Name+".service",
		"--property=LoadState,ActiveState,ActiveEnterTimestamp,User,ExecStart,LogsDirectory")
	c.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC") // as shown reads it
	out, err := c.Output()
	if err != nil {
		return Info{}, errors.New("systemd does not answer; try it with sudo")
	}
	return shown(string(out)), nil
}

// shown reads what systemctl show prints: a line KEY=VALUE for each property.
func shown(text string) Info {
	value := map[string]string{}
	for line := range strings.Lines(text) {
		key, v, _ := strings.Cut(strings.TrimRight(line, "\n"), "=")
		value[key] = v
	}
	if value["LoadState"] == "not-found" {
		return Info{State: NotInstalled}
	}
	i := Info{State: Stopped, Account: value["User"]}
	switch value["ActiveState"] {
	case "active", "reloading", "deactivating":
		i.State = Running
		i.Since, _ = time.Parse("Mon 2006-01-02 15:04:05 MST", value["ActiveEnterTimestamp"]) // zero if systemd writes it otherwise
	case "activating":
		i.State = Starting
	case "failed":
		i.State = Failed
	}
	if i.Account == "" {
		i.Account = "root"
	}
	if dir := value["LogsDirectory"]; dir != "" {
		i.Logs = filepath.Join("/var/log", strings.Fields(dir)[0])
	}
	// { path=/usr/bin/hotfolder ; argv[]=/usr/bin/hotfolder run --config /etc/x.yaml ; ignore_errors=no ; … }
	_, words, _ := strings.Cut(value["ExecStart"], "argv[]=")
	words, _, _ = strings.Cut(words, " ; ")
	_, program, _ := strings.Cut(value["ExecStart"], "path=")
	program, _, _ = strings.Cut(program, " ; ")
	i.command(program, strings.Split(strings.TrimPrefix(words, program), " "))
	return i
}
