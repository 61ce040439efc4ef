package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// The events of webhooks. Only the completed one is documented; the others are named alike.
const (
	EventCompleted       = "WORKFLOW_EXECUTION_COMPLETED"
	EventInQA            = "WORKFLOW_EXECUTION_IN_QA"
	EventFailed          = "WORKFLOW_EXECUTION_FAILED"
	EventPaymentRequired = "WORKFLOW_EXECUTION_PAYMENT_REQUIRED"
)

var eventOf = map[string]string{
	StatusCompleted:       EventCompleted,
	StatusInQA:            EventInQA,
	StatusFailed:          EventFailed,
	StatusPaymentRequired: EventPaymentRequired,
}

const (
	webhookTimeout = 10 * time.Second
	maxHooksDue    = 1000 // deliveries under way; more are dropped, as they may be
)

// announceLocked sends the execution's new status to its webhooks, as far as the faults let it.
func (s *Server) announceLocked(e *execution) {
	event, ok := eventOf[e.Status]
	if !ok || len(e.Webhooks) == 0 || s.closed {
		return
	}
	payload, err := json.Marshal(map[string]any{"event": event, "content": e.detail()})
	if err != nil {
		s.log.Error("webhook payload", "err", err)
		return
	}
	for _, url := range e.Webhooks {
		for range s.deliveriesLocked() {
			if s.hooksDue >= maxHooksDue {
				s.log.Warn("webhook dropped, too many are due", "url", url)
				return
			}
			s.hooksDue++
			late := time.Duration(s.rng.Float64() * float64(s.faults.WebhookDelay))
			record := Delivery{URL: url, Event: event, Execution: e.ID}
			s.wg.Go(func() { s.deliver(record, payload, late) })
		}
	}
}

// deliveriesLocked is how often an event is sent to a URL.
func (s *Server) deliveriesLocked() int {
	switch {
	case s.chanceLocked(s.faults.WebhookDrop):
		return 0
	case s.chanceLocked(s.faults.WebhookRepeat):
		return 2
	}
	return 1
}

// deliver sends one event, once: the API is not known to try again.
func (s *Server) deliver(record Delivery, payload []byte, late time.Duration) {
	if !s.sleep(s.ctx, late) {
		return
	}
	record.At = time.Now()
	var err error
	if record.Status, err = s.post(s.ctx, record.URL, payload); err != nil {
		record.Error = err.Error()
		s.log.Info("webhook not delivered", "url", record.URL, "err", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooksDue--
	s.books.Deliveries = append(s.books.Deliveries, record)
}

func (s *Server) post(ctx context.Context, url string, payload []byte) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(payload))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "AutoRetouch-Sandbox")
	resp, err := s.hooks.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	return resp.StatusCode, nil
}
