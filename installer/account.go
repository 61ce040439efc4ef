package installer

import "strings"

// account is the name of a Windows account as the service manager wants it. ofSystem are those that may be a service anyway and have
// no password; managed ones, whose name ends with $, only have none that people know.
func account(name string) (full string, ofSystem, managed bool) {
	switch strings.ToLower(name) {
	case "localsystem", "system":
		return "LocalSystem", true, false
	case "localservice", "networkservice":
		name = `NT AUTHORITY\` + name
	}
	if !strings.ContainsAny(name, `\@`) {
		name = `.\` + name // of this machine
	}
	domain, _, _ := strings.Cut(strings.ToLower(name), `\`)
	ofSystem = domain == "nt authority" || domain == "nt service"
	return name, ofSystem, !ofSystem && strings.HasSuffix(name, "$")
}
