package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hotfolder/notify"
)

// listener is a webhook that people read.
type listener struct {
	mu   sync.Mutex
	said []notify.Message
}

func (l *listener) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var m notify.Message
	data, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(data, &m)
	l.said = append(l.said, m)
}

func (l *listener) heard(event string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.said {
		if m.Event == event {
			n++
		}
	}
	return n
}

func TestNotificationsOfARunningAgent(t *testing.T) {
	w := newWorld(t)
	people := &listener{}
	server := httptest.NewServer(people)
	t.Cleanup(server.Close)
	w.configure(studioConfig + "notify: {url: " + server.URL + "/T0SECRET}\nlog: {level: debug}\n")
	w.drop("packshots/a.jpg")
	stop := w.start()
	w.await("the call for a login", func() bool { return people.heard("login_needed") == 1 })
	got := stop()
	if got.code != 0 || strings.Contains(got.stderr, "T0SECRET") {
		t.Errorf("run: exit %d, %s", got.code, got.stderr)
	}
	w.start()()
	w.want(3, `(?s).*`, `(?s).*`, "run", "--once") // leaves that to its caller
	if n := people.heard("login_needed"); n != 1 {
		t.Errorf("told %d times", n)
	}
}

func TestTheDailyReportOfARunningAgent(t *testing.T) {
	w := newWorld(t)
	w.login()
	w.drop("packshots/shoes/a.jpg", "website/bad.jpg")
	w.want(1, `(?s).*`, `(?s).*`, "run", "--once")
	due := time.Now().Truncate(time.Minute)
	w.configure(studioConfig + "report: {daily: \"" + due.Format("15:04") + "\", to: reports}\n")
	since, err := json.Marshal(map[string]time.Time{"until": due.AddDate(0, 0, -2)})
	if err != nil {
		t.Fatal(err)
	}
	write(t, w.path("data/report.json"), since)
	stop := w.start()
	w.await("the trouble that there is no folder", func() bool { return strings.Contains(w.run("status").stdout, "the daily report cannot be written") })
	stop()
	if err := os.Mkdir(w.path("reports"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 { // once
		stop = w.start()
		name := "reports/hotfolder-" + due.Format(time.DateOnly) + ".html"
		w.awaitFile(name)
		page, err := os.ReadFile(w.path(name))
		if err != nil || !strings.Contains(string(page), "Folders and orders") {
			t.Errorf("%v: %s", err, page)
		}
		stop()
	}
	if files, _ := filepath.Glob(w.path("reports/*")); len(files) != 1 {
		t.Errorf("the folder has %q", files)
	}
}

func TestTheStatusFileOfARunningAgent(t *testing.T) {
	w := newWorld(t)
	w.login()
	w.configure(strings.Replace(studioConfig, "output: out/packshots,", "output: out/packshots, status_file: true, include: [\"*\"],", 1))
	w.drop("packshots/a.jpg", "packshots/bad.jpg")
	stop := w.start()
	w.awaitFile("out/packshots/a.jpg")
	page := func() string {
		data, _ := os.ReadFile(w.path("in/packshots/_STATUS.html"))
		return string(data)
	}
	w.awaitFile("in/packshots/_STATUS.html")
	if got := stop(); got.code != 0 {
		t.Errorf("run: exit %d, %s", got.code, got.stderr)
	}
	if text := page(); !strings.Contains(text, "Stopped.") || !strings.Contains(text, "bad.jpg") || !strings.Contains(text, `Done today<td class="n good">1<`) {
		t.Error(text)
	}
	if _, err := os.Stat(w.path("in/website/_STATUS.html")); err == nil {
		t.Error("website has a page, too")
	}
	if jobs := w.run("jobs").stdout; !strings.Contains(jobs, "a.jpg") || strings.Contains(jobs, "STATUS") {
		t.Error(jobs)
	}
	write(t, w.path("in/website/_STATUS.html"), []byte("a person's"))
	w.configure(studioConfig) // turned off
	stop = w.start()
	w.await("the page to go", func() bool { return page() == "" })
	stop()
	if _, err := os.Stat(w.path("in/website/_STATUS.html")); err != nil {
		t.Error(err)
	}
}
