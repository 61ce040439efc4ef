package sandbox

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
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
