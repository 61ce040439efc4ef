package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/agent"
	"hotfolder/notify"
	"hotfolder/store"
)

// desk is an agent of which the test says how it fares, and the people who are told.
type desk struct {
	*testing.T
	file string
	stop func()

	mu     sync.Mutex
	status agent.Status
	said   []string
	down   bool // nobody can be told
	logged bytes.Buffer
}

func newDesk(t *testing.T) *desk {
	return &desk{T: t, file: filepath.Join(t.TempDir(), "notify.json"), status: agent.Status{Counts: map[store.State]int{}}}
}

// RoundTrip is the webhook.
func (d *desk) RoundTrip(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return nil, &url.Error{Op: "Post", URL: secret, Err: errors.New("no network")}
	}
	var m notify.Message
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		d.Error(err)
	}
	_, text, _ := strings.Cut(m.Text, ": ")
	if m.Event == "" || m.Severity == "" || m.Text == "" || !strings.HasPrefix(m.Text, "hotfolder") {
		d.Errorf("told %+v", m)
	}
	d.said = append(d.said, text)
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("ok"))}, nil
}

const secret = "https://hooks.example/services/T0SECRET"

func (d *desk) start() {
	n := notify.New(notify.Options{
		Channels: []notify.Channel{notify.NewHook(secret, d)}, GoneAfter: 5 * time.Minute, File: d.file, Log: slog.New(slog.NewTextHandler(lockedWriter{d}, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Status: func(context.Context) (agent.Status, error) { d.mu.Lock(); defer d.mu.Unlock(); return d.status, nil },
	})
	ctx, cancel := context.WithCancel(d.Context())
	var wg sync.WaitGroup
	wg.Go(func() { n.Run(ctx) })
	d.stop = func() { cancel(); wg.Wait() }
}

type lockedWriter struct{ *desk }

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.logged.Write(p)
}

func (d *desk) set(change func(*agent.Status)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status.Troubles = slices.Clone(d.status.Troubles)
	change(&d.status)
}

func (d *desk) raise(code agent.Code, severity agent.Severity, folder string) {
	d.set(func(s *agent.Status) {
		s.Troubles = append(s.Troubles, agent.Trouble{Code: code, Severity: severity, Folder: folder, Text: "trouble " + string(code), Mend: "mend it", Since: time.Now()})
	})
}

func (d *desk) clear() { d.set(func(s *agent.Status) { s.Troubles = nil }) }

func (d *desk) counts(queued, delivered, failed int) {
	d.set(func(s *agent.Status) {
		s.Counts = map[store.State]int{store.Queued: queued, store.Delivered: delivered, store.Failed: failed}
	})
}

// after lets time pass and wants exactly these to have been told since the last time.
func (d *desk) after(pass time.Duration, want ...string) {
	d.Helper()
	time.Sleep(pass)
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.said, want) {
		d.Errorf("told %q, want %q", d.said, want)
	}
	d.said = nil
}

func with(t *testing.T, test func(*desk)) {
	withAt(t, func(*desk) {}, test)
}

// withAt says first what the status is when it is looked at for the first time.
func withAt(t *testing.T, begin, test func(*desk)) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		begin(d)
		d.start()
		defer func() { d.stop() }()
		test(d)
	})
}

const look = 6 * time.Second

func TestEachTroubleIsToldOnceAndOnceWhenItIsOver(t *testing.T) {
	for code, test := range map[agent.Code]struct {
		severity agent.Severity
		folder   string
		wait     time.Duration // 0: it is never told
	}{
		agent.LoginNeeded:      {agent.Error, "", look},
		agent.OutOfCredits:     {agent.Error, "", look},
		agent.NightAtRisk:      {agent.Error, "shoes", look},
		agent.ManyFailed:       {agent.Error, "", look},
		agent.InputOffline:     {agent.Error, "shoes", 5*time.Minute + look},
		agent.OutputUnwritable: {agent.Error, "shoes", 5*time.Minute + look},
		agent.LedgerUnwritable: {agent.Error, "", time.Minute + look},
		agent.APIUnreachable:   {agent.Warning, "", 0},
	} {
		t.Run(string(code), func(t *testing.T) {
			with(t, func(d *desk) {
				d.raise(code, test.severity, test.folder)
				text := "trouble " + string(code)
				if test.folder != "" {
					text = test.folder + ": " + text
				}
				if test.wait == 0 {
					d.after(10 * time.Hour)
					return
				}
				if test.wait > look {
					d.after(test.wait - 2*look)
				}
				d.after(2*look, text+" - mend it")
				d.after(time.Hour)
				d.stop()
				d.after(time.Second)
				d.start() // does not tell it again
				d.after(10 * time.Minute)
				lasted := time.Since(d.status.Troubles[0].Since)
				d.clear()
				d.after(time.Minute)
				d.after(2*time.Minute, fmt.Sprintf("over after %s: %s", lastedText(lasted), text))
				d.after(time.Hour)
				d.raise(code, test.severity, test.folder)
				d.after(test.wait, text+" - mend it")
			})
		})
	}
}

// lastedText is the time until the look that missed it, to which the test's own rounding is close enough.
func lastedText(d time.Duration) string {
	return fmt.Sprintf("%dh %02dm", int(d.Hours()), int(d.Minutes())%60)
}

func TestWhatPassesByItselfIsNotTold(t *testing.T) {
	with(t, func(d *desk) {
		for range 10 {
			d.raise(agent.InputOffline, agent.Error, "shoes")
			d.after(4 * time.Minute)
			d.clear()
			d.after(4 * time.Minute)
		}
	})
}

// A trouble that comes and goes is one.
func TestFlickering(t *testing.T) {
	with(t, func(d *desk) {
		d.raise(agent.OutOfCredits, agent.Error, "")
		d.after(look, "trouble out_of_credits - mend it")
		for range 10 {
			d.clear()
			d.after(time.Minute)
			d.raise(agent.OutOfCredits, agent.Error, "")
			d.after(time.Minute)
		}
	})
}

// What another trouble hides is not over.
func TestHiddenTroubles(t *testing.T) {
	with(t, func(d *desk) {
		d.raise(agent.WorkflowRefused, agent.Error, "shoes")
		d.after(2*time.Minute, "shoes: trouble workflow_refused - mend it")
		d.clear()
		d.raise(agent.LoginNeeded, agent.Error, "")
		d.after(time.Hour, "trouble login_needed - mend it")
		d.clear()
		d.raise(agent.WorkflowRefused, agent.Error, "shoes")
		d.after(time.Hour, "over after 1h 00m: trouble login_needed")
	})
}

func TestAllDone(t *testing.T) {
	withAt(t, func(d *desk) { d.counts(0, 5000, 3) }, func(d *desk) {
		d.after(time.Hour)
		d.counts(900, 5000, 3)
		d.after(time.Hour)
		d.counts(0, 5400, 4) // the rest is still being dropped
		d.after(4 * time.Minute)
		d.counts(100, 5400, 4)
		d.after(time.Hour)
		d.stop()
		d.after(time.Hour)
		d.start()
		d.after(time.Minute)
		d.counts(0, 5899, 4)
		d.after(6*time.Minute, "all done: 899 pictures delivered, 1 failed, in 3h 05m")
		d.after(time.Hour)
		d.counts(4, 5899, 0) // failed ones are taken up again
		d.after(time.Hour)
		d.counts(0, 5901, 2)
		d.after(6*time.Minute, "all done: 2 pictures delivered, 0 failed, in 1h 00m")
		d.counts(0, 5902, 2) // too quick to be seen waiting
		d.after(6*time.Minute, "all done: 1 picture delivered, 0 failed, in 0s")
		d.counts(7, 5902, 2)
		d.after(time.Hour)
		d.counts(0, 5902, 2) // all gone again
		d.after(time.Hour)
	})
}

// Nobody can be told for a while: it is tried again, across a restart too, for some hours, and nothing is told twice or in
// another order. What is logged of it has no secret.
func TestATelephoneThatIsDown(t *testing.T) {
	with(t, func(d *desk) {
		d.down = true
		d.raise(agent.LoginNeeded, agent.Error, "")
		d.after(time.Hour)
		d.raise(agent.ManyFailed, agent.Error, "")
		d.after(time.Minute)
		d.stop()
		d.start()
		d.after(time.Hour)
		d.mu.Lock()
		d.down = false
		d.mu.Unlock()
		d.after(6*time.Minute, "trouble login_needed - mend it", "trouble many_failed - mend it")
		d.mu.Lock()
		d.down = true
		d.mu.Unlock()
		d.clear()
		d.after(7 * time.Hour)
		d.mu.Lock()
		d.down = false
		d.mu.Unlock()
		d.after(time.Hour)
		if log := d.logged.String(); strings.Contains(log, "SECRET") || !strings.Contains(log, "no network") || !strings.Contains(log, "given up") {
			t.Error(log)
		}
		if n := strings.Count(d.logged.String(), "level=WARN"); n > 5 {
			t.Errorf("%d warnings:\n%s", n, d.logged.String())
		}
	})
}

func TestTheQueueIsBounded(t *testing.T) {
	with(t, func(d *desk) {
		d.down = true
		for i := range 150 {
			d.raise(agent.ManyFailed, agent.Error, fmt.Sprintf("folder%03d", i))
		}
		time.Sleep(time.Minute)
		d.mu.Lock()
		d.down = false
		d.mu.Unlock()
		time.Sleep(10 * time.Minute)
		d.mu.Lock()
		defer d.mu.Unlock()
		if len(d.said) != 100 || !strings.Contains(d.said[99], "folder149") {
			t.Errorf("%d were told, the last %q", len(d.said), d.said[len(d.said)-1])
		}
	})
}

// Names that would mean something to Slack, Teams or a terminal are shown.
func TestNamesInMessages(t *testing.T) {
	with(t, func(d *desk) {
		d.raise(agent.OutOfCredits, agent.Error, "<!channel>\x1b[2J\n")
		d.after(look, `‹!channel›\x1b[2J\n: trouble out_of_credits - mend it`)
	})
}

// A workflow of Teams gets a card, on which a name is what it is; whoever else gets the message itself.
func TestWhatATeamsWorkflowGets(t *testing.T) {
	text := `hotfolder: \\nas\in: IMG_1_*a*[b](c).jpg`
	card := `{"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","contentUrl":null,"content":` +
		`{"$schema":"http://adaptivecards.io/schemas/adaptive-card.json","type":"AdaptiveCard","version":"1.2","body":` +
		`[{"type":"RichTextBlock","inlines":[{"type":"TextRun","text":"hotfolder: \\\\nas\\in: IMG_1_*a*[b](c).jpg"}]}]}}]}`
	plain := `{"text":"hotfolder: \\\\nas\\in: IMG_1_*a*[b](c).jpg","event":"done","severity":"info","over":false}`
	for address, want := range map[string]string{
		"https://prod-23.westeurope.logic.azure.com:443/workflows/0a/triggers/manual/paths/invoke?sig=x":                   card,
		"https://default0a.1f.environment.api.powerplatform.com:443/powerautomate/automations/direct/workflows/0a/x?sig=x": card,
		"https://Default0A.API.PowerPlatform.com/x":                                                                        card,
		"https://studio.webhook.office.com/webhookb2/x":                                                                    plain, // the old connectors
		"https://hooks.slack.com/services/T0/B0/x":                                                                         plain,
		"https://api.powerplatform.com.studio.example/hook":                                                                plain,
		"https://studio.example/hook?to=prod.logic.azure.com":                                                              plain,
	} {
		h := notify.NewHook(address, roundTrip(func(r *http.Request) (*http.Response, error) {
			got, err := io.ReadAll(r.Body)
			var compared [2]any
			if err := errors.Join(err, json.Unmarshal(got, &compared[0]), json.Unmarshal([]byte(want), &compared[1])); err != nil {
				t.Error(err)
			}
			if !reflect.DeepEqual(compared[0], compared[1]) || r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s got %s, want %s", address, got, want)
			}
			return &http.Response{StatusCode: 202, Body: http.NoBody}, nil
		}))
		if err := h.Send(t.Context(), notify.Message{Text: text, Event: notify.Done, Severity: "info"}); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatAWebhookAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.Response
		want   string
	}{
		"ok":       {http.Response{StatusCode: 204}, ""},
		"gone":     {http.Response{StatusCode: 404}, "the webhook answered HTTP 404"},
		"redirect": {http.Response{StatusCode: 307, Header: http.Header{"Location": {"https://evil.example/"}}}, "the webhook answered HTTP 307"},
		"busy":     {http.Response{StatusCode: 503}, "the webhook answered HTTP 503"},
	} {
		calls := 0
		h := notify.NewHook(secret, roundTrip(func(r *http.Request) (*http.Response, error) {
			calls++
			test.answer.Body = io.NopCloser(strings.NewReader("you called " + secret))
			return &test.answer, nil
		}))
		err := h.Send(t.Context(), notify.Message{Text: "x"})
		if fmt.Sprint(err) != test.want && (err != nil || test.want != "") || calls != 1 {
			t.Errorf("%s: %v after %d calls", name, err, calls)
		}
	}
	h := notify.NewHook("https://x/\x7fSECRET", roundTrip(nil))
	if err := h.Send(t.Context(), notify.Message{}); err == nil || strings.Contains(err.Error(), "SECRET") {
		t.Error(err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
