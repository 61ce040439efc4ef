package installer

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const plist = "/Library/LaunchDaemons/" + Name + ".plist"

func query() (Info, error) {
	text, err := os.ReadFile(plist)
	if errors.Is(err, fs.ErrNotExist) {
		return Info{State: NotInstalled}, nil
	}
	if err != nil {
		return Info{}, err
	}
	i, err := launchdJob(text)
	if err != nil {
		return i, err
	}
	out, err := exec.Command("launchctl", "print", "system/"+Name).Output()
	if err != nil { // launchd does not know it while it is stopped
		i.State = Stopped
		return i, nil
	}
	var pid int
	i.State, pid = launchdState(string(out))
	if pid != 0 {
		i.Since = startOf(pid)
	}
	return i, nil
}

// startOf is when a process began; zero if that cannot be told.
func startOf(pid int) time.Time {
	c := exec.Command("ps", "-o", "lstart=", "-p", strconv.Itoa(pid))
	c.Env = append(os.Environ(), "LC_ALL=C")
	out, err := c.Output()
	if err != nil {
		return time.Time{}
	}
	began, _ := time.ParseInLocation(time.ANSIC, strings.TrimSpace(string(out)), time.Local)
	return began
}
