package store

import (
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"
	"time"
)

// Job is one content of one file in one hot folder, and what became of it. Its JSON form is that of `hotfolder jobs --json`.
type Job struct {
	ID     string `json:"id"`     // see NewID; also the label hotfolder_job of its execution
	Folder string `json:"folder"` // name of the hot folder
	Path   string `json:"path"`   // relative to the hot folder's input, slash-separated, the bytes that the file system gave
	SHA256 string `json:"sha256,omitempty"`
	Size   int64  `json:"size"` // bytes
	State  State  `json:"state"`

	ContentType string `json:"content_type,omitempty"`     // by content, not by name
	Workflow    string `json:"workflow,omitempty"`         // the one that the execution was created in
	Version     string `json:"workflow_version,omitempty"` // that processed it
	Execution   string `json:"execution,omitempty"`
	Output      string `json:"output,omitempty"` // relative to the hot folder's output; reserved before anything is written there
	Error       string `json:"error,omitempty"`  // why it failed, or what it waits for
	Attempts    int    `json:"attempts"`         // times that the API was asked to run the execution
	Retries     int    `json:"-"`                // of Attempts, those since a person last asked for the job; -1: a person just did; -2: and takes the result as it is
	Credits     int    `json:"credits"`
	Batch       string `json:"batch,omitempty"`

	Result Result `json:"result,omitzero"`

	DiscoveredAt time.Time `json:"discovered_at,omitzero"`
	UploadedAt   time.Time `json:"uploaded_at,omitzero"`
	SubmittedAt  time.Time `json:"submitted_at,omitzero"`
	CompletedAt  time.Time `json:"completed_at,omitzero"`
	DeliveredAt  time.Time `json:"delivered_at,omitzero"`

	History []Event `json:"history,omitempty"`

	seq uint64 // place in the ledger, in order of discovery
}

// Result is what the API promises of a completed execution.
type Result struct {
	Path        string `json:"path,omitempty"` // resultPath, as the API gave it
	SHA256      string `json:"sha256,omitempty"`
	ContentType string `json:"content_type,omitempty"`
	Name        string `json:"name,omitempty"` // resultFileName, as the API gave it: never a path
}

// Event is a step in a job's life.
type Event struct {
	State  State     `json:"state"`
	Time   time.Time `json:"time"`
	Detail string    `json:"detail,omitempty"`
}

// NewID names the job of one content (hex SHA-256; empty while it could not be read) of one file in one hot folder. The same
// three give the same id on every machine, so an execution created by an agent whose ledger is lost is still found by its label.
func NewID(folder, path, sha string) string {
	sum := sha256.Sum256([]byte(folder + "\x00" + path + "\x00" + sha))
	return strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:]))[:20]
}

// enter puts the job into a state and stamps the time that this state stands for.
func (j *Job) enter(e Event) {
	j.State = e.State
	j.History = append(j.History, e)
	if len(j.History) == 1 {
		j.DiscoveredAt = e.Time
	}
	switch e.State {
	case Uploaded:
		j.UploadedAt = e.Time
	case Processing:
		if j.SubmittedAt.IsZero() {
			j.SubmittedAt = e.Time
		}
	case Downloading:
		j.CompletedAt = e.Time
	case Delivered:
		j.DeliveredAt = e.Time
	}
}

const maxHistory = 40

// LastStep is when the job came into its state.
func (j Job) LastStep() time.Time {
	if n := len(j.History); n > 0 {
		return j.History[n-1].Time
	}
	return slices.MaxFunc([]time.Time{j.DiscoveredAt, j.SubmittedAt, j.DeliveredAt}, time.Time.Compare)
}

// trimHistory drops the oldest steps that were taken again later, so that a job that goes round for weeks stays small.
func (j *Job) trimHistory() {
	for i := 1; len(j.History) > maxHistory && i < len(j.History)-1; {
		state := j.History[i].State
		if state != Processing && slices.ContainsFunc(j.History[i+1:], func(e Event) bool { return e.State == state }) {
			j.History = slices.Delete(j.History, i, i+1)
		} else {
			i++
		}
	}
}
