package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"hotfolder/tidy"
)

// Hook is a webhook that gets each message as JSON by POST, one of Teams as a card. Its address may hold a secret and is told to nobody else.
type Hook struct {
	url    string
	client http.Client
}

// NewHook makes a Hook.
func NewHook(url string, transport http.RoundTripper) *Hook {
	return &Hook{url: url, client: http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the secret stays with its host
	}}
}

// Name is webhook.
func (h *Hook) Name() string { return "webhook" }

// Send posts the message.
func (h *Hook) Send(ctx context.Context, m Message) error {
	m.Text = unmarked.Replace(m.Text)
	var content any = m
	if isTeamsWorkflow(h.url) {
		content = teamsMessage(m.Text)
	}
	body, err := json.Marshal(content)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("the address of the webhook is no address") // err would tell it
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := h.client.Do(req)
	if err != nil {
		return errors.New(h.withoutAddress(err))
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10) // so that the connection can be used again
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the webhook answered HTTP %d", resp.StatusCode) // what else it says may repeat the address
	}
	return nil
}

// withoutAddress is what went wrong, without the secret in the address.
func (h *Hook) withoutAddress(err error) string {
	for u := (*url.Error)(nil); errors.As(err, &u); {
		err = u.Err
	}
	text := strings.ReplaceAll(tidy.Visible(err.Error()), h.url, "…")
	if u, err := url.Parse(h.url); err == nil && len(u.RequestURI()) > 1 {
		text = strings.ReplaceAll(text, u.RequestURI(), "…")
	}
	return text
}

// unmarked keeps names from being taken for Slack's mentions (<!channel>) and links, or for HTML.
var unmarked = strings.NewReplacer("<", "‹", ">", "›")
