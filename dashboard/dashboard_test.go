package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/agent"
	"hotfolder/store"
)

// studio is an agent of which the test says how it fares.
type studio struct {
	mu      sync.Mutex
	status  agent.Status
	jobs    []store.Job
	err     error
	minutes [60]int
	retried []agent.RetryRequest
}

func (s *studio) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *studio) Status(context.Context) (agent.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status, s.err
}

func (s *studio) Latest(_ context.Context, state store.State, most int) (jobs []store.Job, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		if (state == "" || j.State == state) && len(jobs) < most {
			jobs = append(jobs, j)
		}
	}
	return jobs, s.err
}

func (s *studio) Retry(_ context.Context, r agent.RetryRequest) (agent.Retried, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retried = append(s.retried, r)
	return agent.Retried{Jobs: 1}, s.err
}

func (s *studio) PerMinute() [60]int { return s.minutes }

// nasty is what a folder or file may be called by somebody who means ill.
var nasty = []string{
	`<script>hacked = 1</script>`, `"><img src=x onerror="hacked = 1">`, `' onmouseover='hacked = 1`, `</style></script><script>hacked = 1</script>`,
	"{{.Token}}", "\u202egpj.exe", "a\x00b\x1b[31m\r\nSet-Cookie: x", "bad\xff\xfe", "javascript:hacked=1", strings.Repeat("long", 60),
	"衣装 写真 🧥", "صورة المنتج", "<!--", "]]>", "${hacked=1}",
}

// busy is a studio with many folders, all called nastily, troubles and failures.
func busy(folders int) *studio {
	now := time.Now()
	balance := 12345
	s := &studio{status: agent.Status{
		Counts:  map[store.State]int{},
		Account: agent.AccountStatus{State: "ok", Balance: &balance, CreditsToday: 678},
		Agent:   agent.ProcessStatus{Running: true, Since: now.Add(-50 * time.Hour), Version: "1.2.3", PerHour: 412, Delivered: 9000, Failed: 3},
		Troubles: []agent.Trouble{
			{Code: agent.LoginNeeded, Severity: agent.Error, Text: "AutoRetouch does not accept the login", Mend: "run 'hotfolder login'; the queue is kept and goes on by itself", Since: now.Add(-20 * time.Minute)},
			{Code: agent.InputEvents, Severity: agent.Warning, Folder: nasty[0], Text: "the system reports no changes in the input folder: " + nasty[1], Mend: nasty[3], Since: now.Add(-time.Hour)},
		},
	}}
	for i := range folders {
		name := fmt.Sprintf("%s %d", nasty[i%len(nasty)], i)
		counts := map[store.State]int{store.Delivered: 1000 * i, store.Processing: 20, store.Queued: 300, store.InQA: i % 3, store.Failed: i % 4}
		f := agent.FolderStatus{
			Name: name, State: "ok", Counts: counts,
			Progress: &agent.Progress{Since: now.Add(-time.Hour), Delivered: 40 * i, Failed: i % 4, Waiting: 320, SecondsLeft: 60 * i},
		}
		if i%5 == 1 {
			f.State, f.Problem = "error", "the input folder cannot be reached: connect the share or disk; it goes on by itself"
		}
		s.status.Folders = append(s.status.Folders, f)
		for state, n := range counts {
			s.status.Counts[state] += n
		}
		s.jobs = append(s.jobs,
			job(store.Failed, "packshots", fmt.Sprintf("%s/%s-%d.jpg", nasty[(i+3)%len(nasty)], nasty[i%len(nasty)], i), now, "the picture is cut short "+nasty[i%len(nasty)]),
			job(store.Delivered, name, fmt.Sprintf("order %d/IMG_%04d.jpg", i, i), now, ""))
	}
	for i := range s.minutes {
		s.minutes[i] = (i * i) % 17
	}
	return s
}

func job(state store.State, folder, path string, at time.Time, why string) store.Job {
	return store.Job{
		ID: store.NewID(folder, path, ""), Folder: folder, Path: path, State: state, Error: why,
		History: []store.Event{{State: state, Time: at}},
	}
}

// handler is the page without what control puts before it.
func handler(a Agent, password string) http.Handler {
	mux := http.NewServeMux()
	New(a, password).Serve(mux.Handle)
	return mux
}

func ask(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func get(path, password string) *http.Request {
	r := httptest.NewRequest("GET", path, nil)
	if password != "" {
		r.SetBasicAuth("anybody", password)
	}
	return r
}

func post(form url.Values, password string) *http.Request {
	r := httptest.NewRequest("POST", "/retry", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if password != "" {
		r.SetBasicAuth("anybody", password)
	}
	return r
}

func TestPageTellsHowItGoes(t *testing.T) {
	s := busy(2)
	got := ask(handler(s, ""), get("/", "")).Body.String()
	for _, want := range []string{
		"1 thing to mend", "AutoRetouch does not accept the login", "run &#39;hotfolder login&#39;", ">12,345<", "678 spent today", ">412<",
		"41 of 361", "about 1m left", "the picture is cut short", "order 1/IMG_0001.jpg",
		"1.2.3", "hotfolder retry --all",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not on the page:\n%s", want, got)
		}
	}
	s.status.Troubles = s.status.Troubles[1:]
	if got := ask(handler(s, ""), get("/", "")).Body.String(); !strings.Contains(got, "1 warning") {
		t.Error("a warning does not show")
	}
	idle := &studio{status: agent.Status{Folders: []agent.FolderStatus{{Name: "packshots", State: "ok", Progress: &agent.Progress{}}}}}
	got = ask(handler(idle, ""), get("/", "")).Body.String()
	for _, want := range []string{"All done", "waits for pictures", "No picture yet", "nothing waits", "none failed"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not on the page:\n%s", want, got)
		}
	}
	s.err = errors.New("the ledger is <damaged>")
	if w := ask(handler(s, ""), get("/", "")); w.Code != 500 || w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// Nothing on the page runs or is loaded but what lies in it, whatever things are called.
func TestPageIsClosed(t *testing.T) {
	w := ask(handler(busy(30), ""), get("/", ""))
	policy := w.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'sha256-", "style-src 'sha256-", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		if !strings.Contains(policy, want) || strings.Contains(policy, "unsafe") {
			t.Errorf("policy %q, want %s", policy, want)
		}
	}
	body := w.Body.String()
	for _, element := range []string{"style", "script"} {
		inside := regexp.MustCompile(`(?s)<`+element+`>(.*?)</`+element+`>`).FindAllStringSubmatch(body, -1)
		if len(inside) != 1 || !strings.Contains(policy, digest(inside[0][1])) {
			t.Errorf("%d elements %s, or not the one that is allowed", len(inside), element)
		}
	}
	for _, bad := range []string{"<img", "onerror=\"", "onmouseover='", "<!--", " style=", "\x00", "\x1b", "\u202e", "\xff"} {
		if strings.Contains(body, bad) {
			t.Errorf("%q is on the page", bad)
		}
	}
	if found := regexp.MustCompile(`(?:src|href|action)="[^"]*"`).FindAllString(body, -1); len(found) != 1 || !strings.HasPrefix(found[0], `href="data:`) {
		t.Errorf("it leads elsewhere: %q", found)
	}
}

func TestPassword(t *testing.T) {
	s := busy(3)
	h := handler(s, "sésame öffne")
	for _, path := range []string{"/", "/metrics"} {
		for given, want := range map[string]int{"sésame öffne": 200, "": 401, "sésame": 401, "sésame öffne ": 401} {
			w := ask(h, get(path, given))
			if w.Code != want {
				t.Errorf("%s with %q: %d, want %d", path, given, w.Code, want)
			}
			if want == 401 && (!strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Basic ") || strings.Contains(w.Body.String(), "packshots")) {
				t.Errorf("%s with %q: %v %s", path, given, w.Header(), w.Body)
			}
		}
	}
	if body := ask(h, get("/", "sésame öffne")).Body.String(); strings.Contains(body, "sésame") {
		t.Error("the password is on the page")
	}
}

// Who guesses gets one try a second after the first ten, however many at once, and the right one is not even looked at then.
func TestGuessingIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := handler(busy(1), "open sesame")
		codes := map[int]int{}
		for i := range 1000 {
			codes[ask(h, get("/", fmt.Sprint("guess", i))).Code]++
		}
		codes[ask(h, get("/", "open sesame")).Code]++
		if !reflect.DeepEqual(codes, map[int]int{401: 10, 429: 991}) {
			t.Errorf("%v", codes)
		}
		if w := ask(h, get("/", "")); w.Code != 401 { // so that a browser asks again
			t.Errorf("without a password: %d", w.Code)
		}
		time.Sleep(time.Second)
		for range 100 { // the right one costs nothing
			if w := ask(h, get("/", "open sesame")); w.Code != 200 {
				t.Fatalf("a second later: %d", w.Code)
			}
		}
	})
}

var tokenOnPage = regexp.MustCompile(`name="token" value="([^"]+)"`)

func TestRetryNeedsPasswordAndToken(t *testing.T) {
	s := busy(3)
	id := s.jobs[0].ID
	h := handler(s, "open sesame")
	found := tokenOnPage.FindStringSubmatch(ask(h, get("/", "open sesame")).Body.String())
	if found == nil {
		t.Fatal("there is no token on the page")
	}
	for name, c := range map[string]struct {
		token, password string
		want            int
	}{
		"without both":            {"", "", 401},
		"with the token alone":    {found[1], "", 401},
		"with the password alone": {"", "open sesame", 403},
		"with another token":      {found[1] + "x", "open sesame", 403},
	} {
		if w := ask(h, post(url.Values{"token": {c.token}, "id": {id}}, c.password)); w.Code != c.want || len(s.retried) > 0 {
			t.Errorf("%s: %d, want %d; retried %v", name, w.Code, c.want, s.retried)
		}
	}
	r := get("/retry?id="+id+"&token="+found[1], "open sesame")
	if w := ask(h, r); w.Code != 405 || len(s.retried) > 0 {
		t.Errorf("by GET: %d", w.Code)
	}
	r = post(url.Values{}, "open sesame")
	r.URL.RawQuery = "id=" + id + "&token=" + found[1]
	if w := ask(h, r); w.Code != 403 || len(s.retried) > 0 {
		t.Errorf("in the address: %d", w.Code)
	}

	token := url.Values{"token": {found[1]}}
	for _, more := range []url.Values{{"id": {id}}, {"all": {"yes"}}} {
		form := url.Values{"token": token["token"], "id": more["id"], "all": more["all"]}
		if w := ask(h, post(form, "open sesame")); w.Code != 303 || w.Header().Get("Location") != "/" {
			t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
		}
	}
	want := []agent.RetryRequest{{IDs: []string{id}}, {All: true}}
	if !reflect.DeepEqual(s.retried, want) {
		t.Errorf("retried %+v, want %+v", s.retried, want)
	}
	for err, code := range map[error]int{store.ErrStep: 303, store.ErrNotFound: 303, errors.New("disk full"): 500} {
		s.err = fmt.Errorf("job: %w", err)
		if w := ask(h, post(url.Values{"token": token["token"], "id": {id}}, "open sesame")); w.Code != code {
			t.Errorf("%v: %d, want %d", err, w.Code, code)
		}
	}
}

// Whoever can reach a page without a password may look, not touch.
func TestWithoutPasswordNothingChanges(t *testing.T) {
	s := busy(3)
	p := New(s, "")
	mux := http.NewServeMux()
	p.Serve(mux.Handle)
	body := ask(mux, get("/", "")).Body.String()
	if strings.Contains(body, "<button") || strings.Contains(body, "<form") || strings.Contains(body, p.token) {
		t.Error("the page offers changes")
	}
	for _, token := range []string{"", p.token} {
		if w := ask(mux, post(url.Values{"token": {token}, "all": {"yes"}}, "")); w.Code != 403 || len(s.retried) > 0 {
			t.Errorf("with token %q: %d", token, w.Code)
		}
	}
}

func TestMetrics(t *testing.T) {
	s := busy(12)
	got := ask(handler(s, ""), get("/metrics", "")).Body.String()
	for _, want := range []string{
		`hotfolder_jobs{folder="<script>hacked = 1</script> 0",state="queued"} 300`,
		`hotfolder_jobs{folder="<script>hacked = 1</script> 0",state="gone"} 0`,
		`hotfolder_jobs{folder="bad��� 7",state="processing"} 20`,
		`hotfolder_delivered_total 9000`, `hotfolder_failed_total 3`, `hotfolder_credits_balance 12345`, `hotfolder_credits_today 678`,
		`hotfolder_trouble{code="login_needed",folder="",severity="error"} 1`,
		`hotfolder_trouble{code="out_of_credits",folder="",severity="error"} 0`,
		`hotfolder_build_info{goversion="go`, `go_goroutines `,
	} {
		if want = strings.ReplaceAll(want, "���", "\uFFFD"); !strings.Contains(got, want) {
			t.Errorf("%s is missing in\n%s", want, got)
		}
	}
	if n := strings.Count(got, `hotfolder_trouble{code="login_needed"`); n != 1 {
		t.Errorf("login_needed is there %d times", n)
	}
	s.status.Account.Balance = nil
	if got := ask(handler(s, ""), get("/metrics", "")).Body.String(); strings.Contains(got, "credits_balance") {
		t.Error("a balance is told that is not known")
	}
	s.err = errors.New("no ledger")
	if w := ask(handler(s, ""), get("/metrics", "")); w.Code != 500 {
		t.Errorf("without a ledger: %d", w.Code)
	}
}

// FuzzPage: whatever files are called and whatever is asked, the page stays whole and nothing panics.
func FuzzPage(f *testing.F) {
	for _, name := range nasty {
		f.Add(name, "/", "GET", "id="+url.QueryEscape(name))
	}
	f.Fuzz(func(t *testing.T, name, path, method, form string) {
		s := busy(1)
		s.status.Folders[0].Name, s.status.Folders[0].Notice = name, name
		s.status.Troubles[0].Text, s.status.Agent.Version = name, name
		s.jobs = []store.Job{job(store.Failed, name, name, time.Now(), name), job(store.State(name), name, name, time.Time{}, "")}
		h := handler(s, "open sesame")
		page := ask(h, get("/", "open sesame")).Body.String()
		want := tags(ask(handler(plain(s), "open sesame"), get("/", "open sesame")).Body.String())
		if got := tags(page); !slices.Equal(got, want) {
			t.Errorf("%q changes the page: %v, want %v", name, got, want)
		}
		if w := ask(h, get("/metrics", "open sesame")); w.Code != 200 {
			t.Errorf("metrics: %d %s", w.Code, w.Body)
		}
		if !strings.HasPrefix(path, "/") {
			path = "/" + path
		}
		r := post(url.Values{}, "")
		r.Method, r.URL, r.Body = method, &url.URL{Path: path}, http.NoBody
		r.URL.RawQuery = form
		if w := ask(h, r); w.Code < 300 || len(s.retried) > 0 {
			t.Errorf("%s %s without the password: %d", method, path, w.Code)
		}
	})
}

// plain is the same studio with harmless names.
func plain(s *studio) *studio {
	p := busy(1)
	p.status.Folders[0].Notice = words(s.status.Folders[0].Notice)
	p.status.Troubles[1].Folder = words(s.status.Troubles[1].Folder)
	p.jobs = []store.Job{job(store.Failed, "x", "x", time.Now(), "x"), job(store.Queued, "x", "x", time.Time{}, "")}
	if s.jobs[1].State == store.Failed {
		p.jobs[1].State = store.Failed
	}
	return p
}

func words(s string) string {
	if s == "" {
		return ""
	}
	return "x"
}

var tag = regexp.MustCompile(`<(/?[a-z0-9]+)[^<>]*>`)

func tags(html string) (names []string) {
	for _, m := range tag.FindAllStringSubmatch(html, -1) {
		names = append(names, m[1])
	}
	return names
}
