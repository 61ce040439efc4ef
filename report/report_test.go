package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the summer time of Berlin, wherever this runs

	"hotfolder/report"
	"hotfolder/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

var berlin = time.FixedZone("CET", 3600)

// night is when the tests' reports are of; at is a time in it, or around it.
var night = report.Options{
	Since: at("22 18:00").In(berlin), Until: at("23 07:00"), Folders: []string{"packshots", "website"},
	Order: func(j store.Job) string {
		if dir := path.Dir(j.Path); dir != "." {
			return dir
		}
		return ""
	},
}

func at(clock string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", "2026-11-"+clock, berlin)
	if err != nil {
		panic(err)
	}
	return t.UTC() // as any zone
}

// job is one with a life: "22 17:50 queued", "22 18:10 delivered", …
func job(folder, path string, credits int, life ...string) store.Job {
	j := store.Job{ID: store.NewID(folder, path, "aa"), Folder: folder, Path: path, SHA256: "aa", Credits: credits}
	for _, step := range life {
		when, state := at(step[:8]), store.State(step[9:])
		j.History = append(j.History, store.Event{State: state, Time: when})
		j.State = state
		switch state {
		case store.Processing:
			j.SubmittedAt = when
		case store.Failed:
			j.Error = "the picture is " + path + ": copy it again"
		case store.Delivered:
			j.DeliveredAt = when
		}
	}
	j.DiscoveredAt = j.History[0].Time
	return j
}

func jobs(list ...store.Job) iter.Seq2[store.Job, error] {
	return func(yield func(store.Job, error) bool) {
		for _, j := range list {
			if !yield(j, nil) {
				return
			}
		}
	}
}

const evil = "</td><script>alert(1)</script>\x1b[2J\"'`${x}\u202e\xff\r\n&"

var scenes = map[string][]store.Job{
	"nothing": nil,
	"a night": {
		job("packshots", "shoes/a.jpg", 10, "22 17:50 queued", "22 17:59 processing", "22 18:10 delivered"), // charged before
		job("packshots", "shoes/b.jpg", 10, "22 18:05 queued", "22 18:06 processing", "22 18:08 delivered"),
		job("packshots", "shoes/c.jpg", 10, "22 18:05 queued", "22 18:06 processing", "23 02:05 delivered"),
		job("packshots", "shoes/late.jpg", 10, "22 18:05 queued", "22 18:06 processing", "23 07:00 delivered"), // waits at the end
		job("packshots", "bags/bad.jpg", 0, "22 19:00 queued", "22 19:01 failed"),
		job("packshots", "bags/qa.jpg", 10, "21 19:00 queued", "21 19:01 processing", "21 19:02 in_qa"),
		job("packshots", "bags/again.jpg", 10, "22 19:00 queued", "22 19:01 failed", "22 20:00 queued", "22 20:01 processing", "22 20:02 delivered"),
		job("packshots", "old/failed.jpg", 10, "20 19:00 queued", "20 19:01 failed"),
		job("packshots", "old/redelivered.jpg", 10, "20 19:00 queued", "20 19:01 processing", "20 19:02 delivered", "22 22:00 downloading", "22 22:01 delivered"),
		job("packshots", "old/gone.jpg", 0, "22 19:00 queued", "22 22:01 gone"),
		job("packshots", "tomorrow.jpg", 10, "23 08:00 queued", "23 08:01 processing", "23 08:05 delivered"),
		job("formerly", "x.jpg", 3, "22 23:00 queued", "22 23:01 processing", "22 23:02 delivered"),
	},
	"evil names": {
		job("packshots", evil+"/a.jpg", 10, "22 18:05 queued", "22 18:06 processing", "22 18:08 delivered"),
		job("packshots", evil+"/"+evil+".jpg", 0, "22 18:05 queued", "22 18:06 failed"),
		job("packshots", "=HYPERLINK(1)/a.jpg", 10, "22 18:05 queued", "22 18:06 processing", "22 18:08 delivered"),
		job(evil, "-1/a.jpg", 10, "22 18:05 queued", "22 18:06 processing", "22 18:08 delivered"),
	},
}

func TestReports(t *testing.T) {
	for name, list := range scenes {
		r, err := report.Make(night, jobs(list...))
		if err != nil {
			t.Fatal(err)
		}
		for ending, print := range map[string]func(io.Writer) error{
			"txt": r.Text, "csv": r.CSV, "html": r.HTML,
			"json": func(w io.Writer) error { e := json.NewEncoder(w); e.SetIndent("", " "); return e.Encode(r) },
		} {
			var got bytes.Buffer
			if err := print(&got); err != nil {
				t.Fatal(err)
			}
			golden(t, strings.ReplaceAll(name, " ", "-")+"."+ending, got.Bytes())
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want = bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n")) // a clone on Windows
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
	}
}

// In an hour that the clocks repeat, and in one that they leave out, nothing is lost or counted elsewhere.
func TestSummerTime(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for day, hours := range map[int]int{25: 25, 29: 23} { // in October 2026 and March 2026
		month := map[int]time.Month{25: time.October, 29: time.March}[day]
		o := night
		o.Since, o.Until = time.Date(2026, month, day, 0, 0, 0, 0, zone), time.Date(2026, month, day+1, 0, 0, 0, 0, zone)
		var list []store.Job
		for i := range hours {
			when := o.Since.Add(time.Duration(i)*time.Hour + 30*time.Minute)
			list = append(list, store.Job{ID: fmt.Sprint(i), DiscoveredAt: when, State: store.Delivered, History: []store.Event{{State: store.Delivered, Time: when}}})
		}
		r, err := report.Make(o, jobs(list...))
		if err != nil || len(r.Hours) != hours {
			t.Errorf("%v: %d hours, %v", month, len(r.Hours), err)
		}
		for _, h := range r.Hours {
			if h.Delivered != 1 {
				t.Errorf("%v: %d delivered from %v on", month, h.Delivered, h.From)
			}
		}
	}
}

func TestALongReport(t *testing.T) {
	o := night
	o.Since = at("01 18:00").In(berlin)
	list := func(yield func(store.Job, error) bool) {
		for i := range 5000 {
			if !yield(job("packshots", fmt.Sprintf("shoes/%d.jpg", i), 0, "02 18:05 queued", "02 18:06 failed"), nil) {
				return
			}
		}
		yield(job("packshots", "shoes/a.jpg", 2, "05 18:05 queued", "05 18:06 processing", "06 18:08 delivered"), nil)
	}
	r, err := report.Make(o, list)
	if err != nil || len(r.Hours) != 23 || r.Hours[1].Failed != 5000 || r.Hours[5].Delivered != 1 {
		t.Errorf("%v: %d columns, %+v", err, len(r.Hours), r.Hours)
	}
	if r.Failed != 5000 || len(r.Failures)+r.MoreFailures != 5000 || len(r.Failures) != 1000 {
		t.Errorf("%d failed, %d named, %d more", r.Failed, len(r.Failures), r.MoreFailures)
	}
	var text, page bytes.Buffer
	if err := errors.Join(r.Text(&text), r.HTML(&page)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "\nand 4,970 more:") || !strings.Contains(page.String(), "and 4,000 more:") || !strings.Contains(text.String(), "2026-11-06 18:08  1d 0h") {
		t.Error(text.String())
	}
}

func TestAnErrorEndsTheReport(t *testing.T) {
	broken := errors.New("the ledger is damaged")
	_, err := report.Make(night, func(yield func(store.Job, error) bool) { yield(store.Job{}, broken) })
	if !errors.Is(err, broken) {
		t.Error(err)
	}
}

// Whatever the names, a page holds no element that is not the template's, a table of CSV has its columns, and a text no control
// character.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{evil, "a", "=1", "<!--", "]]>", "'\";--", "\x00", "{{.}}", "</style>"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, folder, file string) {
		failed := job(folder, file, 0, "22 18:05 queued", "22 18:06 failed")
		done := job(folder, file+"/x", 1, "22 18:05 queued", "22 18:06 processing", "22 18:07 delivered")
		r, err := report.Make(night, jobs(failed, done))
		if err != nil || r.Delivered != 1 || r.Failed != 1 {
			t.Fatal(r, err)
		}
		var text, table, page bytes.Buffer
		if err := errors.Join(r.Text(&text), r.CSV(&table), r.HTML(&page)); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(text.String(), func(r rune) bool { return r < ' ' && r != '\n' || r == '\u202e' || r == 0x7f }) {
			t.Errorf("%q", text.String())
		}
		lines, err := csv.NewReader(&table).ReadAll()
		if err != nil {
			t.Error(err)
		}
		for _, line := range lines {
			for _, cell := range line {
				if strings.HasPrefix(cell, "=") || strings.HasPrefix(cell, "@") || strings.HasPrefix(cell, "+") || strings.ContainsAny(cell, "\r\n\t") {
					t.Errorf("a cell %q", cell)
				}
			}
		}
		wantOnlyOurs(t, page.String())
	})
}

// wantOnlyOurs wants a page to be built of the elements and attributes of the templates.
func wantOnlyOurs(t *testing.T, page string) {
	t.Helper()
	elements := " html head meta title style body h1 h2 p div table tr th td svg g line rect text code ul li small br span "
	attributes := " lang charset name content class viewBox role aria-label x y x1 x2 y1 y2 width height text-anchor http-equiv "
	d := xml.NewDecoder(strings.NewReader(page[strings.Index(page, "<html"):]))
	d.Strict = false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v in %s", err, page)
		}
		switch e := token.(type) {
		case xml.StartElement:
			if !strings.Contains(elements, " "+e.Name.Local+" ") {
				t.Errorf("an element %s in %s", e.Name.Local, page)
			}
			for _, a := range e.Attr {
				if !strings.Contains(attributes, " "+a.Name.Local+" ") {
					t.Errorf("an attribute %s in %s", a.Name.Local, page)
				}
			}
		case xml.Comment, xml.ProcInst:
			t.Errorf("%v in %s", e, page)
		}
	}
}
