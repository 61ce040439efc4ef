package autoretouch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// Status is where an execution stands. The API may add others: they mean "not finished yet".
type Status string

const (
	Created         Status = "CREATED"
	Active          Status = "ACTIVE"
	Completed       Status = "COMPLETED"
	InQA            Status = "IN_QA" // waits for a person's quality check, for hours perhaps
	PaymentRequired Status = "PAYMENT_REQUIRED"
	Failed          Status = "FAILED"
)

// Execution is one picture's way through a workflow. What the API left out, or sent in another type, is zero; the result
// fields are until there is a result. Names and paths are the server's: check them before using them as such.
type Execution struct {
	ID, Workflow, WorkflowVersion string
	Status                        Status
	Created, Started, Finished    time.Time

	InputName, InputHash string
	ResultName           string
	ResultHash           string // lower-case hex SHA-256
	ResultContentType    string
	ResultPath           string // for Download

	Labels         map[string]string
	ChargedCredits int
}

// NewExecution is what Create is to make.
type NewExecution struct {
	Workflow    string
	Version     string // of the workflow; empty: the latest
	Name        string // of the file
	ContentHash string
	ContentType string
	Labels      map[string]string
	Settings    map[string]any
	Webhooks    []string
}

// Create starts an execution and returns its id. Every call is charged, none is idempotent (API.md, Executions): record
// the intent first, and when MaybeHandled(err) look for the job's label before calling again.
// 400 and 422 are Input. 404 is Transient with ErrNoImage when the API does not hold the picture (asked in a second
// call, since the answer does not tell), else Config: the workflow or the organization.
func (c *Client) Create(ctx context.Context, n NewExecution) (string, error) {
	r := request{
		op: "create execution", method: http.MethodPost, path: "/v1/workflow/execution/create",
		query: url.Values{"workflow": {n.Workflow}}, refused: Input, missing: Config, once: true,
	}
	if n.Version != "" {
		r.query.Set("version", n.Version)
	}
	var err error
	if r.body, err = n.payload(); err != nil {
		return "", &Error{Class: Input, Op: r.op, Err: err, unhandled: true}
	}
	answer, err := c.ask(ctx, r, maxLine)
	if notFound(err) {
		return "", c.whatIsMissing(ctx, n.ContentHash, err)
	}
	if err != nil {
		return "", err
	}
	id := strings.Trim(string(answer), "\" \t\r\n")
	if !validID(id) {
		return "", r.unreadable("an id")
	}
	return id, nil
}

func (n NewExecution) payload() (*payload, error) {
	type image struct {
		Name        string `json:"name"`
		ContentHash string `json:"contentHash"`
		ContentType string `json:"contentType"`
	}
	return jsonPayload(struct {
		Image    image             `json:"image"`
		Labels   map[string]string `json:"labels,omitempty"`
		Settings map[string]any    `json:"settings,omitempty"`
		Webhooks []string          `json:"webhooks,omitempty"`
	}{image{n.Name, n.ContentHash, n.ContentType}, n.Labels, n.Settings, n.Webhooks})
}

// whatIsMissing tells the two meanings of Create's 404 apart. Nothing was created in either.
func (c *Client) whatIsMissing(ctx context.Context, hash string, err error) error {
	held, lookup := c.HasImage(ctx, hash)
	missing, _ := errors.AsType[*Error](err)
	switch {
	case lookup != nil:
		missing.Class, missing.Err = ClassOf(lookup), lookup
	case !held:
		missing.Class, missing.Err = Transient, ErrNoImage
	}
	return missing
}

// Execution is one by its id. 404 is Transient with ErrNotFound: a new execution may not be visible at once.
func (c *Client) Execution(ctx context.Context, id string) (Execution, error) {
	r, err := executionRequest("get execution", http.MethodGet, id, "")
	if err != nil {
		return Execution{}, err
	}
	o, err := c.object(ctx, r)
	return executionOf(o), err
}

// Page is a part of a list.
type Page struct {
	Entries []Execution
	Total   int // of the whole list; 0 if the API did not say
}

// Executions lists a workflow's executions. Their order is unstated (newest first as seen), and so is the largest limit:
// ask 50. What is no execution in the answer is left out. 404 is Config.
func (c *Client) Executions(ctx context.Context, workflow string, limit, offset int) (Page, error) {
	r := request{op: "list executions", path: "/v1/workflow/execution", query: page(limit, offset)}
	r.query.Set("workflow", workflow)
	o, err := c.get(ctx, r)
	if err != nil {
		return Page{}, err
	}
	p := Page{Total: o.integer("total")}
	for _, entry := range o.entries() {
		if e := executionOf(entry); e.ID != "" {
			p.Entries = append(p.Entries, e)
		}
	}
	return p, nil
}

// Retry runs a FAILED or PAYMENT_REQUIRED execution again under the same id. 404 is Transient with ErrNotFound; so are
// 400 and 422, which the API may answer when it runs already: look at its status.
func (c *Client) Retry(ctx context.Context, id string) error {
	r, err := executionRequest("retry execution", http.MethodPost, id, "/retry")
	if err != nil {
		return err
	}
	return c.tell(ctx, r)
}

// Feedback says whether the result is good and, if not, by the hashes of uploaded pictures what was expected.
func (c *Client) Feedback(ctx context.Context, id string, good bool, expected []string) error {
	r, err := executionRequest("send feedback", http.MethodPost, id, "/feedback")
	if err != nil {
		return err
	}
	r.refused = Input
	r.body, err = jsonPayload(struct {
		ThumbsUp       bool     `json:"thumbsUp"`
		ExpectedImages []string `json:"expectedImages"`
	}{good, append([]string{}, expected...)})
	if err != nil {
		return r.unsent(ctx, err)
	}
	return c.tell(ctx, r)
}

// tell makes a call whose answer says no more than that it was done.
func (c *Client) tell(ctx context.Context, r request) error {
	answer, err := c.ask(ctx, r, maxAnswer)
	if err == nil && strings.HasPrefix(strings.TrimSpace(string(answer)), "<") {
		return r.unreadable("the API's")
	}
	return err
}

// executionRequest is about one execution. Whatever it is refused with, the execution has been paid for: Transient.
func executionRequest(op, method, id, what string) (request, error) {
	if !validID(id) {
		return request{}, &Error{Class: Input, Op: op, Err: fmt.Errorf("%q is not an execution's id", id), unhandled: true}
	}
	return request{op: op, method: method, path: "/v1/workflow/execution/" + url.PathEscape(id) + what}, nil
}

// validID reports whether s can be an id: ids are opaque, but they are one word and no path.
func validID(s string) bool {
	odd := func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(` /\<>"'{}?#%`, r) }
	return s != "" && len(s) <= 200 && s != "." && s != ".." && !strings.ContainsFunc(s, odd)
}

func executionOf(o object) Execution {
	e := Execution{
		ID: o.text("id"), Workflow: o.text("workflow"), WorkflowVersion: o.text("workflowVersion"),
		Status:  Status(o.text("status")),
		Created: o.time("createdAt"), Started: o.time("startedAt"), Finished: o.time("finishedAt"),
		InputName: o.text("inputFileName"), InputHash: o.text("inputContentHash"),
		ResultName: o.text("resultFileName"), ResultHash: o.text("resultContentHash"),
		ResultContentType: o.text("resultContentType"), ResultPath: o.text("resultPath"),
		Labels: o.texts("labels"), ChargedCredits: o.integer("chargedCredits"),
	}
	if !validID(e.ID) {
		e.ID = ""
	}
	if hash, ok := parseHash(e.ResultHash); ok {
		e.ResultHash = hash
	}
	if hash, ok := parseHash(e.InputHash); ok {
		e.InputHash = hash
	}
	return e
}

// UnmarshalJSON reads an execution's details, in the tolerant way of the calls.
func (e *Execution) UnmarshalJSON(b []byte) error {
	var o object
	if err := json.Unmarshal(b, &o); err != nil {
		return err
	}
	*e = executionOf(o)
	return nil
}
