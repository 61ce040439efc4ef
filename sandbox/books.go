package sandbox

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Books is what happened since New: the truth that a client's own records are held against.
type Books struct {
	Executions []Execution    `json:"executions"` // all that were ever created, oldest first
	Charges    []Charge       `json:"charges"`    // in order; one at most an execution
	Uploads    []UploadRecord `json:"uploads"`    // every accepted upload in order, repeated ones too
	Deliveries []Delivery     `json:"deliveries"` // webhook deliveries that were tried
	Balance    int            `json:"balance"`    // of Organization, in credits
	Calls      map[string]int `json:"calls"`      // by endpoint, refused and failed ones too
	Peak       map[string]int `json:"peak"`       // by endpoint: the most calls at one time
}

// Charged is the sum of all charges in credits.
func (b Books) Charged() int {
	sum := 0
	for _, c := range b.Charges {
		sum += c.Credits
	}
	return sum
}

// Execution is one execution with all that is known of it, also what the API does not tell.
type Execution struct {
	ID              string                     `json:"id"`
	Organization    string                     `json:"organization"`
	Workflow        string                     `json:"workflow"`
	WorkflowVersion string                     `json:"workflowVersion"`
	WorkflowName    string                     `json:"workflowName"`
	Status          string                     `json:"status"`
	CreatedAt       time.Time                  `json:"createdAt"`
	StartedAt       time.Time                  `json:"startedAt,omitzero"`  // of the last try
	FinishedAt      time.Time                  `json:"finishedAt,omitzero"` // completed or failed
	InputName       string                     `json:"inputName"`
	InputHash       string                     `json:"inputHash"`
	InputType       string                     `json:"inputType"`
	ResultName      string                     `json:"resultName,omitempty"`
	ResultHash      string                     `json:"resultHash,omitempty"`
	ResultType      string                     `json:"resultType,omitempty"`
	Labels          map[string]string          `json:"labels"`
	Settings        map[string]json.RawMessage `json:"settings,omitempty"`
	Webhooks        []string                   `json:"webhooks,omitempty"`
	Feedback        json.RawMessage            `json:"feedback,omitempty"`
	Charged         int                        `json:"charged"`  // credits
	Attempts        int                        `json:"attempts"` // times it was ACTIVE
	Retries         int                        `json:"retries"`  // accepted retry calls
	Reason          string                     `json:"reason,omitempty"`
	Vanished        bool                       `json:"vanished,omitempty"` // no call shows it any more
}

// Charge is one payment.
type Charge struct {
	At        time.Time `json:"at"`
	Execution string    `json:"execution"`
	Credits   int       `json:"credits"`
}

// UploadRecord is one accepted upload.
type UploadRecord struct {
	At           time.Time `json:"at"`
	Organization string    `json:"organization"`
	Name         string    `json:"name"`
	Hash         string    `json:"hash"`
	ContentType  string    `json:"contentType"`
	Size         int64     `json:"size"` // bytes
}

// Delivery is one webhook delivery.
type Delivery struct {
	At        time.Time `json:"at"`
	URL       string    `json:"url"`
	Event     string    `json:"event"`
	Execution string    `json:"execution"`
	Status    int       `json:"status"`          // HTTP status of the receiver, 0 if it did not answer
	Error     string    `json:"error,omitempty"` // why it did not
}

// Books returns a copy of the books as they are now.
func (s *Server) Books() Books {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := Books{
		Executions: make([]Execution, len(s.executions)),
		Charges:    slices.Clone(s.books.Charges),
		Uploads:    slices.Clone(s.books.Uploads),
		Deliveries: slices.Clone(s.books.Deliveries),
		Balance:    s.balance[Organization],
		Calls:      maps.Clone(s.books.Calls),
		Peak:       maps.Clone(s.books.Peak),
	}
	for i, e := range s.executions {
		b.Executions[i] = e.Execution
	}
	return b
}

// countCall books the begin of a call and returns what books its end.
func (s *Server) countCall(name string) (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.books.Calls[name]++
	s.inFlight[name]++
	s.books.Peak[name] = max(s.books.Peak[name], s.inFlight[name])
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.inFlight[name]--
	}
}
