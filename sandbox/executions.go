package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The statuses of an execution (API.md, Executions). StatusLater stands for one that a future API may add; only
// Faults.UnknownStatus brings it up.
const (
	StatusCreated         = "CREATED"
	StatusActive          = "ACTIVE"
	StatusCompleted       = "COMPLETED"
	StatusInQA            = "IN_QA"
	StatusPaymentRequired = "PAYMENT_REQUIRED"
	StatusFailed          = "FAILED"
	StatusLater           = "SECOND_REVIEW"
)

// maxBody is the largest JSON body in bytes.
const maxBody = 1 << 20

// execution is an Execution on its way. Its fields are guarded by Server.mu.
type execution struct {
	Execution
	fate     fate
	image    *storedImage
	workflow workflow
	history  []statusChange
	changed  chan struct{} // closed and replaced at each change
}

// statusChange is kept so that a lagging list can show the past.
type statusChange struct {
	at     time.Time
	status string
}

// order is the body of a create call.
type order struct {
	Image struct {
		Name        string `json:"name"`
		ContentHash string `json:"contentHash"`
		ContentType string `json:"contentType"`
	} `json:"image"`
	Labels   map[string]*string         `json:"labels"`
	Settings map[string]json.RawMessage `json:"settings"`
	Webhooks []string                   `json:"webhooks"`
}

// create starts an execution of a picture: one uploaded before (JSON), or one sent along (multipart).
func (s *Server) create(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	if q.Get("workflow") == "" {
		return refusef(http.StatusBadRequest, "Required parameter 'workflow' is not present")
	}
	flow, err := findWorkflow(q.Get("organization"), q.Get("workflow"), q.Get("version"))
	if err != nil {
		return err
	}
	var (
		img *storedImage
		ask Execution
	)
	switch mediaType(r.Header.Get("Content-Type")) {
	case "application/json":
		img, ask, err = s.readOrder(w, r)
	case "multipart/form-data":
		img, ask, err = s.readFormOrder(r)
	default:
		err = refusef(http.StatusBadRequest, "Content type '%s' not supported", r.Header.Get("Content-Type"))
	}
	if err != nil {
		return err
	}
	ask.Organization = q.Get("organization")
	e, err := s.begin(flow, img, ask)
	if err != nil {
		return err
	}
	return writeText(w, http.StatusCreated, e.ID)
}

// readOrder reads and checks the JSON form of create.
func (s *Server) readOrder(w http.ResponseWriter, r *http.Request) (*storedImage, Execution, error) {
	var ask order
	if err := readJSON(w, r, &ask); err != nil {
		return nil, Execution{}, err
	}
	switch {
	case ask.Image.Name == "" || ask.Image.ContentHash == "" || ask.Image.ContentType == "":
		return nil, Execution{}, refusef(http.StatusBadRequest, "image.name, image.contentHash and image.contentType are required")
	case strings.Contains(ask.Image.Name, "/"):
		return nil, Execution{}, refusef(http.StatusBadRequest, "image.name must be a name, not a path")
	}
	for _, hook := range ask.Webhooks {
		if u, err := url.Parse(hook); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, Execution{}, refusef(http.StatusBadRequest, "webhooks: %q is not an http or https URL", hook)
		}
	}
	labels := map[string]string{}
	for key, value := range ask.Labels {
		if value == nil {
			return nil, Execution{}, refusef(http.StatusBadRequest, "labels: %q is null", key)
		}
		labels[key] = *value
	}
	img := s.image(r.URL.Query().Get("organization"), ask.Image.ContentHash)
	if img == nil {
		return nil, Execution{}, refusef(http.StatusNotFound, "Image not found")
	}
	if ask.Image.ContentType != img.contentType {
		return nil, Execution{}, refusef(http.StatusBadRequest, "The image is of the content type %s, not %s", img.contentType, ask.Image.ContentType)
	}
	return img, Execution{InputName: ask.Image.Name, Labels: labels, Settings: ask.Settings, Webhooks: ask.Webhooks}, nil
}

var labelParameter = regexp.MustCompile(`^label\[(.+)\]$`)

// readFormOrder reads the multipart form of create, whose labels are in the query.
func (s *Server) readFormOrder(r *http.Request) (*storedImage, Execution, error) {
	labels := map[string]string{}
	for key, values := range r.URL.Query() {
		if m := labelParameter.FindStringSubmatch(key); m != nil {
			labels[m[1]] = values[0]
		}
	}
	img, name, err := s.receive(r)
	return img, Execution{InputName: name, Labels: labels}, err
}

// readJSON reads exactly one JSON document without unknown fields.
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return refusef(http.StatusBadRequest, "JSON parse error: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return refusef(http.StatusBadRequest, "JSON parse error: more than one document")
	}
	return nil
}

// begin books a new execution and sets it going, if there are credits for it.
func (s *Server) begin(flow workflow, img *storedImage, ask Execution) (*execution, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.joinBatchLocked(ask.Labels); err != nil {
		return nil, err
	}
	e := &execution{Execution: ask, fate: s.drawFateLocked(), image: img, workflow: flow, changed: make(chan struct{})}
	e.ID, e.CreatedAt = newID(), time.Now()
	e.Workflow, e.WorkflowVersion, e.WorkflowName = flow.ID, flow.Version, flow.Name
	e.InputHash, e.InputType = img.hash, img.contentType
	img.names[e.InputName] = true
	s.executions = append(s.executions, e)
	s.byID[e.ID] = e
	s.payAndQueueLocked(e)
	return e, nil
}

// payAndQueueLocked charges an execution that is not paid for and queues it, or marks it as unpaid.
func (s *Server) payAndQueueLocked(e *execution) {
	price := e.workflow.Price
	if e.Charged == 0 {
		if s.balance[e.Organization] < price {
			s.setStatusLocked(e, StatusPaymentRequired)
			return
		}
		s.balance[e.Organization] -= price
		e.Charged = price
		s.books.Charges = append(s.books.Charges, Charge{At: time.Now(), Execution: e.ID, Credits: price})
	}
	s.setStatusLocked(e, StatusCreated)
	if !s.closed {
		s.wg.Go(func() { s.process(e) })
	}
}

// setStatusLocked is the only place where a status changes.
func (s *Server) setStatusLocked(e *execution, status string) {
	e.Status = status
	e.history = append(e.history, statusChange{time.Now(), status})
	close(e.changed)
	e.changed = make(chan struct{})
	s.announceLocked(e)
}

// batch is what all executions of one order have in common.
type batch struct{ name, createdAt string }

var uuidPattern = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// joinBatchLocked checks the labels that make an order (API.md, Executions).
func (s *Server) joinBatchLocked(labels map[string]string) error {
	id, hasID := labels["autoretouch_batch_id"]
	name, hasName := labels["autoretouch_batch_name"]
	created, hasCreated := labels["autoretouch_batch_createdAt"]
	switch {
	case !hasID && !hasName && !hasCreated:
		return nil
	case !hasID || !hasName || !hasCreated:
		return refusef(http.StatusBadRequest, "A batch needs autoretouch_batch_id, autoretouch_batch_name and autoretouch_batch_createdAt")
	case !uuidPattern.MatchString(id):
		return refusef(http.StatusBadRequest, "autoretouch_batch_id is not a UUID: %q", id)
	case !isISO8601(created):
		return refusef(http.StatusBadRequest, "autoretouch_batch_createdAt is not an ISO 8601 date: %q", created)
	}
	this := batch{name, created}
	if first, ok := s.batches[id]; ok && first != this {
		return refusef(http.StatusBadRequest, "The batch %s has the name %q and was created at %s", id, first.name, first.createdAt)
	}
	s.batches[id] = this
	return nil
}

func isISO8601(text string) bool {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02"} {
		if _, err := time.Parse(layout, text); err == nil {
			return true
		}
	}
	return false
}

// details answers with one execution.
func (s *Server) details(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	e, err := s.findLocked(r)
	var found detail
	if err == nil {
		found = e.detail()
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, found)
}

// findLocked returns the execution that the path names, if it is the organization's and has not vanished.
func (s *Server) findLocked(r *http.Request) (*execution, error) {
	e := s.byID[r.PathValue("id")]
	if e == nil || e.Vanished || e.Organization != r.URL.Query().Get("organization") {
		return nil, refusef(http.StatusNotFound, "Workflow execution not found")
	}
	return e, nil
}

// listExecutions answers with the executions of an organization, or of one workflow, newest first.
func (s *Server) listExecutions(w http.ResponseWriter, r *http.Request) error {
	limit, offset, err := window(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	if id := q.Get("workflow"); id != "" {
		if _, err := findWorkflow(q.Get("organization"), id, ""); err != nil {
			return err
		}
	}
	list := page[detail]{Entries: []detail{}}
	s.mu.Lock()
	seenAt := time.Now().Add(-s.faults.ListLag)
	for _, e := range slices.Backward(s.executions) {
		if e.Organization != q.Get("organization") || q.Has("workflow") && e.Workflow != q.Get("workflow") || e.Vanished || e.CreatedAt.After(seenAt) {
			continue
		}
		if list.Total >= offset && len(list.Entries) < limit {
			list.Entries = append(list.Entries, e.detailAt(seenAt))
		}
		list.Total++
	}
	s.mu.Unlock()
	return writeJSON(w, http.StatusOK, list)
}

// retry runs a FAILED or PAYMENT_REQUIRED execution again.
func (s *Server) retry(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.findLocked(r)
	if err != nil {
		return err
	}
	if e.Status != StatusFailed && e.Status != StatusPaymentRequired {
		return refusef(http.StatusBadRequest, "Only FAILED and PAYMENT_REQUIRED executions can be retried, this one is %s", e.Status)
	}
	e.Retries++
	e.StartedAt, e.FinishedAt, e.Reason = time.Time{}, time.Time{}, ""
	s.payAndQueueLocked(e)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// feedback takes a person's opinion of a result.
func (s *Server) feedback(w http.ResponseWriter, r *http.Request) error {
	var opinion struct {
		ThumbsUp       *bool    `json:"thumbsUp"`
		ExpectedImages []string `json:"expectedImages"`
	}
	if mediaType(r.Header.Get("Content-Type")) != "application/json" {
		return refusef(http.StatusBadRequest, "Content type '%s' not supported", r.Header.Get("Content-Type"))
	}
	if err := readJSON(w, r, &opinion); err != nil {
		return err
	}
	if opinion.ThumbsUp == nil {
		return refusef(http.StatusBadRequest, "thumbsUp is required")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.findLocked(r)
	if err != nil {
		return err
	}
	for _, hash := range opinion.ExpectedImages {
		if s.images[imageKey{e.Organization, hash}] == nil {
			return refusef(http.StatusNotFound, "Image not found")
		}
	}
	e.Feedback, _ = json.Marshal(opinion)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// detail is an execution as the API shows it: null where there is nothing yet.
type detail struct {
	ID                       string            `json:"id"`
	Workflow                 string            `json:"workflow"`
	WorkflowVersion          string            `json:"workflowVersion"`
	WorkflowName             string            `json:"workflowName"`
	OrganizationID           string            `json:"organizationId"`
	Status                   string            `json:"status"`
	UserID                   string            `json:"userId"`
	CreatedAt                *string           `json:"createdAt"`
	StartedAt                *string           `json:"startedAt"`
	FinishedAt               *string           `json:"finishedAt"`
	InputFileName            string            `json:"inputFileName"`
	InputContentHash         string            `json:"inputContentHash"`
	IntermediateResult       *string           `json:"intermediateResult"`
	ResultContentHash        *string           `json:"resultContentHash"`
	ResultContentType        *string           `json:"resultContentType"`
	ResultFileName           *string           `json:"resultFileName"`
	ResultPreviewContentHash *string           `json:"resultPreviewContentHash"`
	ResultPath               *string           `json:"resultPath"`
	Labels                   map[string]string `json:"labels"`
	ChargedCredits           int               `json:"chargedCredits"`
	Feedback                 json.RawMessage   `json:"feedback"`
	Fastlane                 bool              `json:"fastlane"`
	Webhooks                 []string          `json:"webhooks"`
}

// detail needs Server.mu; what it returns does not.
func (e *execution) detail() detail {
	d := detail{
		ID: e.ID, Workflow: e.Workflow, WorkflowVersion: e.WorkflowVersion, WorkflowName: e.WorkflowName,
		OrganizationID: e.Organization, Status: e.Status, UserID: userID,
		CreatedAt: stamp(e.CreatedAt), StartedAt: stamp(e.StartedAt), FinishedAt: stamp(e.FinishedAt),
		InputFileName: e.InputName, InputContentHash: e.InputHash,
		Labels: maps.Clone(e.Labels), ChargedCredits: e.Charged, Feedback: bytes.Clone(e.Feedback), Webhooks: e.Webhooks,
	}
	if e.Status == StatusCompleted {
		path := "/image/" + e.ResultHash + "/" + e.ResultName
		d.ResultContentHash, d.ResultContentType, d.ResultFileName = &e.ResultHash, &e.ResultType, &e.ResultName
		d.ResultPreviewContentHash, d.ResultPath = &e.ResultHash, &path
	}
	return d
}

// detailAt is the detail as it was at a moment not before the execution's creation.
func (e *execution) detailAt(t time.Time) detail {
	d := e.detail()
	for _, c := range slices.Backward(e.history) {
		if c.at.After(t) {
			continue
		}
		if c.status != d.Status {
			d.Status, d.FinishedAt = c.status, nil
			d.ResultContentHash, d.ResultContentType, d.ResultFileName = nil, nil, nil
			d.ResultPreviewContentHash, d.ResultPath = nil, nil
			if c.status == StatusCreated {
				d.StartedAt = nil
			}
		}
		break
	}
	return d
}
