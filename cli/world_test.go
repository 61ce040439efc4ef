package cli

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"hotfolder/autoretouch"
	"hotfolder/control"
	"hotfolder/sandbox"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "--config" { // a drill runs its own program as the agent
		os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	for _, name := range []string{refreshTokenVariable, "AUTORETOUCH_ORGANIZATION_ID", "HOTFOLDER_CONFIG", "HTTP_PROXY", "http_proxy"} {
		os.Unsetenv(name)
	}
	os.Exit(m.Run())
}

// world is a studio: a folder with a configuration, and an account in a sandbox on loopback.
type world struct {
	t    *testing.T
	dir  string
	file string // the configuration
	box  *sandbox.Server
	url  string
}

const studioConfig = `account: {organization: %q}
api: {url: %[2]q, auth_url: %[2]q, timeout: 2s}
data_dir: data
folders:
  - {name: packshots, input: in/packshots, output: out/packshots, workflow: %[3]s, settle: 10ms, rescan: 200ms}
  - {name: website, input: in/website, output: out/website, workflow: %[4]s, settle: 10ms, rescan: 200ms}
polling: {min: 10ms, max: 50ms}
dashboard: {listen: ""}
`

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldWith(t, sandbox.Options{Credits: 1000, PassThrough: true, AutoConfirm: true})
}

func newWorldWith(t *testing.T, o sandbox.Options) *world {
	t.Helper()
	o.Dir = t.TempDir()
	box, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(box.Handler())
	t.Cleanup(func() {
		server.Close()
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, dir: t.TempDir(), box: box, url: server.URL}
	w.file = filepath.Join(w.dir, "hotfolder.yaml")
	w.configure(studioConfig)
	for _, dir := range []string{"in/packshots", "in/website", "out/packshots", "out/website"} {
		if err := os.MkdirAll(w.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *world) configure(format string) {
	text := fmt.Sprintf(format, sandbox.Organization, w.url, sandbox.PackshotWhite, sandbox.FastCheck)
	write(w.t, w.file, []byte(text))
}

func (w *world) path(slashed string) string { return filepath.Join(w.dir, filepath.FromSlash(slashed)) }

func (w *world) drop(names ...string) {
	w.t.Helper()
	for i, name := range names {
		content := photo(w.t, "coffee.jpg")
		if strings.HasSuffix(name, "bad.jpg") {
			content = []byte("no picture")
		}
		write(w.t, w.path("in/"+name), append(content, fmt.Sprint(i, name)...)) // each of its own content
	}
}

func (w *world) login() {
	w.t.Helper()
	saved := autoretouch.Token{Refresh: w.box.RefreshToken()}
	if err := (&autoretouch.File{Path: w.path("data/credentials.json")}).Save(saved); err != nil {
		w.t.Fatal(err)
	}
}

// result is what came of a command.
type result struct {
	code           int
	stdout, stderr string
}

func (w *world) run(args ...string) result { return w.runWith("", args...) }

func (w *world) runWith(stdin string, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := execute(w.t.Context(), append([]string{"--config", w.file}, args...), strings.NewReader(stdin), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// runBare runs a command that has to find its configuration.
func (w *world) runBare(args ...string) result {
	var stdout, stderr bytes.Buffer
	code := execute(w.t.Context(), args, strings.NewReader(""), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// want runs a command and checks its exit code, a pattern in its stdout, and its stderr, of which nothing else may be there.
func (w *world) want(code int, stdout, stderr string, args ...string) {
	w.t.Helper()
	w.check(w.run(args...), code, stdout, stderr, args)
}

func (w *world) check(got result, code int, stdout, stderr string, args []string) {
	w.t.Helper()
	if got.code != code || !regexp.MustCompile(stdout).MatchString(got.stdout) || !regexp.MustCompile("^"+stderr+"$").MatchString(got.stderr) {
		w.t.Errorf("hotfolder %s\nexit   %d, want %d\nstdout %s\nwant   %s\nstderr %s\nwant   %s",
			strings.Join(args, " "), got.code, code, got.stdout, stdout, got.stderr, stderr)
	}
}

// start runs the agent until stop is called, which returns what came of it.
func (w *world) start() (stop func() result) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	var stdout, stderr buffer
	ended := make(chan int, 1)
	go func() { ended <- execute(ctx, []string{"--config", w.file, "run"}, nil, &stdout, &stderr) }()
	stop = sync.OnceValue(func() result {
		cancel()
		return result{<-ended, stdout.String(), stderr.String()}
	})
	w.t.Cleanup(func() { stop() })
	w.await("the agent to answer", func() bool {
		client, err := control.Dial(w.t.Context(), w.path("data"))
		if err == nil {
			client.Close()
		}
		return err == nil
	})
	return stop
}

func (w *world) await(what string, is func() bool) {
	w.t.Helper()
	for began := time.Now(); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			w.t.Fatalf("waited in vain for %s", what)
		}
	}
}

func (w *world) awaitFile(slashed string) {
	w.t.Helper()
	w.await(slashed, func() bool { _, err := os.Stat(w.path(slashed)); return err == nil })
}

// buffer is a bytes.Buffer for two goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
