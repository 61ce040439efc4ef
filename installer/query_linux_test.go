package installer

import (
	"testing"
	"time"
)

// What systemctl of systemd 252 and 257 prints.
func TestShown(t *testing.T) {
	const command = "ExecStart={ path=/opt/hot folder/hotfolder ; argv[]=/opt/hot folder/hotfolder run --config /srv/a b.yaml ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }\n"
	const config = "/srv/a b.yaml"
	const program = "/opt/hot folder/hotfolder"
	since := time.Date(2026, 11, 23, 16, 7, 13, 0, time.UTC)
	for text, want := range map[string]Info{
		"LoadState=not-found\nActiveState=inactive\nActiveEnterTimestamp=\n": {State: NotInstalled},
		command + "User=hotfolder\nLogsDirectory=hotfolder\nLoadState=loaded\nActiveState=active\nActiveEnterTimestamp=Mon 2026-11-23 16:07:13 UTC\n": {
			State: Running, Since: since, Account: "hotfolder", Logs: "/var/log/hotfolder", Program: program, Config: config},
		command + "User=\nLogsDirectory=\nLoadState=loaded\nActiveState=failed\nActiveEnterTimestamp=Mon 2026-11-23 16:07:13 UTC\n": {
			State: Failed, Account: "root", Program: program, Config: config},
		command + "LoadState=loaded\nActiveState=activating\nActiveEnterTimestamp=\n": {State: Starting, Account: "root", Program: program, Config: config},
		command + "LoadState=loaded\nActiveState=inactive\nActiveEnterTimestamp=\n":   {State: Stopped, Account: "root", Program: program, Config: config},
	} {
		if got := shown(text); got != want {
			t.Errorf("of %q\ngot  %+v\nwant %+v", text, got, want)
		}
	}
}
