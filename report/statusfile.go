package report

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	_ "embed"

	"hotfolder/agent"
	"hotfolder/store"
)

// StatusFileName is the page in an input folder. The watcher ignores it whatever the folder includes.
const StatusFileName = "_STATUS.html"

// StatusFiles keeps a small page in each of some input folders, for everyone who sees the folder and has no other screen.
type StatusFiles struct {
	Folders []string // their names
	Status  func(context.Context) (agent.Status, error)
	Jobs    func(context.Context, store.Filter) iter.Seq2[store.Job, error]
	Latest  func(state store.State, folder string, most int) ([]store.Job, error)
	Write   func(folder, name string, page []byte, ours func(beginning []byte) bool) error
	Remove  func(folder, name string, ours func(beginning []byte) bool) error
	Log     *slog.Logger
}

const (
	renewEvery   = 15 * time.Second // at most,
	firstRenewal = 2 * time.Second  // but for the first, which wait for the folders to be known,
	lifeSign     = 10 * time.Minute // and at least, as the page says that an older one is not kept any more
	mostStuck    = 50               // failed pictures that a page names
)

// Run keeps the pages until ctx ends. Then it marks them as those of a stopped agent.
func (f StatusFiles) Run(ctx context.Context) {
	var keepers []*keeper
	host, _ := os.Hostname() // "": then it is left out
	for _, name := range f.Folders {
		keepers = append(keepers, &keeper{StatusFiles: f, folder: name, computer: host})
	}
	for wait := firstRenewal; ctx.Err() == nil; wait = min(2*wait, renewEvery) {
		if s, err := f.Status(ctx); err == nil {
			for _, k := range keepers {
				k.renew(ctx, s)
			}
		}
		pause(ctx, wait)
	}
	ended := context.WithoutCancel(ctx)
	s, err := f.Status(ended)
	if err != nil {
		return
	}
	for _, k := range keepers {
		if k.written != nil {
			k.stopped = true
			k.renew(ended, s)
		}
	}
}

// Clear removes the pages that were left in folders that are to have none any more, each once its folder is there, or until ctx ends.
func (f StatusFiles) Clear(ctx context.Context, folders []string) {
	left := slices.Clone(folders)
	for wait := firstRenewal; ctx.Err() == nil; wait = min(2*wait, renewEvery) {
		left = slices.DeleteFunc(left, func(folder string) bool {
			err := f.Remove(folder, StatusFileName, isStatusFile)
			if err != nil {
				f.Log.Debug("status page not removed, will try again", "folder", folder, "err", err)
			}
			return err == nil
		})
		if len(left) == 0 {
			return
		}
		pause(ctx, wait)
	}
}

// isStatusFile tells by the mark in its head whether a page was written by an agent.
func isStatusFile(beginning []byte) bool {
	return bytes.Contains(beginning, []byte(`<meta name="generator" content="hotfolder status_file">`))
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// keeper keeps the page of one folder.
type keeper struct {
	StatusFiles
	folder   string
	computer string
	stopped  bool
	written  *facts // what the page that is there was made of; nil: none was written

	today     string // the day that done is counted of, by
	delivered int    // how many were delivered before it
}

// facts are what a page depends on; while they stay the same, so does the page.
type facts struct {
	Stopped  bool
	Day      string
	Life     time.Time // of the sign of life
	Counts   map[store.State]int
	Notice   string
	Troubles []agent.Trouble // the folder's own, and those of the whole
}

// renew writes the page anew if something has changed.
func (k *keeper) renew(ctx context.Context, s agent.Status) {
	now := time.Now()
	is := k.factsOf(s, now)
	if is == nil || k.written != nil && reflect.DeepEqual(is, k.written) {
		return
	}
	page, err := k.page(ctx, is, now)
	if err == nil {
		err = k.Write(k.folder, StatusFileName, page, isStatusFile)
	}
	if err != nil { // people are told by a notice, and only those who write to the folder miss something
		k.Log.Debug("status page not written, will try again", "folder", k.folder, "err", err)
		return
	}
	k.written = is
}

func (k *keeper) factsOf(s agent.Status, now time.Time) *facts {
	for _, f := range s.Folders {
		if f.Name != k.folder {
			continue
		}
		is := &facts{Stopped: k.stopped, Day: now.Format(time.DateOnly), Life: now.Truncate(lifeSign), Counts: f.Counts, Notice: f.Notice}
		for _, t := range s.Troubles {
			if t.Folder == "" && t.Severity == agent.Error || t.Folder == k.folder {
				is.Troubles = append(is.Troubles, t)
			}
		}
		return is
	}
	return nil
}

// statusView is what the page shows.
type statusView struct {
	*facts
	Folder, Computer string
	Written          time.Time
	Waiting          int // to be sent
	Working          int // at AutoRetouch
	InQA             int
	QASince          time.Time
	Unpaid           int
	Coming           int
	Today            int
	Failed           int
	Stuck            []stuckPicture
}

type stuckPicture struct{ Path, Why string }

// More is how many failed pictures are not named. Some may have come or gone since they were counted.
func (v statusView) More() int { return max(0, v.Failed-len(v.Stuck)) }

// Moment is a local time, with the day unless that is the page's.
func (v statusView) Moment(t time.Time) string {
	if t.Local().Format(time.DateOnly) == v.Written.Format(time.DateOnly) {
		return t.Local().Format("15:04")
	}
	return t.Local().Format("Mon 2006-01-02 15:04")
}

//go:embed statusfile.html
var statusFilePage string

var statusTemplate = newPage("status", statusFilePage, nil)

func (k *keeper) page(ctx context.Context, is *facts, now time.Time) ([]byte, error) {
	n := is.Counts
	v := statusView{
		facts: is, Folder: k.folder, Computer: k.computer, Written: now,
		Waiting: n[store.Queued] + n[store.Uploaded], Working: n[store.Submitting] + n[store.Processing], InQA: n[store.InQA],
		Unpaid: n[store.PaymentRequired], Coming: n[store.Downloading], Failed: n[store.Failed],
	}
	if err := k.count(ctx, is); err != nil {
		return nil, err
	}
	v.Today = max(0, n[store.Delivered]-k.delivered)
	for job, err := range k.Jobs(ctx, store.Filter{State: store.InQA, Folder: k.folder}) {
		if err != nil {
			return nil, err
		}
		if since := job.LastStep(); v.QASince.IsZero() || since.Before(v.QASince) {
			v.QASince = since
		}
	}
	failed, err := k.Latest(store.Failed, k.folder, mostStuck)
	if err != nil {
		return nil, err
	}
	for _, job := range failed {
		v.Stuck = append(v.Stuck, stuckPicture{job.Path, job.Error})
	}
	var b strings.Builder
	if err := statusTemplate.Execute(&b, v); err != nil {
		return nil, fmt.Errorf("write the status page: %w", err)
	}
	return []byte(b.String()), nil
}

// count finds out how many pictures were delivered before today: by the jobs themselves once, then by the clock.
func (k *keeper) count(ctx context.Context, is *facts) error {
	if k.today == is.Day {
		return nil
	}
	delivered := is.Counts[store.Delivered]
	if k.today == "" {
		midnight, _ := time.ParseInLocation(time.DateOnly, is.Day, time.Local) // as it was written
		filter := store.Filter{State: store.Delivered, Folder: k.folder, Since: midnight}
		for _, err := range k.Jobs(ctx, filter) {
			if err != nil {
				return err
			}
			delivered--
		}
	}
	k.today, k.delivered = is.Day, delivered
	return nil
}
