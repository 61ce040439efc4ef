package installer

import (
	"slices"
	"strings"
)

// command takes apart the service's command, the last of which is the configuration file.
func (i *Info) command(program string, arguments []string) {
	i.Program = program
	if n := slices.Index(arguments, "--config"); n >= 0 && n+1 < len(arguments) {
		i.Config = strings.Join(arguments[n+1:], " ")
	}
}
