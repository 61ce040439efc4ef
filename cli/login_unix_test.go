//go:build unix

package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"hotfolder/autoretouch"
	"hotfolder/sandbox"
)

const newStudio = `account: {organization: ""} # %q
api: {url: %[2]q, auth_url: %[2]q, timeout: 2s}
data_dir: data
folders:
  # the first one
  - {name: packshots, input: in/packshots, output: out/packshots}
  - {name: website, input: in/website, output: out/website, workflow: %[4]s}
  - name: shoes
    input: in/shoes
    output: out/shoes
# %[3]s
`

// quick has device codes asked for every second, which expire after as many seconds as expiry says, if it says so.
func (w *world) quick(expiry func() int) {
	box := w.box.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/oauth/device/code" {
			box.ServeHTTP(rw, r)
			return
		}
		rec := httptest.NewRecorder()
		box.ServeHTTP(rec, r)
		var answer map[string]any
		if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil {
			w.t.Error(err)
		}
		answer["interval"] = 1
		if n := expiry(); n > 0 {
			answer["expires_in"] = n
		}
		rw.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(rw).Encode(answer)
	}))
	w.t.Cleanup(server.Close)
	w.url = server.URL
}

func never() int { return 0 }

// newStudioWorld is a studio that has nothing yet but the folders and an account, whose person has to confirm a login.
func newStudioWorld(t *testing.T) *world {
	w := newWorldWith(t, sandbox.Options{Credits: 1000, PassThrough: true})
	w.quick(never)
	w.configure(newStudio)
	return w
}

var userCode = regexp.MustCompile(`user_code=(\S+)`)

// code waits for the code that is shown.
func (x *terminal) code() string {
	x.t.Helper()
	x.expect("user_code=")
	x.expect("Waiting for you")
	codes := userCode.FindAllStringSubmatch(x.text(), -1)
	return codes[len(codes)-1][1]
}

func TestLoginAtATerminal(t *testing.T) {
	w := newStudioWorld(t)
	x := w.atTerminal("login")
	code := x.code()
	if err := w.box.ConfirmDevice(code); err != nil {
		t.Fatal(err)
	}
	x.expect("Logged in; kept in " + w.path("data/credentials.json"))
	x.expect("2  Sandbox Archive")
	x.answer("Which one pays?", "3")
	x.answer("Please answer with a number from 1 to 2.", "1")
	x.answer("Write Sandbox Studio into "+w.file+"? [Y/n]", "")
	x.expect("Sandbox Studio has 1,000 credits.")
	x.expect("2  Catalogue JPEG, 5 credits a picture")
	x.answer("Which one for the hot folder packshots?", "1")
	x.answer("Which one for the hot folder shoes?", "4")
	x.expect("Next: hotfolder --config " + w.file + " check")
	x.wantEnd(0)

	shown := x.text()
	if !strings.Contains(shown, bigCode(code)) || !strings.Contains(shown, qrCode(w.url+"/activate?user_code="+code, true)) {
		t.Errorf("the code is not large, or there is no QR code:\n%s", shown)
	}
	for _, line := range strings.Split(shown, "\n") {
		if plain := regexp.MustCompile("\x1b\\[[0-9;]*[mK]").ReplaceAllString(line, ""); len([]rune(plain)) > 80 && !strings.Contains(plain, w.dir) {
			t.Errorf("wider than the terminal: %q", plain)
		}
	}
	got, err := os.ReadFile(w.file)
	want := strings.NewReplacer(`""`, sandbox.Organization, "{name: packshots", "{workflow: "+sandbox.PackshotWhite+", name: packshots",
		"name: shoes\n", "name: shoes\n    workflow: "+sandbox.FastCheck+"\n", "%q", `"`+sandbox.Organization+`"`, "%[2]q", `"`+w.url+`"`,
		"%[3]s", sandbox.PackshotWhite, "%[4]s", sandbox.FastCheck).Replace(newStudio)
	if err != nil || string(got) != want {
		t.Errorf("%v, written\n%s\nwant\n%s", err, got, want)
	}
	w.want(0, `1,000 credits`, ``, "balance")

	x = w.atTerminal("login") // all is chosen now
	x.answer("logged in already. Log in anew? [y/N]", "")
	x.expect("Sandbox Studio has 1,000 credits.")
	x.wantEnd(0)
}

func TestLoginIsRefused(t *testing.T) {
	w := newStudioWorld(t)
	x := w.atTerminalWith(map[string]string{"NO_COLOR": "1"}, "login", "--no-browser")
	if err := w.box.DenyDevice(x.code()); err != nil {
		t.Fatal(err)
	}
	x.expect("hotfolder: the login was refused in the browser; run 'hotfolder login' to try again\n")
	x.wantEnd(3)
	if regexp.MustCompile("\x1b\\[[0-9;]*m").MatchString(x.text()) {
		t.Errorf("colours that are not wanted:\n%q", x.text())
	}
}

func TestLoginExpires(t *testing.T) {
	w := newStudioWorld(t)
	lives := []int{2, 900, 2}
	w.quick(func() int {
		life := lives[0]
		lives = lives[1:]
		return life
	})
	w.configure(newStudio)
	x := w.atTerminal("login")
	first := x.code()
	x.answer("The code has expired. Get a new one? [Y/n]", "maybe")
	x.answer("Please answer y or n.", "")
	second := x.code()
	if first == second {
		t.Errorf("the old code %s is shown again", first)
	}
	if err := w.box.ConfirmDevice(second); err != nil {
		t.Fatal(err)
	}
	x.expect("Logged in")
	x.expect("Which one pays?")
	x.stop() // Ctrl-C
	x.expect("hotfolder: interrupted")
	x.wantEnd(1)

	if err := os.Remove(w.path("data/credentials.json")); err != nil {
		t.Fatal(err)
	}
	w.want(3, `confirm  \S+\n\nWaiting until`, `hotfolder: nobody confirmed the code in time; run 'hotfolder login' for a new one\n`, "login")
}

func TestLoginOpensTheBrowser(t *testing.T) {
	if runtime.GOOS == "darwin" {
		t.Skip("would open a real one")
	}
	bin := t.TempDir()
	opened := filepath.Join(bin, "opened")
	w := newStudioWorld(t)
	for _, test := range []struct {
		name, opener string
		environment  map[string]string
		args         []string
		opens        bool
	}{
		{"on a desktop", "exit 0", map[string]string{"DISPLAY": ":0"}, nil, true},
		{"on Wayland", "exit 0", map[string]string{"WAYLAND_DISPLAY": "wayland-0"}, nil, true},
		{"without a browser", "exit 3", map[string]string{"DISPLAY": ":0"}, nil, false},
		{"over SSH", "exit 0", map[string]string{"DISPLAY": ":10", "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, nil, false},
		{"as root on another's desktop", "exit 0", map[string]string{"DISPLAY": ":0", "SUDO_UID": "1000"}, nil, false},
		{"not wanted", "exit 0", map[string]string{"DISPLAY": ":0"}, []string{"--no-browser"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			_ = os.Remove(opened)
			script := "#!/bin/sh\necho \"$@\" > " + opened + "\n" + test.opener + "\n"
			if err := os.WriteFile(filepath.Join(bin, "xdg-open"), []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
			w.t = t
			x := w.atTerminalWith(test.environment, append([]string{"login"}, test.args...)...)
			code := x.code()
			got, _ := os.ReadFile(opened)
			wasAsked := test.opens || test.opener == "exit 3"
			if want := w.url + "/activate?user_code=" + code + "\n"; (string(got) == want) != wasAsked {
				t.Errorf("opened %q", got)
			}
			if shows := strings.Contains(x.text(), "▀"); shows == test.opens {
				t.Errorf("QR code: %v\n%s", shows, x.text())
			}
			x.stop()
			x.wantEnd(1)
		})
	}
}

func TestLoginOfScripts(t *testing.T) {
	w := newStudioWorld(t)
	token := w.box.RefreshToken()
	login := func(code int, stdout, stderr string, more ...string) {
		t.Helper()
		args := append([]string{"login", "--refresh-token-stdin"}, more...)
		w.check(w.runWith(token, args...), code, stdout, stderr, args)
	}
	login(0, `(?s)Set account.organization in .*hotfolder.yaml to one of these, .*Sandbox Studio`, ``)
	login(2, `Logged in`, `hotfolder: the login is kept, but the account does not belong to the organization x; .*\n`, "--organization", "x")
	login(0, `(?s)Written into .*hotfolder.yaml\nSandbox Studio has 1,000 credits.\nSet the workflow of the hot folder packshots .*Packshot white`, ``, "--organization", sandbox.Organization)
	w.want(0, `1,000 credits`, ``, "balance")
	login(2, `Logged in`, `hotfolder: \S+ names another organization, `+sandbox.Organization+`; .*\n`, "--organization", sandbox.OtherOrganization)

	w.configure(strings.Replace(newStudio, `account: {organization: ""}`, "x: {}\naccount: {organization: \"\"}", 1))
	login(2, ``, `(?s).*x: unknown key.*`)
	w.configure(newStudio)
	if err := os.Chmod(w.dir, 0o555); err == nil && os.Geteuid() != 0 {
		login(2, `Logged in`, `hotfolder: the login is kept, but .* could not be changed .*; write into it yourself: account.organization: .*\n`, "--organization", sandbox.Organization)
	}
	_ = os.Chmod(w.dir, 0o755)
}

// The file stays whose it was, as open as it was, and where a link leads.
func TestConfigurationIsReplacedInItsPlace(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "real.yaml"), filepath.Join(dir, "link.yaml")
	write(t, file, []byte("old"))
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real.yaml", link); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(file, 1234, 1234); err != nil {
			t.Fatal(err)
		}
	}
	before, _ := os.Stat(file)
	if err := replaceFile(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(file)
	after, _ := os.Stat(file)
	if string(got) != "new" || after.Mode() != before.Mode() || ownerOf(after) != ownerOf(before) {
		t.Errorf("%q, %v of %d", got, after.Mode(), ownerOf(after))
	}
	if list, _ := os.ReadDir(dir); len(list) != 2 {
		t.Errorf("left over: %v", list)
	}
}

func TestLogout(t *testing.T) {
	w := newWorld(t)
	w.want(0, `^There was no login.\n$`, ``, "logout")
	w.login()
	w.want(0, `1,000 credits`, ``, "balance")
	saved, err := (&autoretouch.File{Path: w.path("data/credentials.json")}).Load()
	if err != nil {
		t.Fatal(err)
	}
	w.want(0, `^Logged out: the login is revoked and forgotten.\n$`, ``, "logout")
	if _, err := os.Stat(w.path("data/credentials.json")); err == nil {
		t.Error("the login is still there")
	}
	args := []string{"login", "--refresh-token-stdin"}
	w.check(w.runWith(saved.Refresh, args...), 3, `^$`, `hotfolder: AutoRetouch does not accept this refresh token; .*\n`, args)

	w.login()
	w.url = "http://127.0.0.1:1"
	w.configure(studioConfig)
	w.want(4, `^$`, `hotfolder: the login is forgotten here, but could not be revoked: AutoRetouch cannot be reached: no connection to 127.0.0.1:1 \(.*\); revoke it on .*\n`, "logout")
	if _, err := os.Stat(w.path("data/credentials.json")); err == nil {
		t.Error("the login is still there")
	}
}

// A running agent goes on by itself after a login by another process, also with nothing to send that would show it.
func TestRunningAgentTakesTheLoginUp(t *testing.T) {
	for _, name := range []string{"idle", "at work"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			stop := w.start()
			if name == "at work" {
				w.drop("packshots/a.jpg")
			}
			w.await("login_needed", func() bool { return strings.Contains(w.run("status", "--json").stdout, `"state":"login_needed"`) })
			args := []string{"login", "--refresh-token-stdin"}
			w.check(w.runWith(w.box.RefreshToken(), args...), 0, `Logged in`, ``, args)
			w.await("ok", func() bool {
				return strings.Contains(w.run("status", "--json").stdout, `"account":{"state":"ok","balance":`)
			})
			if name == "at work" {
				w.awaitFile("out/packshots/a.jpg")
			}
			w.want(0, `revoked`, ``, "logout")
			w.drop("packshots/b.jpg")
			w.await("login_needed again", func() bool { return strings.Contains(w.run("status", "--json").stdout, `"state":"login_needed"`) })
			w.login()
			w.await("the second picture", func() bool { return len(filesIn(t, w.path("out/packshots"))) > 0 })
			stop()
		})
	}
}

// What root logs in for is the service's to read, whose user owns the data folder.
func TestRootLogsInForTheService(t *testing.T) {
	const service = 54321
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	w := newStudioWorld(t)
	if err := errors.Join(os.Chmod(filepath.Dir(w.dir), 0o755), os.Mkdir(w.path("data"), 0o700), os.Chmod(w.path("in/website"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(w.path("data"), service, service); err != nil {
		t.Fatal(err)
	}
	args := []string{"login", "--refresh-token-stdin", "--organization", sandbox.Organization}
	w.check(w.runWith(w.box.RefreshToken(), args...), 0, `Logged in`, ``, args)
	w.want(0, `1,000`, ``, "balance") // which may have renewed it
	for _, file := range []string{"data/credentials.json", "hotfolder.yaml"} {
		info, err := os.Stat(w.path(file))
		if err != nil || file == "data/credentials.json" && ownerOf(info) != service || file == "hotfolder.yaml" && ownerOf(info) != 0 {
			t.Errorf("%s: %v, of %d", file, err, ownerOf(info))
		}
	}
	if got := w.runAs(service, "balance"); got.code != 0 || !strings.Contains(got.stdout, "1,000 credits") {
		t.Errorf("the service: %+v", got)
	}

	const somebody = service + 1 // is told why, and what to do
	for command, want := range map[string]result{
		"status":  {4, "", "hotfolder: only the user whom the agent runs as, or root, may ask it: " + w.path("data") + " is closed to you\n"},
		"balance": {1, "", "hotfolder: cannot read login: " + w.path("data/credentials.json") + ": permission denied; be the user whom the agent runs as (or root)\n"},
		"logout":  {1, "", "hotfolder: cannot forget login: " + w.path("data/credentials.json") + ": permission denied; be the user whom the agent runs as (or root)\n"},
	} {
		if got := w.runAs(somebody, command); got != want {
			t.Errorf("%s: %+v, want %+v", command, got, want)
		}
	}
	for _, want := range []string{
		"error   data_dir " + w.path("data") + ": permission denied\n        mend: give the user whom the agent runs as the right to write there, and check as that user\n",
		"error   packshots: output " + w.path("out/packshots") + ": permission denied\n        mend: give the user",
		"error   website: input " + w.path("in/website") + " may not be read\n        mend: give the user",
	} {
		if got := w.runAs(somebody, "check"); got.code != 2 || !strings.Contains(got.stdout, want) {
			t.Errorf("check: %+v, want %s", got, want)
		}
	}
	w.want(2, `(?m)^warning you are root, but data_dir belongs to #54321, `, `(?s).*`, "check") // a folder has no workflow
}

// runAs runs a command as another user.
func (w *world) runAs(user uint32, args ...string) result {
	w.t.Helper()
	program := w.path("hotfolder")
	if _, err := os.Stat(program); err != nil { // the test itself: see TestMain
		self, err := os.Executable()
		if err != nil {
			w.t.Fatal(err)
		}
		data, err := os.ReadFile(self)
		if err == nil {
			err = os.WriteFile(program, data, 0o755)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	c := exec.Command(program, append([]string{"--config", w.file}, args...)...)
	var stdout, stderr bytes.Buffer
	c.Dir, c.Stdout, c.Stderr = w.dir, &stdout, &stderr
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	if err := c.Run(); c.ProcessState == nil {
		w.t.Fatal(err)
	}
	return result{c.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func TestBigCode(t *testing.T) {
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-" {
		if lines := strings.Split(bigCode(string(c)), "\n"); len(lines) != 6 {
			t.Errorf("%c has %d lines", c, len(lines))
		}
	}
	for _, code := range []string{"", "abc", "ABCD EFGH", "Ä", "ABCDEFGHIJKLM"} {
		if big := strings.Trim(bigCode(code), "\n"); big != "" {
			t.Errorf("%q: %q", code, big)
		}
	}
}

func ownerOf(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

// Nor does a terminal show a token.
func TestNoTokenIsToldAtATerminal(t *testing.T) {
	w := newWorld(t)
	tap := &wiretap{box: w.box.Handler(), tokens: map[string]string{}}
	server := httptest.NewServer(tap)
	t.Cleanup(server.Close)
	w.url = server.URL
	w.configure(newStudio)
	x := w.atTerminal("login")
	x.answer("Which one pays?", "1")
	x.answer("Write Sandbox Studio into", "n")
	x.expect("Then write it yourself, as account.organization: " + sandbox.Organization)
	x.answer("Which one for the hot folder packshots?", "1")
	x.answer("Which one for the hot folder shoes?", "2")
	x.wantEnd(0)
	y := w.atTerminal("logout")
	y.expect("Logged out")
	y.wantEnd(0)
	if len(tap.tokens) < 3 {
		t.Errorf("only %d tokens went by", len(tap.tokens))
	}
	tap.wantUntold(t, "the terminal", []byte(x.text()+y.text()))
	tap.wantUntoldIn(t, w.dir)
}
