package installer

import (
	_ "embed"
	"strings"

	"github.com/kardianos/service"
)

// packageUnit is the systemd unit of the packages.
//
//go:embed linux/hotfolder.service
var packageUnit string

// unit returns the systemd unit for d: the packages' one with its own command, for d's user or root rather than a user made for it.
// Root keeps no more of its powers than to use other people's folders, another user none. kardianos/service takes the unit for a template, whose
// {{ no command may contain.
func unit(d *service.Config) string {
	_, own, _ := strings.Cut(packageUnit, "[Unit]") // what stands before is for the packages' users
	user, powers := "", "CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER"
	if d.UserName != "" {
		user, powers = line("User", d.UserName), ""
	}
	return strings.NewReplacer(
		line("Description", "Hotfolder for AutoRetouch"), line("Description", d.DisplayName),
		line("Documentation", "man:hotfolder(1)"), "",
		line("ConditionPathExists", "/etc/hotfolder/hotfolder.yaml"), "",
		line("ExecStart", "/usr/bin/hotfolder run --config /etc/hotfolder/hotfolder.yaml"), line("ExecStart", command(d)),
		line("User", "hotfolder"), user,
		line("CapabilityBoundingSet", ""), line("CapabilityBoundingSet", powers),
	).Replace("[Unit]" + own)
}

func line(key, value string) string { return key + "=" + value + "\n" }

func command(d *service.Config) string {
	words := []string{quote(d.Executable)}
	for _, a := range d.Arguments {
		words = append(words, quote(a))
	}
	return strings.Join(words, " ")
}

// quote makes s one word of an ExecStart line, in which systemd expands \, $ and % even in quotes (systemd.service(5)).
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", "$$", "%", "%%", "\n", `\n`).Replace(s) + `"`
}
