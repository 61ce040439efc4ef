package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"hotfolder/tidy"
)

// CSV writes a line for each order, its failures in the last column.
func (r Report) CSV(w io.Writer) error {
	c := csv.NewWriter(w)
	lines := [][]string{{"folder", "order", "delivered", "failed", "waiting", "credits", "first", "last", "median_seconds", "worst_seconds", "failures"}}
	failures := map[[2]string][]string{}
	for _, f := range r.Failures {
		key := [2]string{f.Folder, f.Order}
		failures[key] = append(failures[key], fmt.Sprintf("%s: %s", tidy.Visible(f.Path), tidy.Visible(f.Why)))
	}
	for _, f := range r.Folders {
		for _, o := range f.Orders {
			lines = append(lines, []string{
				cell(f.Name), cell(o.Name), strconv.Itoa(o.Delivered), strconv.Itoa(o.Failed), strconv.Itoa(o.Waiting), strconv.Itoa(o.Credits),
				moment(o.First), moment(o.Last), seconds(o.Median), seconds(o.Worst), cell(strings.Join(failures[[2]string{f.Name, o.Name}], " | ")),
			})
		}
	}
	return c.WriteAll(lines) // flushes
}

// cell keeps a spreadsheet from taking a name for a formula.
func cell(name string) string {
	name = tidy.Visible(name)
	if name != "" && strings.ContainsRune("=+-@", rune(name[0])) {
		return "'" + name
	}
	return name
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

func seconds(s float64) string { return strconv.FormatFloat(s, 'f', 1, 64) }
