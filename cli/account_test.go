package cli

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"hotfolder/config"
	"hotfolder/sandbox"
	"hotfolder/store"
)

func TestAccount(t *testing.T) {
	w := newWorld(t)
	w.want(3, `^$`, `hotfolder: not logged in; run 'hotfolder login'\n`, "balance")
	w.want(3, `^$`, `hotfolder: not logged in; run 'hotfolder login'\n`, "workflows", "--json")
	w.login()
	w.want(0, `^1,000 credits\n$`, ``, "balance")
	w.want(0, `^\{"balance":1000\}\n$`, ``, "balance", "--json")
	w.want(0, `(?m)^`+sandbox.PackshotWhite+` +Packshot white +10 `, ``, "workflows")
	w.want(0, `^\[\{"id":"`+sandbox.PackshotWhite+`","version":"[^"]+","name":"Packshot white",.*"price":10\}`, ``, "workflows", "--json")
	w.want(0, `(?m)^`+sandbox.Organization+` +Sandbox Studio$`, ``, "organizations")
	w.want(0, `^\[\{"id":"`+sandbox.Organization+`","name":"Sandbox Studio"\},`, ``, "organizations", "--json")

	w.box.RevokeTokens()
	w.box.RevokeRefreshTokens()
	w.want(3, `^$`, `hotfolder: .*; run 'hotfolder login'\n`, "balance")
	t.Setenv(refreshTokenVariable, "wrong")
	w.want(3, `^$`, `hotfolder: .*; put a valid token into AUTORETOUCH_REFRESH_TOKEN, .*\n`, "balance")
	t.Setenv(refreshTokenVariable, w.box.RefreshToken())
	w.want(0, `1,000 credits`, ``, "balance")

	w.configure(strings.Replace(studioConfig, "%q", "nobody", 1) + "# %[1]s\n")
	w.want(2, `^$`, `hotfolder: .*; check account.organization .*\n`, "balance")
	w.url = "http://127.0.0.1:1"
	w.configure(studioConfig)
	w.want(4, `^$`, `hotfolder: .*; check the network and api.url, then try again\n`, "balance")
}

func TestLogin(t *testing.T) {
	w := newWorld(t)
	token := w.box.RefreshToken()
	with := func(stdin string, code int, stdout, stderr string) {
		t.Helper()
		args := []string{"login", "--refresh-token-stdin"}
		w.check(w.runWith(stdin, args...), code, stdout, stderr, args)
	}
	with("", 2, `^$`, `hotfolder: standard input holds no refresh token; .*\n`)
	with("wrong\n", 3, `^$`, `hotfolder: AutoRetouch does not accept this refresh token; .*\n`)
	if _, err := os.Stat(w.path("data/credentials.json")); err == nil {
		t.Error("a wrong token was kept")
	}
	with(token+"\r\n", 0, `^Logged in; kept in .*credentials.json\nSandbox Studio has 1,000 credits.\n$`, ``)
	w.want(0, `1,000 credits`, ``, "balance")

	w.configure(strings.Replace(studioConfig, "%q", `""`, 1) + "# %[1]s\n")
	with(token, 0, `(?s)Set account.organization .*`+sandbox.Organization, ``)
	t.Setenv(refreshTokenVariable, token)
	with(token, 0, `Logged in`, `hotfolder: AUTORETOUCH_REFRESH_TOKEN is set .*\n`)
}

// The sandbox confirms at the first poll, which comes after the 5 s of its interval: this only sees that the code is shown and
// that an interrupt ends the waiting.
func TestLoginShowsTheCode(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr buffer
	ended := make(chan int, 1)
	go func() { ended <- execute(ctx, []string{"--config", w.file, "login"}, nil, &stdout, &stderr) }()
	w.await("the code", func() bool { return strings.Contains(stdout.String(), "Waiting until") })
	cancel()
	if code := <-ended; code != 1 || !strings.Contains(stdout.String(), w.url+"/activate?user_code=") || stderr.String() != "hotfolder: interrupted\n" {
		t.Errorf("exit %d, %s%s", code, stdout.String(), stderr.String())
	}
}

func TestSandboxCommand(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr buffer
	ended := make(chan int, 1)
	go func() {
		ended <- execute(ctx, []string{"sandbox", "--listen", "127.0.0.1:0", "--credits", "7", "--fault", "fail=1", "--fault", "tooMany={count: 2, at: [GET /v1/organization/balance]}"}, nil, &stdout, &stderr)
	}()
	w := &world{t: t, dir: t.TempDir()}
	w.file = w.path("hotfolder.yaml")
	w.await("the introduction", func() bool { return strings.Contains(stdout.String(), "hotfolder run\n") })
	text := stdout.String()
	snippet := text[strings.Index(text, "account:"):strings.Index(text, "Then log in")]
	write(t, w.file, []byte(snippet))
	token := strings.Fields(text[strings.Index(text, "echo "):])[1]
	w.check(w.runWith(token, "login", "--refresh-token-stdin"), 0, `Logged in`, `hotfolder: the credits of Sandbox Studio are not known now: .*\n`, []string{"login"})
	w.want(4, `^$`, `hotfolder: AutoRetouch does not answer as it should \(HTTP 429: .*\); try again in a while\n`, "balance")
	w.want(0, `^7 credits\n$`, ``, "balance")
	cancel()
	if code := <-ended; code != 0 || stderr.String() != "" {
		t.Errorf("exit %d, %s", code, stderr.String())
	}
}

func TestParseFaults(t *testing.T) {
	f, err := parseFaults([]string{"latency=250ms", "dropAfter=0.5", "truncate={count: 2, at: [x]}", "failTimes=3", "rotateRefreshTokens=true"})
	if err != nil || f.Latency != 250*time.Millisecond || f.DropAfter.P != 0.5 || f.Truncate.Count != 2 || f.FailTimes != 3 || !f.RotateRefreshTokens {
		t.Errorf("%+v, %v", f, err)
	}
	for _, wrong := range []string{"", "=", "latency", "latency=", "latency=1h}, x: {", "Latency=1s", "dropAfter=often", "dropAfter={q: 1}"} {
		if f, err := parseFaults([]string{wrong}); err == nil {
			t.Errorf("%q is taken for %+v", wrong, f)
		}
	}
}

func TestSelection(t *testing.T) {
	c := &config.Config{Folders: []config.Folder{{Name: "a", Input: t.TempDir()}, {Name: "b", Input: t.TempDir()}}}
	for name, s := range map[string]struct {
		is   selection
		want store.Filter
	}{
		"nothing":       {selection{}, store.Filter{}},
		"relative":      {selection{path: "x/./y/"}, store.Filter{Path: "x/y"}},
		"absolute":      {selection{path: c.Folders[1].Input + "/x/y.jpg"}, store.Filter{Folder: "b", Path: "x/y.jpg"}},
		"a whole input": {selection{path: c.Folders[0].Input}, store.Filter{Folder: "a"}},
		"state":         {selection{state: "in_qa", folder: "b"}, store.Filter{State: store.InQA, Folder: "b"}},
	} {
		if got, err := s.is.filter(c); err != nil || got != s.want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, s.want)
		}
	}
	for _, wrong := range []selection{{path: c.Folders[0].Input + "-not"}, {folder: "a", path: c.Folders[1].Input}} {
		if got, err := wrong.filter(c); err == nil {
			t.Errorf("%+v is taken for %+v", wrong, got)
		}
	}
}

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 11, 23, 18, 0, 0, 0, time.Local)
	for s, want := range map[string]time.Time{
		"12h":                  now.Add(-12 * time.Hour),
		"1h30m":                now.Add(-90 * time.Minute),
		"18:00":                now,
		"18:01":                now.AddDate(0, 0, -1).Add(time.Minute),
		"2026-11-22":           time.Date(2026, 11, 22, 0, 0, 0, 0, time.Local),
		"2026-11-22T10:00:00Z": time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
	} {
		if got, err := parseTime("--since", s, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v; want %v", s, got, err, want)
		}
	}
	for _, wrong := range []string{"-1h", "12", "tomorrow", "2026-13-01", "22.11.2026", "", "25:00"} {
		if got, err := parseTime("--since", wrong, now); err == nil {
			t.Errorf("%q is taken for %v", wrong, got)
		}
	}
}
