package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hotfolder/sandbox"
)

// receiver takes webhook deliveries without a socket.
type receiver struct {
	mu  sync.Mutex
	got []event
}

type event struct {
	Event   string
	Content details
}

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(req.Body)
	var e event
	if err := json.Unmarshal(body, &e); err != nil || req.Method != "POST" || req.Header.Get("Content-Type") != "application/json" {
		return nil, io.ErrUnexpectedEOF
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, e)
	return &http.Response{StatusCode: 204, Body: http.NoBody, Request: req}, nil
}

func (r *receiver) all() []event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func names(events []event) string {
	var names []string
	for _, e := range events {
		names = append(names, strings.TrimPrefix(e.Event, "WORKFLOW_EXECUTION_"))
	}
	return strings.Join(names, " ")
}

func TestWebhooks(t *testing.T) {
	for _, tt := range []struct {
		name    string
		faults  sandbox.Faults
		credits int
		want    string
	}{
		{"completed", sandbox.Faults{}, 10, "COMPLETED"},
		{"in QA", sandbox.Faults{InQA: 1, QAFor: time.Minute}, 10, "IN_QA COMPLETED"},
		{"failed", sandbox.Faults{Fail: 1}, 10, "FAILED"},
		{"unpaid", sandbox.Faults{}, -1, "PAYMENT_REQUIRED"},
		{"dropped", sandbox.Faults{WebhookDrop: 1}, 10, ""},
		{"repeated", sandbox.Faults{WebhookRepeat: 1}, 10, "COMPLETED COMPLETED"},
		{"late", sandbox.Faults{WebhookDelay: time.Minute}, 10, "COMPLETED"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var r receiver
				s, c := open(t, sandbox.Options{PassThrough: true, Credits: tt.credits, Faults: tt.faults, Webhooks: &r})
				hash := c.upload("a.jpg", "image/jpeg", jpegOf(packshot(40, 30, 0)))
				id := c.create(sandbox.FastCheck, "a.jpg", "image/jpeg", hash, `"webhooks":["https://studio.example/hook"]`)
				time.Sleep(5 * time.Minute)
				events := r.all()
				if got := names(events); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
				deliveries := s.Books().Deliveries
				if len(deliveries) != len(events) {
					t.Errorf("%d deliveries in the books", len(deliveries))
				}
				for i, e := range events {
					if e.Content.ID != id || deliveries[i].Execution != id || deliveries[i].Status != 204 {
						t.Errorf("%+v, %+v", e, deliveries[i])
					}
					if done := e.Event == sandbox.EventCompleted; done != (e.Content.ResultPath != nil) {
						t.Errorf("%s with %+v", e.Event, e.Content)
					}
				}
			})
		})
	}
}

func TestLateWebhooksComeOutOfOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var r receiver
		_, c := open(t, sandbox.Options{PassThrough: true, Faults: sandbox.Faults{WebhookDelay: time.Hour}, Webhooks: &r})
		hash := c.upload("a.jpg", "image/jpeg", jpegOf(packshot(40, 30, 0)))
		var ids []string
		for range 20 {
			ids = append(ids, c.create(sandbox.FastCheck, "a.jpg", "image/jpeg", hash, `"webhooks":["https://studio.example/hook"]`))
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Hour)
		same, events := true, r.all()
		for i, e := range events {
			same = same && e.Content.ID == ids[i]
		}
		if len(events) != len(ids) || same {
			t.Errorf("%d deliveries, in order: %v", len(events), same)
		}
	})
}
