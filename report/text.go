package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"hotfolder/tidy"
)

// mostTold is how many failures the text names.
const mostTold = 30

// Text writes the report for a terminal or a mail.
func (r Report) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n\n", r.title(), r.Headline())
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FOLDER\tORDER\tDELIVERED\tFAILED\tWAITING\tCREDITS\tFIRST\tLAST\tMEDIAN\tWORST")
	for _, f := range r.Folders {
		name := tidy.Visible(f.Name)
		if len(f.Orders) != 1 {
			r.line(t, name, "", f.Sums)
			name = ""
		}
		for _, o := range f.Orders {
			r.line(t, name, tidy.Visible(o.Name), o.Sums)
		}
	}
	if len(r.Folders) > 1 {
		r.line(t, "all", "", r.Sums)
	}
	t.Flush()
	for i, f := range r.Failures {
		if i == 0 {
			b.WriteString("\nFAILED\n")
		}
		if i == mostTold {
			break
		}
		fmt.Fprintf(&b, "%s: %s\n    %s\n", tidy.Visible(f.Folder), tidy.Visible(f.Path), tidy.Visible(f.Why))
	}
	if more := r.Failed - mostTold; more > 0 {
		fmt.Fprintf(&b, "and %s more: 'hotfolder jobs --state failed'\n", tidy.Number(more))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Report) line(w io.Writer, folder, order string, s Sums) {
	cells := []string{folder, order, tidy.Number(s.Delivered), tidy.Number(s.Failed), tidy.Number(s.Waiting), tidy.Number(s.Credits),
		r.clock(s.First), r.clock(s.Last), span(s, s.Median), span(s, s.Worst)}
	fmt.Fprintln(w, strings.Join(cells, "\t"))
}

// title names the time that the report is of.
func (r Report) title() string {
	return "Hotfolder, " + day(r.Since) + " to " + day(r.Until)
}

func day(t time.Time) string { return t.Format("Mon 2006-01-02 15:04") }

// Headline is the report in a line.
func (r Report) Headline() string {
	return fmt.Sprintf("%s delivered, %s failed, %s waiting, %s", tidy.Count(r.Delivered, "picture"), tidy.Number(r.Failed), tidy.Number(r.Waiting),
		tidy.Count(r.Credits, "credit"))
}

// clock is a time of day, with the day where the report is of more than one.
func (r Report) clock(t time.Time) string {
	switch {
	case t.IsZero():
		return "-"
	case r.Until.Sub(r.Since) > 24*time.Hour:
		return t.Format("2006-01-02 15:04")
	}
	return t.Format("15:04")
}

func span(s Sums, seconds float64) string {
	if s.Delivered == 0 {
		return "-"
	}
	return tidy.Span(time.Duration(seconds * float64(time.Second)))
}
