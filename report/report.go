// Package report says what happened in a span of time: pictures, failures, credits, times, by hot folder and order. Read this file
// (what is counted), then text.go, csv.go and html.go (how it looks).
package report

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"sort"
	"time"

	"hotfolder/store"
)

// Report is what happened from Since until Until. All its times are in the time zone of Since. Its JSON form is that of
// `hotfolder report --json`.
type Report struct {
	Since        time.Time `json:"since"`
	Until        time.Time `json:"until"`
	Sums                   // of all
	Folders      []Folder  `json:"folders"`
	Failures     []Failure `json:"failures"`                // the first mostFailures of them
	MoreFailures int       `json:"more_failures,omitempty"` // how many are left out
	Hours        []Hour    `json:"hours"`                   // from Since to Until without a gap; days when that is long
}

// Sums are of the jobs of the whole report, a hot folder or an order.
type Sums struct {
	Delivered int       `json:"delivered"`
	Failed    int       `json:"failed"`
	Waiting   int       `json:"waiting"` // neither, at the report's end
	Credits   int       `json:"credits"` // of the executions created within the report's time
	First     time.Time `json:"first,omitzero"`
	Last      time.Time `json:"last,omitzero"`            // delivery
	Median    float64   `json:"median_seconds,omitempty"` // from the discovery of a picture to its delivery
	Worst     float64   `json:"worst_seconds,omitempty"`

	turnarounds []float64 // of those delivered
}

// Folder is one hot folder in a Report.
type Folder struct {
	Name string `json:"name"`
	Sums
	Orders []Order `json:"orders"`
}

// Order is one order of a hot folder; Name is "" for pictures in none.
type Order struct {
	Name string `json:"name"`
	Sums
}

// Failure is a picture that failed and was not delivered after all.
type Failure struct {
	Folder string    `json:"folder"`
	Order  string    `json:"order"`
	Path   string    `json:"path"`
	Job    string    `json:"job"`
	Why    string    `json:"why"`
	At     time.Time `json:"at"`
}

// Hour is an hour, or in a long report a day, that begins at From.
type Hour struct {
	From      time.Time `json:"from"`
	Delivered int       `json:"delivered"`
	Failed    int       `json:"failed"`
}

// Options say what a report is of.
type Options struct {
	Since, Until time.Time
	Folders      []string               // those that it names in any case, in this order
	Order        func(store.Job) string // what people call the order of a job; "": none
}

const (
	mostFailures = 1000
	longest      = 8 * 24 * time.Hour // that a report shows by the hour
)

// Filter chooses the jobs that Make needs.
func (o Options) Filter() store.Filter { return store.Filter{Since: o.Since, Unfinished: true} }

// Make counts the jobs. It keeps a number for each that was delivered in time and mostFailures failures, but no job.
func Make(o Options, jobs iter.Seq2[store.Job, error]) (Report, error) {
	zone := o.Since.Location()
	m := maker{Options: o, orders: map[string]map[string]*Sums{}}
	m.report = Report{Since: o.Since, Until: o.Until.In(zone), Folders: []Folder{}, Failures: []Failure{}}
	m.layHours()
	for _, name := range o.Folders {
		m.orders[name] = map[string]*Sums{}
	}
	for job, err := range jobs {
		if err != nil {
			return Report{}, err
		}
		m.add(job)
	}
	return m.sum(), nil
}

type maker struct {
	Options
	report Report
	orders map[string]map[string]*Sums
}

func (m *maker) add(job store.Job) {
	steps := job.History
	for len(steps) > 0 && !steps[len(steps)-1].Time.Before(m.Until) {
		steps = steps[:len(steps)-1]
	}
	if len(steps) == 0 {
		return
	}
	order := m.Order(job)
	charged := job.Credits != 0 && m.within(job.SubmittedAt)
	last := steps[len(steps)-1]
	first := slices.IndexFunc(steps, func(e store.Event) bool { return e.State == store.Delivered }) // a later one was a redelivery
	switch {
	case last.State == store.Failed && m.within(last.Time):
		m.of(job, order).Failed++
		m.hour(last.Time).Failed++
		m.fail(job, order, last)
	case last.State == store.Failed, last.State == store.Gone:
		if !charged {
			return
		}
	case first >= 0 && m.within(steps[first].Time):
		s, at := m.of(job, order), steps[first].Time
		s.Delivered++
		s.turnarounds = append(s.turnarounds, at.Sub(job.DiscoveredAt).Seconds())
		s.span(at.In(m.Since.Location()))
		m.hour(at).Delivered++
	case first < 0:
		m.of(job, order).Waiting++
	}
	if charged {
		m.of(job, order).Credits += job.Credits
	}
}

func (m *maker) within(t time.Time) bool { return !t.Before(m.Since) && t.Before(m.Until) }

// of is where a job is counted.
func (m *maker) of(job store.Job, order string) *Sums {
	orders := m.orders[job.Folder]
	if orders == nil {
		orders = map[string]*Sums{}
		m.orders[job.Folder] = orders
	}
	if orders[order] == nil {
		orders[order] = &Sums{}
	}
	return orders[order]
}

func (m *maker) fail(job store.Job, order string, e store.Event) {
	if len(m.report.Failures) == mostFailures {
		m.report.MoreFailures++
		return
	}
	m.report.Failures = append(m.report.Failures, Failure{
		Folder: job.Folder, Order: order, Path: job.Path, Job: job.ID, Why: cmp.Or(job.Error, e.Detail), At: e.Time.In(m.Since.Location()),
	})
}

// layHours lays out the hours, or days, of the report.
func (m *maker) layHours() {
	for t := m.begin(m.Since); t.Before(m.Until); t = m.next(t) {
		m.report.Hours = append(m.report.Hours, Hour{From: t})
	}
}

// hour is the one in which t lies.
func (m *maker) hour(t time.Time) *Hour {
	after := sort.Search(len(m.report.Hours), func(i int) bool { return m.report.Hours[i].From.After(t) })
	return &m.report.Hours[after-1]
}

// begin is the beginning of the hour, or day, of t.
func (m *maker) begin(t time.Time) time.Time {
	if m.byDay() {
		return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
	}
	return t.Add(-time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond()))
}

func (m *maker) next(t time.Time) time.Time {
	if m.byDay() {
		return m.begin(t.AddDate(0, 0, 1))
	}
	return t.Add(time.Hour)
}

func (m *maker) byDay() bool { return m.Until.Sub(m.Since) > longest }

// sum adds up the orders to hot folders, and these to the whole.
func (m *maker) sum() Report {
	r := m.report
	for _, name := range m.names() {
		f := Folder{Name: name, Orders: []Order{}}
		for _, order := range slices.Sorted(maps.Keys(m.orders[name])) {
			s := *m.orders[name][order]
			f.add(s)
			s.finish()
			f.Orders = append(f.Orders, Order{order, s})
		}
		r.add(f.Sums)
		f.finish()
		r.Folders = append(r.Folders, f)
	}
	r.finish()
	slices.SortStableFunc(r.Failures, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(slices.Index(m.names(), a.Folder), slices.Index(m.names(), b.Folder)), cmp.Compare(a.Path, b.Path))
	})
	return r
}

// names are the hot folders, those that are no longer configured behind the others.
func (m *maker) names() []string {
	var more []string
	for name := range m.orders {
		if !slices.Contains(m.Folders, name) {
			more = append(more, name)
		}
	}
	slices.Sort(more)
	return append(slices.Clone(m.Folders), more...)
}

func (s *Sums) add(o Sums) {
	s.Delivered += o.Delivered
	s.Failed += o.Failed
	s.Waiting += o.Waiting
	s.Credits += o.Credits
	if o.Delivered > 0 {
		s.span(o.First)
		s.span(o.Last)
	}
	s.turnarounds = append(s.turnarounds, o.turnarounds...)
}

func (s *Sums) span(t time.Time) {
	if s.First.IsZero() || t.Before(s.First) {
		s.First = t
	}
	if t.After(s.Last) {
		s.Last = t
	}
}

// finish takes from the turnarounds what the report tells of them.
func (s *Sums) finish() {
	if n := len(s.turnarounds); n > 0 {
		slices.Sort(s.turnarounds)
		s.Median, s.Worst = (s.turnarounds[(n-1)/2]+s.turnarounds[n/2])/2, s.turnarounds[n-1]
	}
	s.turnarounds = nil
}
