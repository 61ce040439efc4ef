package installer

import (
	"strings"
	"testing"
)

func TestLaunchdJob(t *testing.T) {
	const plist = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Disabled</key>
	<false/>
	<key>KeepAlive</key>
	<true/>
	<key>Label</key>
	<string>hotfolder</string>
	<key>ProgramArguments</key>
	<array>
		<string>/usr/local/bin/hotfolder</string>
		<string>run</string>
		<string>--config</string>
		<string>/Users/anna/Fotos &amp; mehr/hotfolder.yaml</string>
	</array>
	<key>StandardOutPath</key>
	<string>/var/log/hotfolder.out.log</string>
	<key>UserName</key>
	<string>anna</string>
</dict>
</plist>
`
	want := Info{Account: "anna", Program: "/usr/local/bin/hotfolder", Config: "/Users/anna/Fotos & mehr/hotfolder.yaml"}
	if got, err := launchdJob([]byte(plist)); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	withoutUser := strings.ReplaceAll(plist, "UserName", "GroupName")
	if got, err := launchdJob([]byte(withoutUser)); err != nil || got.Account != "root" {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := launchdJob([]byte(plist[:len(plist)-20])); err == nil {
		t.Error("read one that is cut short")
	}
}

// The form is that of macOS 14 to 26; what other things of the job have a state or a pid is indented deeper.
func TestLaunchdState(t *testing.T) {
	const running = `system/hotfolder = {
	active count = 1
	path = /Library/LaunchDaemons/hotfolder.plist
	type = LaunchDaemon
	state = running

	program = /usr/local/bin/hotfolder
	arguments = {
		/usr/local/bin/hotfolder
		run
		--config
		/etc/hotfolder/hotfolder.yaml
	}

	default environment = {
		PATH => /usr/bin:/bin:/usr/sbin:/sbin
	}

	domain = system
	username = anna
	minimum runtime = 10
	exit timeout = 5
	runs = 1
	pid = 893
	immediate reason = speculative
	last exit code = (never exited)

	resource coalition = {
		ID = 338240
		type = resource
		state = active
		pid = 1
	}

	properties = keepalive | runatload | inferred program
}
`
	for name, c := range map[string]struct {
		changes []string
		is      Status
		pid     int
	}{
		"running":               {nil, Running, 893},
		"running after a crash": {[]string{"(never exited)", "1"}, Running, 893},
		"stopped":               {[]string{"state = running", "state = not running", "\tpid = 893\n", "", "(never exited)", "0"}, Stopped, 0},
		"failed":                {[]string{"state = running", "state = spawn scheduled", "\tpid = 893\n", "", "(never exited)", "78: EX_CONFIG"}, Failed, 0},
		"killed":                {[]string{"state = running", "state = not running", "\tpid = 893\n", "", "last exit code = (never exited)", "last terminating signal = Killed: 9"}, Failed, 0},
		"about to start":        {[]string{"state = running", "state = spawn scheduled", "\tpid = 893\n", ""}, Starting, 0},
	} {
		if is, pid := launchdState(strings.NewReplacer(c.changes...).Replace(running)); is != c.is || pid != c.pid {
			t.Errorf("%s: got %s, %d, want %s, %d", name, is, pid, c.is, c.pid)
		}
	}
}
