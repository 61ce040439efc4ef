package installer

import (
	"fmt"
	"strings"

	"github.com/kardianos/service"
)

// unitText is the systemd unit; the verbs are the service's name, its command and the exit code that no restart cures. It
// restarts for ever, since nobody may be there, and protects the system from the agent without hiding any folder
// that could be hot: no PrivateTmp, no ProtectHome.
const unitText = `[Unit]
Description=%s
Wants=network-online.target
After=network-online.target remote-fs.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=%s
EnvironmentFile=-/etc/default/hotfolder
Restart=on-failure
RestartSec=5s
RestartPreventExitStatus=%d
TimeoutStopSec=30s
StateDirectory=hotfolder
StateDirectoryMode=0700
LimitNOFILE=65536
NoNewPrivileges=yes
ProtectSystem=full
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
PrivateDevices=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
`

const exitUsage = 2 // usage or configuration

// unit returns the systemd unit for d. kardianos/service takes it for a template, whose {{ no command may contain.
func unit(d *service.Config) string {
	command := quote(d.Executable)
	for _, a := range d.Arguments {
		command += " " + quote(a)
	}
	return fmt.Sprintf(unitText, d.DisplayName, command, exitUsage)
}

// quote makes s one word of an ExecStart line, in which systemd expands \, $ and % even in quotes (systemd.service(5)).
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", "$$", "%", "%%", "\n", `\n`).Replace(s) + `"`
}
