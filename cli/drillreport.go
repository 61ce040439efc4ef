package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// The results of a scenario.
const (
	resultPass = "pass"
	resultFail = "fail"
	resultSkip = "skip"
)

// outcome is what came of a scenario.
type outcome struct {
	Name       string   `json:"name"`
	Title      string   `json:"title"`
	Result     string   `json:"result"`
	Reason     string   `json:"reason,omitempty"`   // why it was skipped
	Problems   []string `json:"problems,omitempty"` // what was broken, and where
	Pictures   int      `json:"pictures"`
	Executions int      `json:"executions"`
	Results    int      `json:"results"`
	Seconds    float64  `json:"seconds"`
}

// drillSummary counts outcomes.
type drillSummary struct {
	passed, failed, skipped int
	failures                []string // names
	took                    time.Duration
}

func (s *drillSummary) add(o outcome) {
	switch o.Result {
	case resultPass:
		s.passed++
	case resultSkip:
		s.skipped++
	default:
		s.failed++
		s.failures = append(s.failures, o.Name)
	}
}

// drillPrinter tells how a drill goes: to people (drillText) or programs (drillJSON).
type drillPrinter interface {
	begin(*studio, drillOptions) error
	outcome(outcome) error
	end(drillSummary) error
}

func (a *app) drillPrinter(asJSON bool) drillPrinter {
	if asJSON {
		return &drillJSON{jsonPrinter: jsonPrinter{out: a.out}}
	}
	return &drillText{out: a.out, text: textPrinter{colours: hasColours(a.out)}}
}

// listDrill prints the scenarios without running them.
func (a *app) listDrill(asJSON bool) error {
	if asJSON {
		type entry struct {
			Name  string `json:"name"`
			Title string `json:"title"`
		}
		var list []entry
		for _, s := range scenarios() {
			list = append(list, entry{s.name, s.title})
		}
		return (&jsonPrinter{out: a.out}).print(list)
	}
	for _, s := range scenarios() {
		if _, err := fmt.Fprintf(a.out, "%-16s  %s\n", s.name, s.title); err != nil {
			return err
		}
	}
	return nil
}

type drillText struct {
	out  io.Writer
	text textPrinter
}

func (p *drillText) begin(s *studio, o drillOptions) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Drill in %s, against the built-in sandbox; seed %d\n", s.dir, o.seed)
	for _, f := range s.folders {
		fmt.Fprintf(&b, "  %s: %s\n", visible(f.Name), f.whose())
	}
	fmt.Fprintln(&b)
	_, err := io.WriteString(p.out, b.String())
	return err
}

// whose says where the pictures of a folder come from.
func (f studioFolder) whose() string {
	if !f.samples {
		return fmt.Sprintf("copies of %s from %s", plural(len(f.pictures), "picture"), visible(f.Input))
	}
	what := plural(len(f.pictures), "sample photograph")
	if f.Input == "" {
		return what
	}
	return fmt.Sprintf("%s, as there is no picture in %s that it would take now (of at most %s)", what, visible(f.Input), size(largestCopy))
}

func (p *drillText) outcome(o outcome) error {
	line := p.level(o.Result) + " " + fmt.Sprintf("%-48s  ", o.Title)
	switch o.Result {
	case resultPass:
		line += fmt.Sprintf("%s, %s, %s  %.1fs", plural(o.Pictures, "picture"), plural(o.Executions, "execution"), plural(o.Results, "result"), o.Seconds)
	case resultSkip:
		line += o.Reason
	default:
		line += fmt.Sprintf("%.1fs", o.Seconds)
		const most = 10
		for i, problem := range o.Problems {
			if i == most {
				line += fmt.Sprintf("\n      … and %d more", len(o.Problems)-most)
				break
			}
			line += "\n      " + visible(strings.ReplaceAll(problem, "\n", "; "))
		}
	}
	_, err := fmt.Fprintln(p.out, line)
	return err
}

// level is the first word of a line, 4 wide.
func (p *drillText) level(result string) string {
	word := map[string]string{resultPass: "pass", resultFail: "FAIL", resultSkip: "skip"}[result]
	if !p.text.colours {
		return word
	}
	return "\x1b[" + map[string]string{resultPass: "32", resultFail: "31", resultSkip: "33"}[result] + "m" + word + "\x1b[0m"
}

func (p *drillText) end(s drillSummary) error {
	_, err := fmt.Fprintf(p.out, "\n%d passed, %d failed, %d skipped in %s\n", s.passed, s.failed, s.skipped, roughly(s.took))
	return err
}

// drillJSON prints one document at the end.
type drillJSON struct {
	jsonPrinter
	doc drillDocument
}

type drillDocument struct {
	Folder    string        `json:"folder"` // of the drill
	Seed      uint64        `json:"seed"`
	Folders   []drillFolder `json:"folders"`
	Scenarios []outcome     `json:"scenarios"`
	Passed    int           `json:"passed"`
	Failed    int           `json:"failed"`
	Skipped   int           `json:"skipped"`
}

type drillFolder struct {
	Name     string `json:"name"`
	Pictures int    `json:"pictures"`
	Samples  bool   `json:"samples"` // sample photographs, not its own
}

func (p *drillJSON) begin(s *studio, o drillOptions) error {
	p.doc.Folder, p.doc.Seed = s.dir, o.seed
	for _, f := range s.folders {
		p.doc.Folders = append(p.doc.Folders, drillFolder{f.Name, len(f.pictures), f.samples})
	}
	return nil
}

func (p *drillJSON) outcome(o outcome) error {
	p.doc.Scenarios = append(p.doc.Scenarios, o)
	return nil
}

func (p *drillJSON) end(s drillSummary) error {
	p.doc.Passed, p.doc.Failed, p.doc.Skipped = s.passed, s.failed, s.skipped
	return p.print(p.doc)
}
