package sandbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

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
