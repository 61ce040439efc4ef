package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"hotfolder/config"
)

// env is an environment with a home folder and what vars adds.
func env(vars map[string]string) func(string) string {
	home := filepath.Join(os.TempDir(), "home")
	return func(key string) string {
		if v, ok := vars[key]; ok {
			return v
		}
		switch key {
		case "HOME", "LocalAppData", "AppData", "ProgramData":
			return home
		}
		return ""
	}
}

// parse reads text as the file hotfolder.yaml in a folder of the test's own.
func parse(t *testing.T, text string) (c *config.Config, dir string, err error) {
	t.Helper()
	dir, err = filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c, err = config.Parse(filepath.Join(dir, "hotfolder.yaml"), []byte(text), env(nil))
	return c, dir, err
}

// folder is a valid file with lines, from the sixth on, added to its one folder.
func folder(lines ...string) string {
	text := "folders:\n  - name: a\n    input: in\n    output: out\n    workflow: w\n"
	for _, line := range lines {
		text += "    " + line + "\n"
	}
	return text
}

// LoadReady tells what is missing together with what is wrong, in the order of the file.
func TestLoadReady(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hotfolder.yaml")
	for text, want := range map[string]string{
		"extra: 1\nfolders:\n  - {name: x, input: i, output: o}\n": `:1:1: extra: .*\n.*:1:1: account.organization: is missing.*\n.*:3:5: workflow: is missing.*$`,
		"": `:1:1: folders: at least one .*\n.*:1:1: account.organization: is missing.*$`,
		"account: {organization: 12}\n" + folder():             `^[^\n]*:1:25: account.organization: must be text[^\n]*$`,
		"account:\n  organization: ''\n  frob: 1\n" + folder(): `^[^\n]*:2:17: account.organization: is missing[^\n]*\n[^\n]*:3:3: account.frob: unknown key[^\n]*$`,
		"account: 12\n" + folder():                             `^[^\n]*:1:10: account: must be [^\n]*$`,
		"folders:\n\t- name: x\n":                              `^[^\n]*:2:\d+: [^\n]*$`,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.LoadReady(file, env(nil))
		if c != nil || err == nil || !regexp.MustCompile(want).MatchString(err.Error()) {
			t.Errorf("%q: %v\nwant %s", text, err, want)
		}
	}
	if err := os.WriteFile(file, []byte(folder()), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := config.LoadReady(file, env(map[string]string{"AUTORETOUCH_ORGANIZATION_ID": "org"})); err != nil || c.Account.Organization != "org" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestEveryKindOfValue(t *testing.T) {
	c, dir, err := parse(t, `
account: {organization: org, credentials_file: secret/me.json}
api: {url: "http://127.0.0.1:9000", auth_url: "http://localhost:9001/auth", timeout: 1m30s, create_lookup: 1s}
data_dir: data
folders:
  - name: Jäger & Söhne
    input: in
    output: ./sub/../out
    workflow: w
    workflow_version: v1
    recursive: false
    include: ["*.CR2", "a/**"]
    settle: 0s
    rescan: 0s
    batch: day
    labels: {client: "007"}
    settings: {background: {color: "#fff"}, sizes: [1, 2.5]}
    output_name: "{folder}/{date}_{name}{ext}"
    on_conflict: skip
    duplicates: process
    after_success: move
    processed: done
    failed: bad
    retries: 0
    oversize: fail
    unchanged: deliver
    review: look
    versions: keep
    deliver: order
    deliver_after: 3h
    hours: 19:00-07:00
    priority: -5
    status_file: true
  - {name: b, input: in2, output: out, workflow: w}
limits: {uploads: 1, upload_rate: 20MB, credits_per_day: 1000, nice: 10}
polling: {min: 100ms, max: 100ms}
webhook: {listen: ":9443", url: "https://studio.example/hook", cert_file: c.pem, key_file: k.pem}
notify: {url: "https://hooks.example/T0/x?sig=y", to: "a@studio.example, B <b@studio.example>", failures: 1, gone_after: 1h}
mail: {server: "mail.example:587", from: night@studio.example, user: night, password_file: mailpw}
report: {daily: "07:00", to: reports}
evening_check: 17:30
dashboard: {listen: "0.0.0.0:8765", password_file: pw}
log: {level: debug, format: json, file: agent.log, compress: false}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.File = filepath.Join(dir, "hotfolder.yaml")
	want.Account = config.Account{Organization: "org", CredentialsFile: filepath.Join(dir, "secret", "me.json")}
	want.API.URL, want.API.AuthURL = "http://127.0.0.1:9000", "http://localhost:9001/auth"
	want.API.Timeout, want.API.CreateLookup = 90*time.Second, time.Second
	want.DataDir = filepath.Join(dir, "data")
	b := config.DefaultFolder()
	b.Name, b.Input, b.Output, b.Workflow = "b", filepath.Join(dir, "in2"), filepath.Join(dir, "out"), "w"
	want.Folders = []config.Folder{{
		Name: "Jäger & Söhne", Input: filepath.Join(dir, "in"), Output: filepath.Join(dir, "out"),
		Workflow: "w", WorkflowVersion: "v1", Include: []string{"*.CR2", "a/**"}, Batch: config.BatchDay,
		Labels:     map[string]string{"client": "007"},
		Settings:   map[string]any{"background": map[string]any{"color": "#fff"}, "sizes": []any{1, 2.5}},
		OutputName: "{folder}/{date}_{name}{ext}", OnConflict: config.Skip, Duplicates: config.Process,
		AfterSuccess: config.Move, Processed: filepath.Join(dir, "done"), Failed: filepath.Join(dir, "bad"),
		Oversize: config.OversizeFail, Unchanged: config.UnchangedDeliver, Review: filepath.Join(dir, "look"),
		Versions: config.VersionsKeep, Deliver: config.DeliverOrder, DeliverAfter: 3 * time.Hour,
		Hours: "19:00-07:00", Priority: -5, StatusFile: true,
	}, b}
	want.Limits.Uploads, want.Limits.UploadRate, want.Limits.CreditsPerDay = 1, 20_000_000, 1000
	want.Limits.Nice = 10
	want.Polling = config.Polling{Min: 100 * time.Millisecond, Max: 100 * time.Millisecond}
	want.Webhook = config.Webhook{Listen: ":9443", URL: "https://studio.example/hook",
		CertFile: filepath.Join(dir, "c.pem"), KeyFile: filepath.Join(dir, "k.pem")}
	want.Notify = config.Notify{URL: "https://hooks.example/T0/x?sig=y", To: "a@studio.example, B <b@studio.example>", Failures: 1, GoneAfter: time.Hour}
	want.Mail = config.Mail{Server: "mail.example:587", From: "night@studio.example", User: "night", PasswordFile: filepath.Join(dir, "mailpw")}
	want.Report = config.Report{Daily: "07:00", To: filepath.Join(dir, "reports")}
	want.EveningCheck = "17:30"
	want.Dashboard = config.Dashboard{Listen: "0.0.0.0:8765", PasswordFile: filepath.Join(dir, "pw")}
	want.Log.Level, want.Log.Format, want.Log.File, want.Log.Compress = "debug", "json", filepath.Join(dir, "agent.log"), false
	if !reflect.DeepEqual(*c, want) {
		t.Errorf("got  %+v\nwant %+v", *c, want)
	}
}

// Files as editors and people write them, all meaning the same.
func TestSameFile(t *testing.T) {
	for name, text := range map[string]string{
		"plain":            folder(),
		"byte order mark":  "\ufeff" + folder(),
		"Notepad":          "\ufeff" + strings.ReplaceAll(folder(), "\n", "\r\n"),
		"keys left empty":  "api:\nlog:\n" + folder("settle:", "include:", "labels: ~"),
		"document marker":  "---\n" + folder(),
		"anchor and alias": "folders:\n  - {name: &x a, input: in, output: out, workflow: w, batch: subfolder, failed: ''}\nlog: &l {}\ndashboard: *l\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, dir, err := parse(t, text)
			if err != nil {
				t.Fatal(err)
			}
			f := config.DefaultFolder()
			f.Name, f.Input, f.Output, f.Workflow = "a", filepath.Join(dir, "in"), filepath.Join(dir, "out"), "w"
			if !reflect.DeepEqual(c.Folders, []config.Folder{f}) {
				t.Errorf("got %+v, want %+v", c.Folders, f)
			}
		})
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "1000": 1000, "20MB": 20e6, "20 mb": 20e6, "512KiB": 512 << 10, "1.5GB": 15e8, `"7"`: 7} {
		c, _, err := parse(t, "limits: {upload_rate: "+text+"}")
		if err != nil || c.Limits.UploadRate != want {
			t.Errorf("%s: got %+v, %v, want %d", text, c, err, want)
		}
	}
}

func TestProblems(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"unknown key", "acount: {}", `1:1: acount: unknown key; did you mean "account"?`},
		{"unknown key, nothing near", "polling: {often: 1s}", "1:11: polling.often: unknown key; known here: max, min"},
		{"unknown folder key", folder("setle: 2s"), `6:5: setle: unknown key; did you mean "settle"?`},
		{"merge key", "<<: {}", "1:1: <<: unknown key; known here: account, api, dashboard, data_dir, evening_check, folders, limits, log, mail, notify, polling, report, webhook"},
		{"duplicate key", folder("settle: 2s", "settle: 3s"), "7:5: settle: is in line 6 already; remove one of the two"},
		{"key not text", folder("labels: {1: a}"), "6:14: labels.1: a key must be text, not the number 1; put it in quotes"},
		{"file not a mapping", "- a", "1:1: must be `key: value` lines, not a list"},
		{"section not a mapping", "log: 5", "1:6: log: must be `key: value` lines, not the number 5"},
		{"folders not a list", "folders: {name: a}", "1:10: folders: must be a list, not `key: value` lines; write it as [ ] or as lines that begin with -"},
		{"folder not a mapping", "folders: [5]", "1:11: folders[0]: must be `key: value` lines, not the number 5"},
		{"alias to itself", "log: &l {level: *l}", "1:17: log.level: must be text, not `key: value` lines"},
		{"second document", "log: {}\n---\nlog: {}", "2:1: a second document; everything belongs into the first, so remove this line"},

		{"number for text", folder("workflow_version: 5"), `6:23: workflow_version: must be text, not the number 5; put it in quotes: "5"`},
		{"list for text", "data_dir: [a]", "1:11: data_dir: must be text, not a list"},
		{"text for bool", folder("recursive: yes"), `6:16: recursive: must be true or false, not "yes"`},
		{"text for number", "limits: {uploads: '8'}", `1:19: limits.uploads: must be a whole number, not "8"`},
		{"fraction", "limits: {uploads: 1.5}", "1:19: limits.uploads: must be a whole number, not the number 1.5"},
		{"text for list", folder("include: '*.jpg'"), `6:14: include: must be a list, not "*.jpg"; write it as [ ] or as lines that begin with -`},
		{"number in list", folder("exclude: [a, 5]"), `6:18: exclude[1]: must be text, not the number 5; put it in quotes: "5"`},

		{"duration without unit", folder("settle: 2"), "6:13: settle: 2 has no unit; write 2s, or another of ms, s, m, h"},
		{"not a duration", folder("settle: soon"), `6:13: settle: must be a time span such as 500ms, 2s, 1m30s or 24h, not "soon"`},
		{"negative duration", folder("rescan: -1s"), "6:13: rescan: must be at least 0s"},
		{"no timeout", "api: {timeout: 0s}", "1:16: api.timeout: must be at least 1ms"},
		{"lookup too short", "api: {create_lookup: 0s}", "1:22: api.create_lookup: must be at least 1s"},
		{"min above max", "polling: {min: 1m}", "1:16: polling.min: 1m0s is more than polling.max, 30s; swap them"},
		{"not a size", "limits: {upload_rate: fast}", `1:23: limits.upload_rate: must be a size such as 20MB, 512KiB or a number of bytes, not "fast"`},
		{"negative size", "limits: {upload_rate: -1}", "1:23: limits.upload_rate: must be a size such as 20MB, 512KiB or a number of bytes, not the number -1"},
		{"decimal comma", "limits:\n  upload_rate: 1,5MB", `2:16: limits.upload_rate: must be a size such as 20MB, 512KiB or a number of bytes, not "1,5MB"`},
		{"too few", "limits: {uploads: 0}", "1:19: limits.uploads: must be at least 1"},
		{"too many", "limits: {downloads: 100000}", "1:21: limits.downloads: must be at most 256"},
		{"negative", folder("retries: -1"), "6:14: retries: must be at least 0"},

		{"batch", folder("batch: weekly"), `6:12: batch: must be one of none, subfolder, day, not "weekly"`},
		{"on_conflict", folder("on_conflict: Rename"), `6:18: on_conflict: must be one of rename, overwrite, skip, not "Rename"`},
		{"duplicates", folder("duplicates: ''"), `6:17: duplicates: must be one of reuse, process, not ""`},
		{"after_success", folder("after_success: remove"), `6:20: after_success: must be one of keep, move, delete, not "remove"`},
		{"log level", "log: {level: loud}", `1:14: log.level: must be one of debug, info, warn, error, not "loud"`},
		{"log format", "log: {format: xml}", `1:15: log.format: must be one of text, json, not "xml"`},

		{"api over http", "api: {url: http://api.example.com}", "1:12: api.url: must begin with https:// (http:// only for this machine itself, 127.0.0.1)"},
		{"api without scheme", "api: {url: api.example.com}", `1:12: api.url: "api.example.com" is not an address; write one such as https://api.autoretouch.com`},
		{"api with password", "api: {url: 'https://a:b@example.com'}", "1:12: api.url: must be a plain address, without user, ? and #"},
		{"api emptied", "api: {auth_url: ''}", "1:17: api.auth_url: must not be empty; remove the line to get the default"},
		{"half a webhook", "webhook: {listen: ':80'}", "1:10: webhook: needs both listen and url, or neither"},
		{"half a certificate", "webhook: {key_file: k}", "1:10: webhook: needs both cert_file and key_file, or neither"},
		{"hook over http", "notify: {url: 'http://hooks.example/secret'}", "1:15: notify.url: is not an address that begins with https:// (http:// only for this machine itself, 127.0.0.1)"},
		{"no mail address", "notify: {to: me}", `1:14: notify.to: "me" is not a mail address; write one such as night@studio.example`},
		{"mail without a server", "notify: {to: me@studio.example}", "1:14: notify.to: needs a mail server; set mail.server and mail.from"},
		{"mail server without port", "mail: {server: mail.example}", `1:16: mail.server: "mail.example" is not a server; write HOST:PORT, such as mail.studio.example:587`},
		{"mail login without password", "mail: {user: me}", "1:7: mail: needs both user and password_file, or neither"},
		{"report for nobody", "report: {daily: '07:00'}", "1:9: report: needs both daily and to, or neither"},
		{"no time of day", "evening_check: 5 pm", "1:16: evening_check: must be a time of day such as 07:00 or 17:30, in quotes"},
		{"no hours", folder("hours: 19-7"), "6:12: hours: must be a span of the day such as 19:00-07:00, in quotes"},
		{"page without port", "dashboard: {listen: localhost}", `1:21: dashboard.listen: "localhost" is not an address to listen on; write HOST:PORT, such as 127.0.0.1:8765`},
		{"page with a port too high", "dashboard: {listen: 'localhost:70000'}", `1:21: dashboard.listen: "localhost:70000" is not an address to listen on; write HOST:PORT, such as 127.0.0.1:8765`},
		{"page for all", "dashboard: {listen: ':8765'}", "1:21: dashboard.listen: others could reach :8765; set dashboard.password_file, or listen on 127.0.0.1"},
		{"home", "data_dir: ~/hotfolder", "1:11: data_dir: ~ is not expanded; write the whole path"},
		{"NUL in a path", `data_dir: "a\0b"`, "1:11: data_dir: cannot be a path: it holds a NUL character"},

		{"no input", "folders:\n  - {name: a, workflow: w, output: out}", "2:5: input: is missing; name the folder that pictures are dropped into"},
		{"name left empty", "folders:\n  - {name: , input: in, output: out, workflow: w}", "2:6: name: is missing; give the folder a name of its own"},
		{"name with slash", "folders:\n  - {name: a/b, input: in, output: out, workflow: w}", `2:12: name: "a/b" cannot be a name; use at most 100 letters, without / and control characters`},
		{"name with newline", "folders:\n  - {name: \"a\\nb\", input: in, output: out, workflow: w}", `2:12: name: "a\nb" cannot be a name; use at most 100 letters, without / and control characters`},
		{"same name", folder() + "  - {name: a, input: in2, output: out, workflow: w}", `6:12: name: "a" is already the name of folder 1; names must differ`},
		{"takes nothing", folder("include: []"), "6:14: include: would take no file at all; remove the line to get the default"},
		{"bad pattern", folder("include: ['*.jpg', '[a']"), `6:24: include[1]: "[a" is not a pattern; write one such as *.jpg or proofs/**`},
		{"label not text", folder("labels: {a: 1}"), `6:17: labels.a: must be text, not the number 1; put it in quotes: "1"`},
		{"our label", folder("labels: {hotfolder_job: x}"), "6:29: labels.hotfolder_job: is set by the agent itself; choose another name"},
		{"order's label", folder("labels: {autoretouch_batch_id: x}"), "6:36: labels.autoretouch_batch_id: is set by the agent itself; choose another name"},
		{"settings not JSON", folder("settings: {a: {1: b}}"), "6:15: settings: must be `key: value` lines that can be sent as JSON (json: unsupported type: map[interface {}]interface {})"},
		{"move to nowhere", folder("after_success: move"), "6:20: after_success: move needs to know where to; set processed"},

		{"unknown placeholder", folder("output_name: '{nam}{ext}'"), `6:18: output_name: {nam} is unknown; did you mean "name"?`},
		{"open brace", folder("output_name: '{name}{ext'"), "6:18: output_name: a brace is not closed or not opened; placeholders are written {name}"},
		{"one name for all", folder("output_name: 'x{ext}'"), "6:18: output_name: would give every picture the same name; use {name}, {result} or {hash8}"},
		{"leads out", folder("output_name: '../{name}{ext}'"), "6:18: output_name: must stay inside the output folder; leave out . and .. and / at either end"},
		{"absolute", folder("output_name: '/{name}{ext}'"), "6:18: output_name: must stay inside the output folder; leave out . and .. and / at either end"},
		{"not a file name", folder("output_name: '{name}?{ext}'"), `6:18: output_name: cannot be a file name everywhere; leave out \ : * ? " < > | (subfolders are made with /)`},

		{"tab", "log:\n\tlevel: info\n", "2:1: not valid YAML (found character that cannot start any token); YAML cannot be indented with tabs; use spaces"},
		{"tab after spaces", "folders:\n  - name: a\n  \tinput: in\n", "3:3: not valid YAML (found a tab character that violates indentation); YAML cannot be indented with tabs; use spaces"},
		{"Windows path in double quotes", `data_dir: "C:\photos"`, `1:11: not valid YAML (found unknown escape character); in "double quotes" \ begins an escape; write Windows paths in 'single quotes' or with /`},
		{"unclosed quote", "log:\n  file: 'a\n  level: info\n", "2:3: not valid YAML (found unexpected end of stream); check the indentation, colons and quotes of this line and the one before"},
		{"unclosed list", folder("include: ['*.jpg'", "batch: day"), "6:5: not valid YAML (did not find expected ',' or ']'); check the indentation, colons and quotes of this line and the one before"},
		{"indentation", "log:\n  level: info\n format: text\n", "3:2: not valid YAML (did not find expected key); check the indentation, colons and quotes of this line and the one before"},
		{"too large", strings.Repeat("#\n", 1<<20), "1:1: larger than 1 MiB; is this the configuration file?"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, dir, err := parse(t, test.text)
			var problems config.Errors
			if !errors.As(err, &problems) {
				t.Fatalf("got %v, want Errors", err)
			}
			if got := strings.ReplaceAll(err.Error(), filepath.Join(dir, "hotfolder.yaml:"), ""); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestAllProblemsAtOnceInOrder(t *testing.T) {
	_, dir, err := parse(t, "polling: {min: 1m}\nlog: {level: loud}\nfolders:\n  - name: a\n    outptu: out\n    input: 5\n")
	file := filepath.Join(dir, "hotfolder.yaml")
	want := strings.Join([]string{
		file + ":1:16: polling.min: 1m0s is more than polling.max, 30s; swap them",
		file + `:2:14: log.level: must be one of debug, info, warn, error, not "loud"`,
		file + ":4:5: output: is missing; name the folder that the results go to",
		file + `:5:5: outptu: unknown key; did you mean "output"?`,
		file + `:6:12: input: must be text, not the number 5; put it in quotes: "5"`,
	}, "\n")
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestAliasBombIsRefusedSoon(t *testing.T) {
	text := "x: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'a'; c < 'j'; c++ {
		text += "    x" + string(c) + ": &" + string(c+1) + " [" + strings.Repeat("*"+string(c)+",", 9) + "]\n"
	}
	_, _, err := parse(t, folder("settings:\n     "+strings.ReplaceAll(text, "\n    ", "\n     ")))
	if err == nil || !strings.Contains(err.Error(), "excessive aliasing") {
		t.Errorf("got %v", err)
	}
}

func TestOrganization(t *testing.T) {
	set := env(map[string]string{"AUTORETOUCH_ORGANIZATION_ID": "from-env"})
	for _, test := range []struct {
		text   string
		getenv func(string) string
		want   string
	}{
		{"", env(nil), ""},
		{"", set, "from-env"},
		{"account: {organization: from-file}", set, "from-file"},
	} {
		c, err := config.Parse("hotfolder.yaml", []byte(test.text), test.getenv)
		if err != nil || c.Account.Organization != test.want {
			t.Fatalf("got %+v, %v, want %q", c, err, test.want)
		}
		if err := c.RequireOrganization(); (err == nil) != (test.want != "") {
			t.Errorf("%q: RequireOrganization: %v", test.want, err)
		}
	}
}

func TestRequireFolders(t *testing.T) {
	with, _, err := parse(t, folder())
	if err != nil || with.RequireFolders() != nil {
		t.Errorf("one folder: %v, %v", err, with.RequireFolders())
	}
	without, _, err := parse(t, "# nothing yet\n")
	if err != nil {
		t.Fatal(err)
	}
	if err := without.RequireFolders(); err == nil || !strings.Contains(err.Error(), "hotfolder.yaml:1:1: folders: at least one") {
		t.Errorf("no folder: %v", err)
	}
	unset, _, err := parse(t, "folders:\n  - {name: a, input: in, output: out}\n  - {name: b, input: in2, output: out, workflow: ''}\n")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(unset.RequireFolders().Error(), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "hotfolder.yaml:2:5: workflow: is missing") || !strings.Contains(lines[1], "hotfolder.yaml:3:50: workflow: ") {
		t.Errorf("no workflow: %q", lines)
	}
}

func TestLoadMissingFile(t *testing.T) {
	_, err := config.Load(filepath.Join(t.TempDir(), "no.yaml"), env(nil))
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "check --config") {
		t.Errorf("got %v", err)
	}
}

// What parses means the same when it is parsed again, and keeps what Config promises.
func FuzzParse(f *testing.F) {
	example, err := os.ReadFile(exampleFile)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	f.Add([]byte(folder("settle: 2s", "labels: &a {x: y}", "settings: *a")))
	f.Add([]byte("\r0"))
	f.Add([]byte("a: [\n\t\"\\p"))
	file := filepath.Join(f.TempDir(), "hotfolder.yaml")
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse(file, data, env(nil))
		again, errAgain := config.Parse(file, data, env(nil))
		if !reflect.DeepEqual(c, again) || !reflect.DeepEqual(err, errAgain) {
			t.Fatalf("two readings differ: %v, %v", err, errAgain)
		}
		if err != nil {
			lines := 1 + len(regexp.MustCompile("[\n\r\u0085\u2028\u2029]").FindAll(data, -1)) // what YAML takes for line ends
			for _, p := range err.(config.Errors) {
				if p.Line < 1 || p.Line > lines || p.Column < 1 || p.Text == "" {
					t.Errorf("problem nowhere: %+v", p)
				}
			}
			return
		}
		if !filepath.IsAbs(c.DataDir) || c.Polling.Min <= 0 || c.Polling.Min > c.Polling.Max || c.Limits.Uploads < 1 {
			t.Errorf("impossible values: %+v", c)
		}
		for _, hot := range c.Folders {
			if !filepath.IsAbs(hot.Input) || !filepath.IsAbs(hot.Output) || hot.Name == "" || hot.Workflow == "" && c.RequireFolders() == nil {
				t.Errorf("incomplete folder: %+v", hot)
			}
		}
	})
}
