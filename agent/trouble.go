package agent

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Severity says how much a trouble matters.
type Severity string

// The severities.
const (
	Warning Severity = "warning" // passes by itself, or costs only speed
	Error   Severity = "error"   // needs a person
)

// Code names a kind of trouble, for programs.
type Code string

// The kinds of trouble. The catalogue says the rest of each.
const (
	LoginNeeded      Code = "login_needed"
	OutOfCredits     Code = "out_of_credits"
	CreditsLimit     Code = "credits_limit"
	APIUnreachable   Code = "api_unreachable"
	WorkflowRefused  Code = "workflow_refused"
	InputOffline     Code = "input_offline"
	InputClaimed     Code = "input_claimed"
	InputEvents      Code = "input_events"
	InputUnread      Code = "input_unread"
	OutputUnwritable Code = "output_unwritable"
	ResultDamaged    Code = "result_damaged"
	OriginalStuck    Code = "original_stuck"
	ManyFailed       Code = "many_failed"
	NightAtRisk      Code = "night_at_risk"
	LedgerUnwritable Code = "ledger_unwritable"
	LedgerDamaged    Code = "ledger_damaged"
	PageOffline      Code = "page_offline"
	ReportLate       Code = "report_late"
	WebhookOffline   Code = "webhook_offline"
)

// catalogue is everything that may need a person: what it is called, how much it matters, what it is and what mends it. Status,
// the log and whatever else speaks to people take their words from here.
var catalogue = map[Code]struct {
	severity Severity
	text     string
	mend     string
	covers   []Code // what is only a consequence of it, and so not worth saying beside it
}{
	LoginNeeded:      {Error, "AutoRetouch does not accept the login", "run 'hotfolder login'; the queue is kept and goes on by itself", []Code{WorkflowRefused, APIUnreachable}},
	OutOfCredits:     {Error, "the AutoRetouch account is out of credits", "buy credits; what waits goes on by itself", nil},
	CreditsLimit:     {Warning, "today's credits_per_day are used up", "it goes on at midnight, or raise limits.credits_per_day", nil},
	APIUnreachable:   {Warning, "AutoRetouch cannot be reached", "check the network; it is tried again all the time", nil},
	WorkflowRefused:  {Error, "AutoRetouch refuses the workflow or the organization", "correct the ids in the configuration (see 'hotfolder workflows') and restart", nil},
	InputOffline:     {Error, "the input folder cannot be reached", "connect the share or disk; it goes on by itself", []Code{InputEvents, InputUnread}},
	InputClaimed:     {Error, "the input folder is taken", "stop one of the two, or give each its own folder", []Code{InputUnread}},
	InputEvents:      {Warning, "the system reports no changes in the input folder", "new files are found by looking, a little later", nil},
	InputUnread:      {Error, "subfolders of the input cannot be read, and no picture in them is processed", "give the user whom the agent runs as the right to read them, or exclude them; they are tried again all the time", nil},
	OutputUnwritable: {Error, "results cannot be written to the output folder", "connect it, make room on it or give the right to write; results wait and go on by themselves", nil},
	ResultDamaged:    {Error, "a result keeps arriving damaged", "ask AutoRetouch's support about the execution, or whoever runs the proxy; it is downloaded again at least once an hour", nil},
	OriginalStuck:    {Warning, "originals cannot be moved out of the input folder", "close the program that holds them, make room or give the rights to read and to write; it is tried again all the time", nil},
	ManyFailed:       {Error, "many pictures failed", "see why with 'hotfolder jobs --state failed'; 'hotfolder retry' takes them up again", nil},
	NightAtRisk:      {Error, "the night will not go through", "mend it before everybody has left", nil},
	LedgerUnwritable: {Error, "the ledger cannot be written", "make room on the disk of data_dir; it goes on by itself", nil},
	LedgerDamaged:    {Error, "the ledger is damaged", "stop the agent and put the newest copy in its place, or run 'hotfolder recover'", nil},
	WebhookOffline:   {Warning, "results cannot be announced by AutoRetouch", "correct webhook in the configuration and restart; they are found by polling, a little later", nil},
	ReportLate:       {Warning, "the daily report cannot be written or sent", "connect its folder, or correct report and mail in the configuration; it is tried again all the time", nil},
	PageOffline:      {Warning, "the local page is off", "choose another dashboard.listen in the configuration and restart", nil},
}

// Codes are all kinds of trouble that there are.
func Codes() map[Code]Severity {
	codes := map[Code]Severity{}
	for code, c := range catalogue {
		codes[code] = c.severity
	}
	return codes
}

// Trouble is one thing that is wrong now.
type Trouble struct {
	Code     Code      `json:"code"`
	Severity Severity  `json:"severity"`
	Folder   string    `json:"folder,omitempty"` // the hot folder, if it is one's own
	Text     string    `json:"text"`             // what is wrong, with the reason
	Mend     string    `json:"mend"`
	Since    time.Time `json:"since"`
}

type troubleKey struct {
	code   Code
	folder string
}

// troubles is what is wrong now. Each is logged once when it begins and once when it is over.
type troubles struct {
	log *slog.Logger

	mu  sync.Mutex
	now map[troubleKey]Trouble
}

// raise says that something is wrong; reason and mend (perhaps "") make the catalogue's words more exact.
func (t *troubles) raise(code Code, folder, reason, mend string) {
	c := catalogue[code]
	tr := Trouble{Code: code, Severity: c.severity, Folder: folder, Text: c.text, Mend: cmp.Or(mend, c.mend), Since: time.Now()}
	if reason != "" {
		tr.Text += ": " + reason
	}
	key := troubleKey{code, folder}
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, there := t.now[key]; there {
		tr.Since = old.Since
		t.now[key] = tr
		return
	}
	t.now[key] = tr
	level := slog.LevelWarn
	if c.severity == Error {
		level = slog.LevelError
	}
	t.log.Log(context.Background(), level, tr.Text, folderAttr(folder, "code", code, "mend", tr.Mend)...)
}

// clear says that it is over, if it was wrong.
func (t *troubles) clear(code Code, folder string) {
	key := troubleKey{code, folder}
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, there := t.now[key]; there {
		delete(t.now, key)
		t.log.Info("over: "+catalogue[code].text, folderAttr(folder, "code", code, "lasted", time.Since(old.Since).Round(time.Second))...)
	}
}

func folderAttr(folder string, more ...any) []any {
	if folder == "" {
		return more
	}
	return append([]any{"folder", folder}, more...)
}

func (t *troubles) get(code Code, folder string) (tr Trouble, there bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tr, there = t.now[troubleKey{code, folder}]
	return tr, there
}

func (t *troubles) has(code Code, folder string) bool {
	_, there := t.get(code, folder)
	return there
}

// list returns what is wrong, the gravest first, without what is only a consequence of something else in it.
func (t *troubles) list() []Trouble {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []Trouble
	for key, tr := range t.now {
		if !t.coveredLocked(key) {
			list = append(list, tr)
		}
	}
	slices.SortFunc(list, func(a, b Trouble) int {
		return cmp.Or(cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Folder, b.Folder))
	})
	return list
}

func (t *troubles) coveredLocked(key troubleKey) bool {
	for _, other := range t.now {
		if other.Covers(key.code, key.folder) {
			return true
		}
	}
	return false
}

// Covers tells whether the trouble, while it lasts, hides another one, of which it is the cause.
func (t Trouble) Covers(code Code, folder string) bool {
	return slices.Contains(catalogue[t.Code].covers, code) && (t.Folder == "" || t.Folder == folder)
}
