package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"hotfolder/agent"
	"hotfolder/autoretouch"
	"hotfolder/store"
	"hotfolder/tidy"
)

// printer writes answers to stdout, for people (textPrinter) or programs (jsonPrinter).
type printer interface {
	status(agent.Status) error
	job(store.Job) error   // of a list
	whole(store.Job) error // with its history
	organizations([]autoretouch.Organization) error
	workflows([]autoretouch.Workflow) error
	balance(credits int) error
	audit(agent.Audit) error
	recovery(found agent.Recovery, dryRun bool) error
	finding(finding) error // of check
	end() error            // after the last job or finding of a list
}

func (a *app) printer(asJSON bool) printer {
	if asJSON {
		return &jsonPrinter{out: a.out}
	}
	return &textPrinter{out: a.out, colours: hasColours(a.out)}
}

type textPrinter struct {
	out     io.Writer
	colours bool
	begun   bool // the head of a list is written
}

func (p *textPrinter) status(s agent.Status) error {
	var b strings.Builder
	fmt.Fprintln(&b, agentLine(s.Agent))
	fmt.Fprintln(&b, accountLine(s.Account))
	fmt.Fprintln(&b)
	p.counts(&b, s)
	for _, t := range s.Troubles {
		fmt.Fprintf(&b, "\n%s %s\n        mend: %s\n", p.level(string(t.Severity)), visible(troubleText(t)), visible(t.Mend))
	}
	for _, f := range s.Folders {
		if f.Notice != "" {
			fmt.Fprintf(&b, "\n%s %s: %s\n", p.level("note"), visible(f.Name), visible(f.Notice))
		}
	}
	if n := s.Counts[store.Failed]; n > 0 {
		fmt.Fprintf(&b, "\n%s failed: 'hotfolder jobs --state failed' says why, 'hotfolder retry' takes them up again\n", plural(n, "job"))
	}
	_, err := io.WriteString(p.out, b.String())
	return err
}

func agentLine(a agent.ProcessStatus) string {
	switch {
	case !a.Running && a.Since.IsZero():
		return "agent    has never run; 'hotfolder check' says whether it can, 'hotfolder run' or 'hotfolder service start' starts it"
	case !a.Running:
		return fmt.Sprintf("agent    not running since about %s, so nothing is sent or fetched; 'hotfolder check' says whether something is\n"+
			"         wrong, 'hotfolder run' or 'hotfolder service start' starts it", clock(a.Since))
	}
	return fmt.Sprintf("agent    running since %s, version %s, %s in the last hour",
		clock(a.Since), visible(a.Version), plural(a.PerHour, "result"))
}

func accountLine(a agent.AccountStatus) string {
	line := "account  " + strings.ReplaceAll(a.State, "_", " ")
	if a.State == "login_needed" {
		line += " ('hotfolder login')"
	}
	if a.Balance != nil {
		line += fmt.Sprintf(", %s credits", humanize.Comma(int64(*a.Balance)))
	}
	return line + fmt.Sprintf(", %s spent today", humanize.Comma(int64(a.CreditsToday)))
}

// counts writes a line for each hot folder and a column for each state that there is.
func (p *textPrinter) counts(w io.Writer, s agent.Status) {
	var states []store.State
	for _, state := range store.States {
		if s.Counts[state] > 0 || state == store.Delivered || state == store.Failed {
			states = append(states, state)
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, state string, cell func(store.State) string) {
		cells := []string{name, state}
		for _, s := range states {
			cells = append(cells, cell(s))
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	line("FOLDER", "STATE", func(s store.State) string { return heading(string(s)) })
	for _, f := range s.Folders {
		line(visible(f.Name), f.State, func(s store.State) string { return humanize.Comma(int64(f.Counts[s])) })
	}
	if len(s.Folders) > 1 {
		line("all", "", func(state store.State) string { return humanize.Comma(int64(s.Counts[state])) })
	}
	t.Flush()
}

func heading(s string) string { return strings.ToUpper(strings.ReplaceAll(s, "_", " ")) }

func troubleText(t agent.Trouble) string {
	if t.Folder != "" {
		return t.Folder + ": " + t.Text
	}
	return t.Text
}

const jobLine = "%-8s  %-16s  %-16s  %-16s  %9s  %s\n"

// job writes a line at once: there may be a million, so columns cannot wait for the widest.
func (p *textPrinter) job(j store.Job) error {
	if !p.begun {
		p.begun = true
		if _, err := fmt.Fprintf(p.out, jobLine, "ID", "FOLDER", "STATE", "SINCE", "SIZE", "FILE"); err != nil {
			return err
		}
	}
	file := visible(j.Path)
	switch {
	case j.Error != "":
		file += ": " + visible(j.Error)
	case j.Output != "":
		file += " -> " + visible(j.Output)
	}
	_, err := fmt.Fprintf(p.out, jobLine, shortID(j.ID), visible(j.Folder), j.State, clock(j.LastStep()), size(j.Size), file)
	return err
}

func (p *textPrinter) end() error { return nil }

func (p *textPrinter) whole(j store.Job) error {
	t := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	for _, field := range []struct{ name, value string }{
		{"job", j.ID}, {"folder", j.Folder}, {"file", j.Path}, {"size", size(j.Size)}, {"content", j.ContentType},
		{"sha256", j.SHA256}, {"state", string(j.State)}, {"error", j.Error}, {"workflow", j.Workflow}, {"execution", j.Execution},
		{"output", j.Output}, {"batch", j.Batch}, {"attempts", strconv.Itoa(j.Attempts)}, {"credits", strconv.Itoa(j.Credits)},
	} {
		if field.value != "" {
			fmt.Fprintf(t, "%s\t%s\n", field.name, visible(field.value))
		}
	}
	fmt.Fprintln(t)
	for _, e := range j.History {
		fmt.Fprintf(t, "%s\t%-16s  %s\n", e.Time.Local().Format("2006-01-02 15:04:05"), e.State, visible(e.Detail))
	}
	return t.Flush()
}

func (p *textPrinter) organizations(list []autoretouch.Organization) error {
	return p.table(len(list), "no organization", "ID\tNAME", func(i int) string {
		return list[i].ID + "\t" + list[i].Name
	})
}

func (p *textPrinter) workflows(list []autoretouch.Workflow) error {
	return p.table(len(list), "no workflow in this organization", "ID\tNAME\tCREDITS A PICTURE\tVERSION", func(i int) string {
		w := list[i]
		return fmt.Sprintf("%s\t%s\t%d\t%s", w.ID, w.Name, w.ExecutionPrice, w.Version)
	})
}

// table writes n lines of tab-separated cells.
func (p *textPrinter) table(n int, none, head string, line func(i int) string) error {
	if n == 0 {
		_, err := fmt.Fprintln(p.out, none)
		return err
	}
	t := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, head)
	for i := range n {
		cells := strings.Split(line(i), "\t")
		for i, cell := range cells {
			cells[i] = visible(cell)
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

func (p *textPrinter) balance(credits int) error {
	_, err := fmt.Fprintf(p.out, "%s credits\n", humanize.Comma(int64(credits)))
	return err
}

func (p *textPrinter) finding(f finding) error {
	line := p.level(f.Level) + " " + visible(f.What)
	if f.Mend != "" {
		line += "\n        mend: " + visible(f.Mend)
	}
	_, err := fmt.Fprintln(p.out, line)
	return err
}

// level is the first word of a line, 7 wide.
func (p *textPrinter) level(l string) string {
	colour := colourOf[l]
	l = fmt.Sprintf("%-7s", l)
	if !p.colours || colour == "" {
		return l
	}
	return "\x1b[" + colour + "m" + l + "\x1b[0m"
}

func visible(s string) string { return tidy.Visible(s) }

func shortID(id string) string { return id[:min(8, len(id))] }

// clock is a local time, to the minute unless it is today.
func clock(t time.Time) string {
	t = t.Local()
	if t.Format(time.DateOnly) == time.Now().Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format("2006-01-02 15:04")
}

func size(bytes int64) string { return tidy.Bytes(bytes) }

// roughly is a duration as people say it, with tenths while seconds count.
func roughly(d time.Duration) string {
	if d < time.Minute {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

func plural(n int, what string) string { return tidy.Count(n, what) }
