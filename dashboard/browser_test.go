package dashboard

import (
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"hotfolder/agent"
	"hotfolder/store"
)

var screenshots = flag.String("screenshots", "", "put pictures of the page into this `folder`")

// open shows a page in a browser, 900 wide, and returns the browser's context. Whatever the browser complains of fails the test.
func open(t *testing.T, h http.Handler, password string) (browser context.Context, server *httptest.Server) {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path == "" {
			path, _ = exec.LookPath(name)
		}
	}
	if path == "" {
		t.Skip("there is no Chromium")
	}
	server = httptest.NewServer(h)
	t.Cleanup(server.Close)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()))
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)

	var complaints sync.WaitGroup
	heard, deaf := context.WithCancel(ctx)
	console := chromedp.Console(heard)
	complaints.Go(func() {
		for m, err := range console {
			if err == nil && !strings.Contains(m.Text, "net::ERR_EMPTY_RESPONSE") {
				t.Errorf("the browser says: %s %s", m.Type, m.Text)
			}
		}
	})
	t.Cleanup(func() { deaf(); complaints.Wait() })

	url := server.URL
	if password != "" {
		url = strings.Replace(url, "://", "://anybody:"+password+"@", 1)
	}
	do(t, ctx, chromedp.EmulateViewport(900, 1000), chromedp.Navigate(url+"/"))
	return ctx, server
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

func eval[T any](t *testing.T, ctx context.Context, js string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js))
	if err != nil {
		t.Fatalf("%s: %v", js, err)
	}
	return v
}

// until waits for an expression to become true in the browser, whichever page it is at.
func until(t *testing.T, ctx context.Context, js string) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool](js)) // fails while a page is being loaded
		if is && err == nil {
			return
		}
		if time.Since(began) > 30*time.Second {
			t.Fatalf("never true: %s: %v", js, err)
		}
	}
}

// The page takes over what is new without being loaded anew, keeps the focus, says when the agent is gone, and finds it again.
func TestBrowserRefreshes(t *testing.T) {
	s := busy(3)
	var away atomic.Bool
	page := handler(s, "")
	ctx, _ := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			panic(http.ErrAbortHandler)
		}
		page.ServeHTTP(w, r)
	}), "")
	eval[bool](t, ctx, `window.same = true`)
	s.set(func() {
		s.status.Agent.PerHour = 4711
		s.status.Troubles = nil
		s.status.Folders[0].Progress.Waiting = 0
	})
	until(t, ctx, `document.body.innerText.includes("4,711") && document.title.startsWith("At work")`)
	if !eval[bool](t, ctx, `window.same && !document.querySelector(".trouble") && document.getElementById("lost").hidden`) {
		t.Error("it was loaded anew, or shows what is over")
	}
	away.Store(true)
	until(t, ctx, `!document.getElementById("lost").hidden && document.body.innerText.includes("4,711")`)
	away.Store(false)
	until(t, ctx, `document.getElementById("lost").hidden`)
}

// Names do nothing but be shown, at any width, and nothing sticks out of a telephone.
func TestBrowserShowsNastyNames(t *testing.T) {
	s := busy(20)
	ctx, _ := open(t, handler(s, ""), "")
	for _, width := range []int64{320, 360, 768, 1400} {
		do(t, ctx, chromedp.EmulateViewport(width, 800), chromedp.Reload())
		if wide := eval[int64](t, ctx, `document.documentElement.scrollWidth`); wide > width {
			t.Errorf("%d wide on %d", wide, width)
		}
	}
	if eval[bool](t, ctx, `"hacked" in window || document.images.length > 0 || document.scripts.length != 1`) {
		t.Error("a name did something")
	}
	if n := eval[int](t, ctx, `document.querySelectorAll(".folders > li").length`); n != 20 {
		t.Errorf("%d folders", n)
	}
}

// A failed picture is taken up again by the keyboard alone, and the focus survives the refresh.
func TestBrowserRetries(t *testing.T) {
	s := busy(3)
	ctx, _ := open(t, handler(s, "open-sesame"), "open-sesame")
	id := "retry-" + s.jobs[2].ID
	for range 40 {
		do(t, ctx, chromedp.KeyEvent(kb.Tab))
		if eval[string](t, ctx, `document.activeElement.id`) == id {
			break
		}
	}
	s.set(func() { s.status.Agent.PerHour = 4711 })
	until(t, ctx, `document.body.innerText.includes("4,711")`)
	if at := eval[string](t, ctx, `document.activeElement.id`); at != id {
		t.Fatalf("the focus is at %q", at)
	}
	eval[bool](t, ctx, `window.before = true`)
	do(t, ctx, chromedp.KeyEvent(kb.Enter))
	until(t, ctx, `!window.before && location.pathname == "/" && document.querySelectorAll(".folders > li").length == 3`)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.retried) != 1 || len(s.retried[0].IDs) != 1 || "retry-"+s.retried[0].IDs[0] != id {
		t.Errorf("retried %+v", s.retried)
	}
}

// Pictures of the page, for people to look at: go test ./dashboard -run Screenshots -args -screenshots DIR.
func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("nobody wants them: -screenshots is not set")
	}
	now := time.Now()
	idle := &studio{status: agent.Status{
		Account: agent.AccountStatus{State: "unknown"},
		Agent:   agent.ProcessStatus{Running: true, Since: now, Version: "1.2.3"},
		Folders: []agent.FolderStatus{{Name: "packshots", State: "ok", Progress: &agent.Progress{}}},
	}}
	for name, c := range map[string]struct {
		studio   *studio
		password string
	}{"night": {night(now), "open-sesame"}, "nasty": {busy(20), "open-sesame"}, "idle": {idle, ""}, "trouble": {busy(3), ""}} {
		ctx, _ := open(t, handler(c.studio, c.password), c.password)
		for look, width := range map[string]int64{"light": 1000, "dark": 1000, "phone-light": 375, "phone-dark": 375} {
			_, scheme, phone := strings.Cut(look, "phone-")
			if !phone {
				scheme = look
			}
			media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
			if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
				t.Fatal(err)
			}
			do(t, ctx, chromedp.EmulateViewport(width, 700), chromedp.Reload())
			picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
			if err == nil {
				err = os.WriteFile(filepath.Join(*screenshots, name+"-"+look+".png"), picture, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// night is a studio at half past ten in the evening.
func night(now time.Time) *studio {
	balance := 18240
	s := &studio{status: agent.Status{
		Counts:  map[store.State]int{store.Delivered: 48213, store.Failed: 2, store.InQA: 6},
		Account: agent.AccountStatus{State: "ok", Balance: &balance, CreditsToday: 1337},
		Agent:   agent.ProcessStatus{Running: true, Since: now.Add(-8 * time.Hour), Version: "1.0.0", PerHour: 1284},
		Troubles: []agent.Trouble{{
			Code: agent.InputOffline, Severity: agent.Error, Folder: "shoes", Since: now.Add(-12 * time.Minute),
			Text: "the input folder cannot be reached: //nas/photos/shoes is not mounted", Mend: "connect the share or disk; it goes on by itself",
		}},
	}}
	add := func(name string, delivered, failed, waiting, left, inQA, before int) {
		s.status.Folders = append(s.status.Folders, agent.FolderStatus{
			Name: name, State: "ok",
			Counts: map[store.State]int{
				store.Delivered: delivered + before, store.Failed: failed, store.InQA: inQA, store.Processing: min(waiting-inQA, 120), store.Queued: max(0, waiting-inQA-120),
			},
			Progress: &agent.Progress{Since: now.Add(-time.Hour), Delivered: delivered, Failed: failed, Waiting: waiting, SecondsLeft: left},
		})
	}
	add("packshots", 1012, 2, 488, 1680, 0, 21000)
	add("website", 272, 0, 94, 1090, 6, 14012)
	add("shoes", 0, 0, 0, 0, 0, 11917)
	s.status.Folders[2].State = "error"
	s.status.Folders[2].Problem = s.status.Troubles[0].Text + ": " + s.status.Troubles[0].Mend
	for i, name := range []string{"spring/jacket-0412.jpg", "spring/jacket-0411.jpg", "home/lamp-77.tif", "spring/scarf-0209.jpg", "home/lamp-76.tif", "spring/scarf-0208.jpg"} {
		j := job(store.Delivered, []string{"packshots", "packshots", "website"}[i%3], name, now.Add(time.Duration(-2*i)*time.Second), "")
		if i == 3 {
			j.State = store.InQA
		}
		s.jobs = append(s.jobs, j)
	}
	s.jobs = append(s.jobs,
		job(store.Failed, "packshots", "spring/jacket-0398.jpg", now.Add(-7*time.Minute), "the picture is cut short; copy it again"),
		job(store.Failed, "packshots", "spring/notes.jpg", now.Add(-31*time.Minute), "the file is not a JPEG, PNG, TIFF or WebP picture"))
	for i := range s.minutes {
		s.minutes[i] = max(0, 14+(i*i*7)%15-(i%23)/3)
	}
	s.minutes[37], s.minutes[38], s.minutes[39] = 0, 0, 3
	return s
}
