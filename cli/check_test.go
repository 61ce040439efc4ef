package cli

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/sandbox"
)

// A ledger that opens may still be damaged in a row that nobody has met: check reads them all.
func TestCheckReadsTheWholeLedger(t *testing.T) {
	w := newWorld(t)
	w.login()
	w.drop("packshots/first.jpg", "packshots/second.jpg", "packshots/third.jpg")
	w.want(0, `3 delivered`, `(?s).*`, "run", "--once")
	w.want(0, `ok      ledger .*ledger.db is whole`, ``, "check")
	ledger := w.path("data/ledger.db")
	data, err := os.ReadFile(ledger)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.ReplaceAll(data, []byte("first.jpg"), []byte("f1rst.jpg"))
	if bytes.Equal(data, damaged) {
		t.Fatal("the ledger does not hold the name in plain bytes: damage it in another way")
	}
	if err := os.WriteFile(ledger, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	w.want(1, `(?m)^error   .*damaged`, `hotfolder: check found 1 error, named above\n`, "check")
}

func TestCheck(t *testing.T) {
	w := newWorld(t)
	w.want(3, `(?m)^error   login: not logged in\n        mend: run 'hotfolder login'\nwarning not checked: organization, balance and workflows\n        mend: log in first$`, `hotfolder: check found 1 error, named above\n`, "check")
	w.login()
	w.want(0, `(?s)^ok      configuration .*ok      no agent runs\n.*ok      there is no ledger yet.*ok      AutoRetouch answers at http.*ok      login is accepted\n`+
		`ok      organization Sandbox Studio\nok      balance: 1,000 credits\nok      packshots: workflow Packshot white, 10 credits a picture\n`+
		`.*packshots: input .*website: output .*: wrote, renamed and deleted a file, .* free\n.*\n\nEverything is in place. Next: hotfolder --config \S+ run\n$`, ``, "check")
	stop := w.start()
	w.want(0, `(?s)ok      the agent runs \(process id \d+\)\n.*ok      ledger \S+ is in use by the agent.*\nEverything is in place.\n$`, ``, "check")
	stop()
	w.want(0, `ok      ledger .*ledger.db`, ``, "check")

	w.box.SetCredits(0)
	if err := os.Remove(w.path("in/packshots")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(w.path("out/website")); err != nil {
		t.Fatal(err)
	}
	w.configure(strings.Replace(studioConfig, "%[4]s", "no-such-workflow", 1) + "# %[4]s\n")
	got := w.run("check", "--json")
	var doc struct{ Checks []finding }
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || got.code != 2 || got.stderr != "hotfolder: check found 4 errors, named above\n" {
		t.Errorf("exit %d, %v: %s%s", got.code, err, got.stdout, got.stderr)
	}
	var levels []string
	for _, f := range doc.Checks {
		if f.Level != levelOK {
			levels = append(levels, f.Level+" "+f.What)
			if f.Mend == "" {
				t.Errorf("no mend for %s", f.What)
			}
		}
	}
	wantIn := []string{"error the account is out of credits", "error website: there is no workflow no-such-workflow",
		"error packshots: input " + w.path("in/packshots") + " is not there", "error website: output " + w.path("out/website") + " is not there"}
	for _, want := range wantIn {
		if !strings.Contains(strings.Join(levels, "\n"), want) {
			t.Errorf("%q is missing in %q", want, levels)
		}
	}
	if left := filesIn(t, w.dir); strings.Contains(strings.Join(left, " "), "hotfolder-check") {
		t.Errorf("left behind: %v", left)
	}

	write(t, w.file, []byte("polling: {min: soon}\n"))
	w.want(2, `^error   .*hotfolder.yaml:1:1: folders: .*\nerror   .*hotfolder.yaml:1:1: account.organization: .*\nerror   .*hotfolder.yaml:1:16: .*\n`+
		`warning not checked: all else\n        mend: mend the configuration first\n$`, `hotfolder: check found 3 errors, named above\n`, "check")
}

// Each thing that can be wrong is said in its own line, with its level, its mend and the exit code of the gravest.
func TestCheckFinds(t *testing.T) {
	config := func(old, new string) func(*world) {
		return func(w *world) { w.configure(strings.Replace(studioConfig, old, new, 1) + "# %[4]s\n") }
	}
	loginInAFile := exitFailed
	if runtime.GOOS == "windows" { // where what would be below a file is just not there
		loginInAFile = exitLogin
	}
	for _, test := range []struct {
		name  string
		spoil func(*world)
		code  int
		want  string // the level, what and its mend
	}{
		{"a day's limit below a price", config("polling:", "limits: {credits_per_day: 5}\npolling:"), 0,
			`warning packshots: limits.credits_per_day, 5, does not allow for one picture, which costs 10\n        mend: raise`},
		{"too few credits", func(w *world) { w.box.SetCredits(9) }, 0,
			`warning packshots: the balance does not pay for one picture: 9 credits, and a picture costs 10\n        mend: buy credits`},
		{"no credits", func(w *world) { w.box.SetCredits(0) }, 1, `error   the account is out of credits\n        mend: buy credits`},
		{"no organization", config("organization: %q", "organization: ''}\n# {%[1]q"), 2,
			`(?s)error   .*account.organization: is missing; 'hotfolder login' lets you choose.*warning not checked: balance and workflows\n        mend: choose the organization first`},
		{"a foreign organization", config("organization: %q", "organization: x}\n# {%[1]q"), 2,
			`error   the account does not belong to the organization x\n        mend: .*\nwarning not checked: balance and workflows\n`},
		{"no login", func(w *world) { w.want(0, ``, ``, "logout") }, 3, `error   login: not logged in\n        mend: run 'hotfolder login'\nwarning not checked: organization, balance and workflows`},
		{"a login that ended", func(w *world) { w.box.RevokeTokens(); w.box.RevokeRefreshTokens() }, 3, `error   login: AutoRetouch does not accept the login \(.*\)\n        mend: run 'hotfolder login'`},
		{"no network", func(w *world) { w.url = "http://127.0.0.1:1"; w.configure(studioConfig) }, 4,
			`error   http://127.0.0.1:1: AutoRetouch cannot be reached: no connection to 127.0.0.1:1 \(.*\)\n        mend: check the network and api.url, then try again\nwarning not checked: clock, login, balance and workflows\n`},
		{"an ill API", func(w *world) { w.box.SetFaults(sandbox.Faults{ServerError: sandbox.Chance{P: 1}}) }, 4,
			`error   http\S+: AutoRetouch does not answer as it should \(HTTP 50.*\)\n        mend: try again in a while\n`},
		{"an input that is a file", func(w *world) { w.remove("in/website"); write(w.t, w.path("in/website"), nil) }, 1,
			`error   website: input \S+ is a file, not a folder\n        mend: name the folder`},
		{"an output that is a file", func(w *world) { w.remove("out/website"); write(w.t, w.path("out/website"), nil) }, 1,
			`error   website: output \S+: \S+ is a file, not a folder\n        mend: name another folder`},
		{"a file above the output", func(w *world) {
			w.remove("out")
			write(w.t, w.path("out"), nil)
		}, 1, `error   website: output \S+website.* \S+out is a file, not a folder\n        mend: name another folder`},
		{"a data folder that is a file", func(w *world) { w.remove("data"); write(w.t, w.path("data"), nil) }, loginInAFile, `error   data_dir \S+: \S+ is a file, not a folder\n        mend: .*\nwarning not checked: ledger\n`},
		{"a report without its folder", config("polling:", "report: {daily: '07:00', to: reports}\npolling:"), 1,
			`error   report.to \S+reports is not there\n        mend: create it`},
		{"no password for the mail", config("polling:", "mail: {server: 'a.example:587', from: a@b.example, user: a, password_file: secret}\npolling:"), 1,
			`error   mail.password_file: .*secret.*\n        mend: put the password there`},
		{"an input that another agent works on", func(w *world) {
			lock := `{"host":"studio-2","pid":7,"owner":"/var/lib/hotfolder","token":"x"}`
			write(w.t, w.path("in/website/.hotfolder-lock"), []byte(lock))
		}, 1, `error   website: input \S+: another agent works on this folder: computer "studio-2", process 7, .*\n        mend: stop one of the two`},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.login()
			test.spoil(w)
			got := w.run("check")
			if got.code != test.code || !regexp.MustCompile("(?m)"+test.want).MatchString(got.stdout) {
				t.Errorf("exit %d, want %d\n%s%s\nwant %s", got.code, test.code, got.stdout, got.stderr, test.want)
			}
			if strings.Contains(strings.Join(filesIn(t, w.dir), " "), "hotfolder-check") {
				t.Error("a file is left")
			}
		})
	}
}

func (w *world) remove(slashed string) {
	w.t.Helper()
	if err := os.RemoveAll(w.path(slashed)); err != nil {
		w.t.Fatal(err)
	}
}

// What the agent would not touch, since a share that it knew is away, is not in place, though a folder is there.
func TestCheckOfABareMountPoint(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there the path of a share that is away is missing")
	}
	for _, test := range []struct{ what, dir string }{{"input", "in/website"}, {"output", "out/website"}, {"processed", "processed"}} {
		w := newWorld(t)
		w.configure(strings.Replace(studioConfig, "name: website,", "name: website, after_success: move, processed: processed,", 1))
		w.login()
		w.want(0, `Everything is in place`, ``, "check")
		dir, err := filepath.EvalSymlinks(w.dir)
		if err != nil {
			t.Fatal(err)
		}
		known, err := json.Marshal(map[string]string{w.path(test.dir): dir})
		if err != nil {
			t.Fatal(err)
		}
		write(t, w.path("data/mounts.json"), known)
		w.want(1, `(?m)^error   website: `+test.what+` \S+: nothing is mounted at \S+\n        mend: connect the share or disk$`, `hotfolder: check found \d errors?, named above\n`, "check")
	}
}

// Clocks are compared with the API's.
func TestCheckComparesClocks(t *testing.T) {
	w := newWorld(t)
	w.login()
	box := w.box.Handler()
	for off, want := range map[time.Duration]string{
		-time.Hour: `warning this machine's clock is 1h0m[01]s ahead of AutoRetouch's\n        mend: set this machine's clock`,
		time.Hour:  `warning this machine's clock is (1h0m0s|59m59s) behind AutoRetouch's\n        mend: set this machine's clock`,
		0:          `ok      this machine's clock agrees with AutoRetouch's\n`,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
			box.ServeHTTP(rw, r)
		}))
		defer server.Close()
		w.url = server.URL
		w.configure(studioConfig)
		w.want(0, want, ``, "check")
	}
}

// What the running agent says is wrong is said, too.
func TestCheckAsksTheAgent(t *testing.T) {
	w := newWorld(t)
	stop := w.start()
	w.await("the agent to miss the login", func() bool {
		return strings.Contains(w.run("check").stdout, "error   the agent says: AutoRetouch does not accept the login\n        mend: run 'hotfolder login'")
	})
	stop()
}

// A folder whose file system hangs is told, once its time is up, and not looked at again; nothing of the look is told later.
func TestCheckLeavesAFolderThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var found []finding
		k := &checker{print: func(f finding) error { found = append(found, f); return nil }}
		hang := make(chan struct{})
		for range 2 {
			if k.at("packshots: input", "/share", func(k *checker) bool { <-hang; k.ok("late"); return true }) {
				t.Error("all is well")
			}
		}
		began := time.Now()
		if !k.at("packshots: output", "/slow", func(k *checker) bool {
			for range 100 {
				time.Sleep(time.Second)
				k.alive()
			}
			k.warn("make room", "only little free")
			return true
		}) {
			t.Error("slow is taken for silent")
		}
		if took := time.Since(began); took != 100*time.Second {
			t.Errorf("took %v", took)
		}
		close(hang)
		synctest.Wait()
		away := finding{levelError, "packshots: input /share does not answer", toMendSilence}
		if want := []finding{away, away, {levelWarning, "only little free", "make room"}}; !slices.Equal(found, want) {
			t.Errorf("found %q", found)
		}
		if len(k.codes) != 2 || k.warnings != 1 {
			t.Errorf("codes %v, %d warnings", k.codes, k.warnings)
		}
	})
}
