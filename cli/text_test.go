package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"testing"
	"time"

	"hotfolder/agent"
	"hotfolder/autoretouch"
	"hotfolder/config"
	"hotfolder/control"
	"hotfolder/store"
)

func TestExitCodes(t *testing.T) {
	api := func(c autoretouch.Class, err error) error {
		return fmt.Errorf("somewhere: %w", &autoretouch.Error{Class: c, Op: "list workflows", Err: err})
	}
	for name, c := range map[string]struct {
		err  error
		code int
		line string
	}{
		"none":       {nil, 0, ""},
		"usage":      {usage(errors.New("no such flag")), 2, "hotfolder: no such flag"},
		"config":     {fmt.Errorf("x: %w", config.Errors{{File: "f.yaml", Line: 3, Column: 7, Text: "is wrong; mend it"}}), 2, "f.yaml:3:7: is wrong; mend it"},
		"login":      {api(autoretouch.Auth, errors.New("revoked")), 3, "hotfolder: AutoRetouch does not accept the login (revoked); run 'hotfolder login'"},
		"no network": {api(autoretouch.Transient, &net.DNSError{Err: "no such host", Name: "x"}), 4, "hotfolder: AutoRetouch cannot be reached: lookup x: no such host; check the network and api.url, then try again"},
		"wrong id":   {api(autoretouch.Config, errors.New("HTTP 404")), 2, "hotfolder: AutoRetouch refuses (HTTP 404); check account.organization and the workflow ids in the configuration"},
		"own disk":   {api(autoretouch.Transient, &fs.PathError{Op: "open", Path: "p", Err: fs.ErrPermission}), 1, "hotfolder: p: permission denied"},
		"own login": {fmt.Errorf("x: %w", &autoretouch.Error{Op: "save login", Err: &fs.PathError{Op: "open", Path: filepath.Join("d", ".private-1"), Err: fs.ErrPermission}}), 1,
			"hotfolder: cannot save login: d: permission denied; be the user whom the agent runs as (or root)"},
		"login twice": {api(autoretouch.Transient, &autoretouch.Error{Op: "renew login", Status: 503}), 4,
			"hotfolder: AutoRetouch does not answer as it should (HTTP 503); try again in a while"},
		"interrupted": {api(autoretouch.Transient, context.Canceled), 1, "hotfolder: interrupted"},
		"hung agent":  {control.ErrNoAnswer, 4, "hotfolder: the agent runs but does not answer; try again; if it stays so, look into its log and restart it"},
		"no job":      {store.ErrNotFound, 1, "hotfolder: no such job; 'hotfolder jobs' lists them"},
		"two lines":   {errors.Join(errors.New("a"), errors.New("b\x1b[2J")), 1, `hotfolder: a; b\x1b[2J`},
		"failed":      {&agent.Unfinished{Failed: 2}, 1, "hotfolder: 2 failed (see 'hotfolder jobs --state failed')"},
	} {
		if code := exitCode(c.err); code != c.code {
			t.Errorf("%s: exit %d, want %d", name, code, c.code)
		}
		lines := explain(c.err)
		if c.line == "" && len(lines) > 0 || c.line != "" && (len(lines) != 1 || lines[0] != c.line) {
			t.Errorf("%s: %q, want %q", name, lines, c.line)
		}
	}
}

func TestStatusText(t *testing.T) {
	balance := 1234
	today := time.Now().Local().Truncate(24 * time.Hour)
	s := agent.Status{
		Folders: []agent.FolderStatus{
			{Name: "shoes", State: "error", Counts: map[store.State]int{store.Queued: 12345, store.Failed: 1}},
			{Name: "bags\n", State: "ok", Counts: map[store.State]int{store.InQA: 2}},
		},
		Counts:   map[store.State]int{store.Queued: 12345, store.Failed: 1, store.InQA: 2},
		Account:  agent.AccountStatus{State: "out_of_credits", Balance: &balance, CreditsToday: 90},
		Agent:    agent.ProcessStatus{Running: true, Since: today.AddDate(0, 0, -3), Version: "1.2", PerHour: 3000},
		Troubles: []agent.Trouble{{Severity: agent.Error, Folder: "shoes", Text: "the input folder is not there", Mend: "connect it"}},
	}
	want := `agent    running since ` + s.Agent.Since.Format("2006-01-02 15:04") + `, version 1.2, 3,000 results in the last hour
account  out of credits, 1,234 credits, 90 spent today

FOLDER  STATE  QUEUED  IN QA  DELIVERED  FAILED
shoes   error  12,345  0      0          1
bags\n  ok     0       2      0          0
all            12,345  2      0          1

error   shoes: the input folder is not there
        mend: connect it

1 job failed: 'hotfolder jobs --state failed' says why, 'hotfolder retry' takes them up again
`
	var out bytes.Buffer
	if err := (&textPrinter{out: &out}).status(s); err != nil || out.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out.String(), want)
	}
	if hasColours(&out) {
		t.Error("a buffer has colours")
	}
}

// A name that is no UTF-8 can be read, and got back byte for byte.
func TestNamesInJSON(t *testing.T) {
	for name, want := range map[string]string{
		"Jäger.jpg":       `{"path":"Jäger.jpg"}`,
		`a\xff.jpg`:       `{"path":"a\\xff.jpg"}`,
		"a\xff\xe4/b.jpg": `{"path":"a\\xff\\xe4/b.jpg","path_base64":"Yf/kL2IuanBn"}`,
	} {
		var out bytes.Buffer
		if err := (&jsonPrinter{out: &out}).job(store.Job{Path: name}); err != nil {
			t.Fatal(err)
		}
		var got struct {
			Path   string `json:"path"`
			Base64 []byte `json:"path_base64,omitempty"`
		}
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if again, _ := json.Marshal(got); string(again) != want {
			t.Errorf("%q: %s, want %s", name, again, want)
		}
		if back := cmp.Or(string(got.Base64), got.Path); back != name {
			t.Errorf("%q comes back as %q", name, back)
		}
	}
}
