package config

import (
	"fmt"
	"maps"
	"net"
	"net/mail"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/bmatcuk/doublestar/v4"
)

// check notes what is wrong with the values once they are read.
func (d *document) check(c *Config) {
	if c.Polling.Min > c.Polling.Max {
		d.problem("polling.min", "%v is more than polling.max, %v; swap them", c.Polling.Min, c.Polling.Max)
	}
	if c.Webhook.Listen == "" != (c.Webhook.URL == "") {
		d.problem("webhook", "needs both listen and url, or neither")
	}
	if c.Webhook.CertFile == "" != (c.Webhook.KeyFile == "") {
		d.problem("webhook", "needs both cert_file and key_file, or neither")
	}
	d.checkMailing(c)
	if l := c.Dashboard.Listen; l != "" && !isLoopback(l) && c.Dashboard.PasswordFile == "" {
		d.problem("dashboard.listen", "others could reach %s; set dashboard.password_file, or listen on 127.0.0.1", l)
	}
	for _, must := range []struct{ key, value string }{
		{"api.url", c.API.URL}, {"api.auth_url", c.API.AuthURL}, {"api.client_id", c.API.ClientID},
	} {
		if must.value == "" {
			d.problem(must.key, "must not be empty; remove the line to get the default")
		}
	}
	if c.DataDir == "" {
		d.problem("data_dir", "is missing, and the environment names no home folder; set it")
	}
	names := map[string]int{}
	for i, f := range c.Folders {
		at := fmt.Sprintf("folders[%d].", i)
		if first, ok := names[f.Name]; ok && f.Name != "" {
			d.problem(at+"name", "%q is already the name of folder %d; names must differ", short(f.Name), first+1)
		}
		names[f.Name] = i
		d.checkFolder(at, f)
	}
	d.checkOverlap(c)
	c.noOrganization = d.apart(func() {
		if c.Account.Organization == "" {
			d.problem("account.organization", "is missing; 'hotfolder login' lets you choose, or set it or AUTORETOUCH_ORGANIZATION_ID")
		}
	})
	c.noWorkflow = d.apart(func() { d.unsetWorkflows(c) })
}

// apart returns the problems that check notes and does not keep them: a file may be in use before an account is there to choose from.
func (d *document) apart(check func()) Errors {
	wrong := d.problems
	defer func() { d.problems = wrong }()
	d.problems = nil
	check()
	return d.problems
}

func (d *document) unsetWorkflows(c *Config) {
	for i, f := range c.Folders {
		if f.Workflow == "" {
			d.problem(fmt.Sprintf("folders[%d].workflow", i), "is missing; 'hotfolder login' lets you choose, 'hotfolder workflows' lists the ids")
		}
	}
}

// checkMailing notes what a mail would lack.
func (d *document) checkMailing(c *Config) {
	if c.Report.Daily == "" != (c.Report.To == "") {
		d.problem("report", "needs both daily and to, or neither")
	}
	for _, uses := range []struct {
		key  string
		mail bool
	}{{"notify.to", c.Notify.To != ""}, {"report.to", c.Report.ToMail()}} {
		if uses.mail && (c.Mail.Server == "" || c.Mail.From == "") {
			d.problem(uses.key, "needs a mail server; set mail.server and mail.from")
		}
	}
	if c.Mail.User == "" != (c.Mail.PasswordFile == "") {
		d.problem("mail", "needs both user and password_file, or neither")
	}
}

func (d *document) checkFolder(at string, f Folder) {
	for _, need := range []struct{ key, value, mend string }{
		{"name", f.Name, "give the folder a name of its own"},
		{"input", f.Input, "name the folder that pictures are dropped into"},
		{"output", f.Output, "name the folder that the results go to"},
	} {
		if need.value == "" {
			d.problem(at+need.key, "is missing; %s", need.mend)
		}
	}
	if strings.Contains(f.Name, "/") || strings.ContainsFunc(f.Name, unicode.IsControl) || len(f.Name) > 100 {
		d.problem(at+"name", "%q cannot be a name; use at most 100 letters, without / and control characters", short(f.Name))
	}
	if len(f.Include) == 0 {
		d.problem(at+"include", "would take no file at all; remove the line to get the default")
	}
	d.checkPatterns(at+"include", f.Include)
	d.checkPatterns(at+"exclude", f.Exclude)
	d.checkLabels(at+"labels", f.Labels)
	if wrong := checkTemplate(f.OutputName); wrong != "" {
		d.problem(at+"output_name", "%s", wrong)
	}
	if f.AfterSuccess == Move && f.Processed == "" {
		d.problem(at+"after_success", "move needs to know where to; set processed")
	}
}

func (d *document) checkPatterns(at string, patterns []string) {
	for i, p := range patterns {
		if p == "" || !doublestar.ValidatePattern(p) {
			d.problem(fmt.Sprintf("%s[%d]", at, i), "%q is not a pattern; write one such as *.jpg or proofs/**", short(p))
		}
	}
}

func (d *document) checkLabels(at string, labels map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		switch {
		case key == "":
			d.problem(at+".", "a label needs a name")
		case key == "hotfolder_job" || strings.HasPrefix(key, "autoretouch_batch_"):
			d.problem(at+"."+short(key), "is set by the agent itself; choose another name")
		}
	}
}

// Placeholders are what may stand in braces in Folder.OutputName.
var Placeholders = []string{"name", "ext", "result", "hash8", "date", "time", "folder"}

var placeholder = regexp.MustCompile(`\{([^{}]*)\}`)

// checkTemplate says what is wrong with an output_name.
func checkTemplate(t string) string {
	var differs bool
	for _, m := range placeholder.FindAllStringSubmatch(t, -1) {
		if !slices.Contains(Placeholders, m[1]) {
			return fmt.Sprintf("{%s} is unknown; %s", short(m[1]), suggest(m[1], Placeholders))
		}
		differs = differs || m[1] == "name" || m[1] == "result" || m[1] == "hash8"
	}
	rest := placeholder.ReplaceAllString(t, "x")
	switch {
	case strings.ContainsAny(rest, "{}"):
		return "a brace is not closed or not opened; placeholders are written {name}"
	case !differs:
		return "would give every picture the same name; use {name}, {result} or {hash8}"
	case strings.ContainsAny(rest, `\:*?"<>|`) || strings.ContainsFunc(rest, unicode.IsControl):
		return `cannot be a file name everywhere; leave out \ : * ? " < > | (subfolders are made with /)`
	case path.IsAbs(rest) || path.Clean(rest) != rest || !filepath.IsLocal(rest):
		return "must stay inside the output folder; leave out . and .. and / at either end"
	}
	return ""
}

// checkURL says what is wrong with an address: tokens go there, so only loopback may be plain http.
func checkURL(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "":
		return fmt.Sprintf("%q is not an address; write one such as https://api.autoretouch.com", short(s))
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "must be a plain address, without user, ? and #"
	case u.Scheme == "https" || u.Scheme == "http" && isLoopback(net.JoinHostPort(u.Hostname(), "0")):
		return ""
	}
	return "must begin with https:// (http:// only for this machine itself, 127.0.0.1)"
}

// checkHook says what is wrong with an address that may hold a secret, which is why it is not repeated.
func checkHook(s string) string {
	u, err := url.Parse(s)
	if err == nil && u.Hostname() != "" && (u.Scheme == "https" || u.Scheme == "http" && isLoopback(net.JoinHostPort(u.Hostname(), "0"))) {
		return ""
	}
	return "is not an address that begins with https:// (http:// only for this machine itself, 127.0.0.1)"
}

// isMail tells mail addresses from a folder.
func isMail(s string) bool { return strings.Contains(s, "@") && !strings.ContainsAny(s, `/\`) }

// ToMail tells whether the report is sent by mail, not written into a folder.
func (r Report) ToMail() bool { return isMail(r.To) }

func checkMail(s string) string {
	if _, err := mail.ParseAddressList(s); err != nil {
		return fmt.Sprintf("%q is not a mail address; write one such as night@studio.example", short(s))
	}
	return ""
}

func checkServer(s string) string {
	if host, _, err := net.SplitHostPort(s); err != nil || host == "" {
		return fmt.Sprintf("%q is not a server; write HOST:PORT, such as mail.studio.example:587", short(s))
	}
	return checkListen(s)
}

// checkListen says what is wrong with an address to listen on.
func checkListen(s string) string {
	_, port, err := net.SplitHostPort(s)
	if n, e := strconv.ParseUint(port, 10, 16); err == nil && e == nil && n <= 65535 {
		return ""
	}
	return fmt.Sprintf("%q is not an address to listen on; write HOST:PORT, such as 127.0.0.1:8765", short(s))
}

// isLoopback says whether only this machine can reach a host:port.
func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// absolute returns p below dir, unless it is absolute itself, and else what is wrong with it.
func absolute(dir, p string) (abs, wrong string) {
	switch {
	case strings.ContainsRune(p, 0):
		return "", "cannot be a path: it holds a NUL character"
	case p == "~" || strings.HasPrefix(p, "~/") || strings.HasPrefix(p, `~\`):
		return "", "~ is not expanded; write the whole path"
	case filepath.IsAbs(p):
		return filepath.Clean(p), ""
	case filepath.VolumeName(p) != "": // C:photos: the drive's current folder, which a service does not have
		return "", fmt.Sprintf(`lacks a \ after %s; write the whole path`, filepath.VolumeName(p))
	case runtime.GOOS == "windows" && strings.HasPrefix(filepath.ToSlash(p), "/"):
		return filepath.Join(filepath.VolumeName(dir)+`\`, p), ""
	}
	return filepath.Join(dir, p), ""
}
