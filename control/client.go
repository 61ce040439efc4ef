package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"hotfolder/agent"
	"hotfolder/store"
)

// Client is the Desk of an agent that runs in another process. It is safe for concurrent use.
type Client struct {
	contact contact
	http    *http.Client
}

const (
	patience  = 5 * time.Second // for a connection, and for the agent to begin an answer
	maxAnswer = 16 << 20        // bytes; a status of a thousand folders needs a twentieth of it
	maxLine   = 1 << 20         // bytes of a job
)

// Dial finds the agent that works in dataDir and sees whether it answers. It fails with ErrNotRunning when there is none, or
// only what a killed one left behind, with ErrNoAnswer when it hangs, and with ErrForbidden
// when its data folder is another's.
func Dial(ctx context.Context, dataDir string) (*Client, error) {
	contact, err := readContact(dataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotRunning
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w: %s is closed to you", ErrForbidden, dataDir)
	}
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrNotRunning, err) // it is written whole or not at all: not an agent's
	}
	transport := &http.Transport{ // without a proxy
		DialContext:     (&net.Dialer{Timeout: patience}).DialContext,
		MaxIdleConns:    2,
		IdleConnTimeout: time.Minute,
	}
	c := &Client{contact: contact, http: &http.Client{Transport: transport, CheckRedirect: noRedirect}}
	if err := c.ping(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// ping tells our agent from nobody, and from another program that got the port of an agent that was killed.
func (c *Client) ping(ctx context.Context) error {
	resp, err := c.quick(ctx, "/api/status")
	if refused(err) {
		return ErrNotRunning
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	ours := resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusInternalServerError
	if !ours || resp.Header.Get("Content-Type") != "application/json" {
		return ErrNotRunning
	}
	return nil
}

// refused tells whether nobody listens there. Windows' number for it is not the syscall package's.
func refused(err error) bool {
	op, ok := errors.AsType[*os.SyscallError](err)
	return ok && op.Syscall == "connect" || ok && op.Syscall == "connectex"
}

// Close lets the connections go.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// PID is the agent's process id.
func (c *Client) PID() int { return c.contact.PID }

// Status asks the agent how it fares.
func (c *Client) Status(ctx context.Context) (s agent.Status, err error) {
	err = c.get(ctx, "/api/status", &s)
	return s, err
}

// Job asks for one job; see agent.Desk.
func (c *Client) Job(ctx context.Context, id string) (store.Job, error) {
	if id == "" || id == "." || id == ".." {
		return store.Job{}, fmt.Errorf("%w: %q", store.ErrNotFound, id)
	}
	var job wireJob
	err := c.get(ctx, "/api/jobs/"+url.PathEscape(id), &job)
	return job.unpack(), err
}

// Jobs streams the jobs that the filter chooses; see agent.Desk.
func (c *Client) Jobs(ctx context.Context, f store.Filter) iter.Seq2[store.Job, error] {
	return func(yield func(store.Job, error) bool) {
		resp, err := c.do(ctx, http.MethodGet, "/api/jobs?"+values(f).Encode(), "")
		if err == nil && resp.StatusCode != http.StatusOK {
			err = failureOf(resp)
		}
		if err != nil {
			yield(store.Job{}, err)
			return
		}
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, maxLine)
		for lines.Scan() {
			var w wireJob
			err := json.Unmarshal(lines.Bytes(), &w)
			if err == nil && w.Failure != "" {
				err = errors.New(w.Failure)
			}
			if !yield(w.unpack(), err) || err != nil {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(store.Job{}, lost(ctx, err))
		}
	}
}

// Retry has failed jobs taken up again; see agent.Desk.
func (c *Client) Retry(ctx context.Context, r agent.RetryRequest) (agent.Retried, error) {
	var done wireRetried
	err := c.post(ctx, "/api/retry", retryValues(r), &done, &done.wireFailure)
	return done.Retried, err
}

// Redeliver has results downloaded again; see agent.Desk.
func (c *Client) Redeliver(ctx context.Context, r agent.RedeliverRequest) (agent.Redelivered, error) {
	var done wireRedelivered
	err := c.post(ctx, "/api/redeliver", redeliverValues(r), &done, &done.wireFailure)
	return done.Redelivered, err
}

// post asks for a change. What is said of one that failed on the way is in into, too.
func (c *Client) post(ctx context.Context, path string, form url.Values, into any, failed *wireFailure) error {
	resp, err := c.do(ctx, http.MethodPost, path, form.Encode())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	err = json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into)
	switch {
	case resp.StatusCode != http.StatusOK:
		return newFailure(resp, *failed) // what is no failure of ours is told by its status
	case err != nil:
		return lost(ctx, err)
	}
	return nil
}

func (c *Client) get(ctx context.Context, path string, into any) error {
	resp, err := c.quick(ctx, path)
	if err != nil {
		return err
	}
	return read(ctx, resp, into)
}

// quick asks what the agent answers at once when it is well.
func (c *Client) quick(ctx context.Context, path string) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, ErrNoAnswer)
	resp, err := c.do(ctx, http.MethodGet, path, "")
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = closer{resp.Body, cancel}
	return resp, nil
}

type closer struct {
	io.ReadCloser
	cancel func()
}

func (c closer) Close() error {
	defer c.cancel()
	return c.ReadCloser.Close()
}

func (c *Client) do(ctx context.Context, method, path, form string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.contact.Address+path, strings.NewReader(form))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotRunning, err)
	}
	req.Header.Set("Authorization", "Bearer "+c.contact.Token)
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, lost(ctx, err)
	}
	return resp, nil
}

func read(ctx context.Context, resp *http.Response, into any) error {
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return failureOf(resp)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into); err != nil {
		return lost(ctx, err)
	}
	return nil
}

// lost is an answer that did not come, or not whole.
func lost(ctx context.Context, err error) error {
	switch {
	case context.Cause(ctx) == ErrNoAnswer:
		return ErrNoAnswer
	case ctx.Err() != nil:
		return ctx.Err()
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return fmt.Errorf("%w: %w", ErrNoAnswer, err)
}

// failure is an error that the agent answered with; the sentinel that it stood for is in its chain.
type failure struct {
	text string
	kind error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.kind }

func failureOf(resp *http.Response) error {
	defer resp.Body.Close()
	var w wireFailure
	_ = json.NewDecoder(io.LimitReader(resp.Body, maxLine)).Decode(&w) // what is no failure of ours is told by its status
	return newFailure(resp, w)
}

func newFailure(resp *http.Response, w wireFailure) error {
	f := &failure{text: w.Failure}
	if f.text == "" {
		f.text = "the agent answered " + resp.Status
	}
	switch resp.StatusCode {
	case http.StatusNotFound:
		f.kind = store.ErrNotFound
	case http.StatusConflict:
		f.kind = store.ErrStep
	}
	return f
}
