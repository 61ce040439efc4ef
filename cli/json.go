package cli

import (
	"encoding/json"
	"io"
	"time"
	"unicode/utf8"

	"hotfolder/agent"
	"hotfolder/autoretouch"
	"hotfolder/store"
)

// jsonPrinter prints one document, or of jobs one object a line.
type jsonPrinter struct {
	out      io.Writer
	findings []finding // nil: none was printed
}

func (p *jsonPrinter) status(s agent.Status) error { return p.print(s) }

func (p *jsonPrinter) job(j store.Job) error {
	j.History = nil // `jobs show` has it
	return p.whole(j)
}

// whole writes names that are no UTF-8 so that they can be read, as text output does, and beside them their bytes.
func (p *jsonPrinter) whole(j store.Job) error {
	printed := struct {
		store.Job
		PathBytes   []byte `json:"path_base64,omitempty"`
		OutputBytes []byte `json:"output_base64,omitempty"`
	}{Job: j}
	if !utf8.ValidString(j.Path) {
		printed.PathBytes, printed.Path = []byte(j.Path), visible(j.Path)
	}
	if !utf8.ValidString(j.Output) {
		printed.OutputBytes, printed.Output = []byte(j.Output), visible(j.Output)
	}
	return p.print(printed)
}

func (p *jsonPrinter) organizations(list []autoretouch.Organization) error {
	type organization struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	printed := []organization{}
	for _, o := range list {
		printed = append(printed, organization(o))
	}
	return p.print(printed)
}

func (p *jsonPrinter) workflows(list []autoretouch.Workflow) error {
	type workflow struct {
		ID             string    `json:"id"`
		Version        string    `json:"version"`
		Name           string    `json:"name"`
		Date           time.Time `json:"date,omitzero"`
		ExecutionPrice int       `json:"price"` // credits a picture
	}
	printed := []workflow{}
	for _, w := range list {
		printed = append(printed, workflow(w))
	}
	return p.print(printed)
}

func (p *jsonPrinter) balance(credits int) error { return p.print(map[string]int{"balance": credits}) }

func (p *jsonPrinter) finding(f finding) error {
	p.findings = append(p.findings, f)
	return nil
}

func (p *jsonPrinter) end() error {
	if p.findings == nil {
		return nil
	}
	return p.print(map[string][]finding{"checks": p.findings})
}

func (p *jsonPrinter) print(v any) error {
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
