package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"hotfolder/tidy"
)

//go:embed style.css
var style string

//go:embed report.html
var reportPage string

// A page is one file without anything from elsewhere. html/template escapes what is put into it; names go through visible, too.
func newPage(name, text string, more template.FuncMap) *template.Template {
	return template.Must(template.New(name).Funcs(template.FuncMap{
		"visible": tidy.Visible,
		"number":  tidy.Number,
		"count":   tidy.Count,
		"style":   func() template.CSS { return template.CSS(style) },
	}).Funcs(more).Parse(text))
}

var reportTemplate = newPage("report", reportPage, template.FuncMap{"span": span})

// HTML writes the report as one page that needs nothing else.
func (r Report) HTML(w io.Writer) error {
	var b strings.Builder // so that w gets all or nothing
	if err := reportTemplate.Execute(&b, reportView{r}); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// IsPage tells by the mark in its head whether a page is a report.
func IsPage(beginning []byte) bool {
	return bytes.Contains(beginning, []byte(`<meta name="generator" content="hotfolder report">`))
}

// reportView is what the page asks of a report.
type reportView struct{ Report }

func (v reportView) Title() string            { return v.title() }
func (v reportView) Clock(t time.Time) string { return v.clock(t) }
func (v reportView) Chart() chart             { return chartOf(v.Report) }

// chart is how many pictures were delivered and failed in each hour, as a drawing of chartWidth × chartHeight.
type chart struct {
	Width, Height int
	Unit          string // hour or day
	Most          int    // the largest sum of a column
	Columns       []column
	Marks         []mark // along the axis
}

type column struct {
	X, Width                 float64
	DeliveredY, DeliveredTop float64 // height, y
	FailedY, FailedTop       float64
	Title                    string
}

type mark struct {
	X    float64
	Text string
}

const (
	chartWidth  = 800
	chartHeight = 150
	mostMarks   = 12
)

func chartOf(r Report) chart {
	c := chart{Width: chartWidth, Height: chartHeight, Unit: "hour"}
	layout, titles := "15:04", "Mon 15:04"
	if n := len(r.Hours); n > 1 && r.Hours[1].From.Sub(r.Hours[0].From) > time.Hour {
		c.Unit, layout, titles = "day", "01-02", "2006-01-02"
	} else if n > 24 {
		layout = "Mon 15h"
	}
	for _, h := range r.Hours {
		c.Most = max(c.Most, h.Delivered+h.Failed)
	}
	step := float64(chartWidth) / float64(max(len(r.Hours), 1))
	every := (len(r.Hours) + mostMarks - 1) / mostMarks
	for i, h := range r.Hours {
		x := float64(i) * step
		if i%every == 0 {
			c.Marks = append(c.Marks, mark{x, h.From.Format(layout)})
		}
		if h.Delivered+h.Failed == 0 {
			continue
		}
		scale := float64(chartHeight) / float64(c.Most)
		delivered, failed := float64(h.Delivered)*scale, float64(h.Failed)*scale
		title := fmt.Sprintf("%s: %s delivered", h.From.Format(titles), tidy.Number(h.Delivered))
		if h.Failed > 0 {
			title += fmt.Sprintf(", %s failed", tidy.Number(h.Failed))
		}
		c.Columns = append(c.Columns, column{
			X: x + step*0.1, Width: step * 0.8, DeliveredY: delivered, DeliveredTop: chartHeight - delivered,
			FailedY: failed, FailedTop: chartHeight - delivered - failed, Title: title,
		})
	}
	return c
}
