package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hotfolder/store"
)

const sha = "aa11223344556677889900aabbccddeeff00112233445566778899aabbccddee"

func open(t *testing.T) *store.Ledger {
	t.Helper()
	l, err := store.Open(filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func newJob(path, sha string) store.Job {
	return store.Job{ID: store.NewID("packshots", path, sha), Folder: "packshots", Path: path, SHA256: sha, Size: 7, State: store.Queued}
}

func add(t *testing.T, l *store.Ledger, job store.Job) store.Job {
	t.Helper()
	job, _, err := l.Add(job, store.Seen{Size: job.Size, ModTime: time.Unix(1e9, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func walk(t *testing.T, l *store.Ledger, id string, states ...store.State) store.Job {
	t.Helper()
	job, err := l.Get(id)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states {
		if job, err = l.Step(job, s, "", nil); err != nil {
			t.Fatal(err)
		}
	}
	return job
}

func TestUnseeOfAnUnseenFileWritesNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ledger.db")
	l, err := store.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	job := add(t, l, newJob("a.jpg", sha))
	written := func(paths ...string) bool {
		before, _ := os.ReadFile(file)
		for _, path := range paths {
			if err := l.Unsee(job.Folder, path); err != nil {
				t.Fatal(err)
			}
		}
		after, _ := os.ReadFile(file)
		return !slices.Equal(before, after)
	}
	if !written(job.Path) || known(l, job.Folder, job.Path, job.Size, time.Unix(1e9, 0)) {
		t.Error("a file that was seen is not forgotten")
	}
	if written(job.Path, "never seen.jpg") {
		t.Error("it was written though nothing changed")
	}
}

func TestAJobKeepsEverythingAcrossAReopen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ledger.db")
	l, err := store.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	job := newJob("a/Ünï\xff\n.jpg", sha) // neither UTF-8 nor printable
	job = add(t, l, job)
	job = walk(t, l, job.ID, store.Uploaded, store.Submitting)
	want, err := l.Step(job, store.Processing, "execution created", func(j *store.Job) {
		j.Execution, j.Workflow, j.Version, j.Credits, j.Attempts, j.Batch = "e-1", "w-1", "v1", 10, 1, "b-1"
		j.Output = "a/out.png"
		j.Result = store.Result{Path: "/image/x/y z.png", SHA256: sha, ContentType: "image/png", Name: "y z.png"}
	})
	if err != nil {
		t.Fatal(err)
	}
	l.Close()

	l, err = store.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got, err := l.Get(job.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.History) != 4 || got.History[3].Detail != "execution created" {
		t.Errorf("history %v", got.History)
	}
	for name, at := range map[string][2]time.Time{"discovered": {got.DiscoveredAt, want.DiscoveredAt},
		"uploaded": {got.UploadedAt, want.UploadedAt}, "submitted": {got.SubmittedAt, want.SubmittedAt}} {
		if at[0].IsZero() || at[0].UnixMilli() != at[1].UnixMilli() {
			t.Errorf("%s at %v, want %v", name, at[0], at[1])
		}
	}
	if a, b := fmt.Sprintf("%q", facts(got)), fmt.Sprintf("%q", facts(want)); a != b {
		t.Errorf("after the reopen\n%s\nbefore\n%s", a, b)
	}
}

func facts(j store.Job) []any {
	return []any{j.ID, j.Folder, j.Path, j.SHA256, j.Size, j.State, j.Execution, j.Workflow, j.Version, j.Output, j.Attempts, j.Credits, j.Batch, j.Result}
}

// No state is a dead end, none leads to itself, and nothing unknown leads anywhere.
func TestStepsLeadOnlyToKnownStates(t *testing.T) {
	for _, from := range store.States {
		var to []store.State
		for _, s := range store.States {
			if store.May(from, s) {
				to = append(to, s)
			}
		}
		if len(to) == 0 {
			t.Errorf("%s is a dead end", from)
		}
		if store.May(from, from) {
			t.Errorf("%s leads to itself", from)
		}
	}
	if store.May(store.Queued, "nonsense") || store.May("nonsense", store.Queued) {
		t.Error("an unknown state has steps")
	}
}

// What costs money twice must not be a step: once an execution exists, no way leads back to creating another.
func TestAPaidJobNeverGetsBackToCreate(t *testing.T) {
	for _, from := range []store.State{store.Processing, store.InQA, store.PaymentRequired, store.Downloading, store.Delivered} {
		for _, to := range []store.State{store.Queued, store.Uploaded, store.Submitting, store.Gone} {
			if store.May(from, to) {
				t.Errorf("%s leads to %s", from, to)
			}
		}
	}
}

func TestAStepOutsideTheTableWritesNothing(t *testing.T) {
	l := open(t)
	job := add(t, l, newJob("a.jpg", sha))
	if _, err := l.Step(job, store.Delivered, "", func(j *store.Job) { j.Output = "x" }); !errors.Is(err, store.ErrStep) {
		t.Fatalf("got %v, want ErrStep", err)
	}
	got, _ := l.Get(job.ID)
	if got.State != store.Queued || got.Output != "" || len(got.History) != 1 {
		t.Errorf("the refused step left %+v", got)
	}
}

// Nor does one from a state in which the job is no longer, though the table has a step from where it is, too.
func TestAStepFromAnOldStateWritesNothing(t *testing.T) {
	l := open(t)
	old := add(t, l, newJob("a.jpg", sha))
	walk(t, l, old.ID, store.Uploaded, store.Submitting)
	if _, err := l.Step(old, store.Failed, "", nil); !errors.Is(err, store.ErrStep) {
		t.Fatalf("got %v, want ErrStep", err)
	}
	if got, _ := l.Get(old.ID); got.State != store.Submitting || len(got.History) != 3 {
		t.Errorf("the refused step left %+v", got)
	}
}

func known(l *store.Ledger, folder, path string, size int64, modTime time.Time) (is bool) {
	l.Known(folder, func(known func(string, store.Seen) bool) { is = known(path, store.Seen{Size: size, ModTime: modTime}) })
	return is
}

func TestTheSameContentOfTheSameFileIsOneJob(t *testing.T) {
	l := open(t)
	first := add(t, l, newJob("a.jpg", sha))
	walk(t, l, first.ID, store.Uploaded)
	touched := store.Seen{Size: 7, ModTime: time.Unix(2e9, 5)}
	again, added, err := l.Add(newJob("a.jpg", sha), touched)
	if err != nil || added || again.State != store.Uploaded {
		t.Errorf("added %v, %v, %v; want the job as it was", again.State, added, err)
	}
	if !known(l, "packshots", "a.jpg", 7, touched.ModTime) {
		t.Error("the touched file is not known as it is now")
	}
	if known(l, "packshots", "a.jpg", 8, touched.ModTime) || known(l, "packshots", "a.jpg", 7, time.Unix(1e9, 0)) || known(l, "other", "a.jpg", 7, touched.ModTime) {
		t.Error("a file is known as it is not")
	}
}

func TestReplacedContent(t *testing.T) {
	other := strings.Repeat("b", 64)
	for _, tc := range []struct {
		name  string
		steps []store.State
		want  store.State
	}{
		{"queued", nil, store.Gone},
		{"uploaded", []store.State{store.Uploaded}, store.Gone},
		{"failed unpaid", []store.State{store.Failed}, store.Gone},
		{"being submitted", []store.State{store.Uploaded, store.Submitting}, store.Submitting},
		{"failed when paid", []store.State{store.Uploaded, store.Submitting, store.Processing, store.Failed}, store.Failed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := open(t)
			old := add(t, l, newJob("a.jpg", sha))
			walk(t, l, old.ID, tc.steps...)
			add(t, l, newJob("a.jpg", other))
			if got, _ := l.Get(old.ID); got.State != tc.want {
				t.Errorf("the old content's job is %s, want %s", got.State, tc.want)
			}
			if got, _ := l.ByPath("packshots", "a.jpg"); got.SHA256 != other {
				t.Errorf("the path stands for %s", got.SHA256)
			}
			if back := add(t, l, newJob("a.jpg", sha)); tc.want == store.Gone && back.State != store.Queued {
				t.Errorf("the old content came back as %s", back.State)
			}
		})
	}
}

func TestNextFindsWhatIsOwedInOrderOfDiscovery(t *testing.T) {
	l := open(t)
	var ids []string
	for i := range 20 {
		ids = append(ids, add(t, l, newJob(fmt.Sprintf("%02d.jpg", 20-i), sha)).ID)
	}
	walk(t, l, ids[3], store.Uploaded)
	elsewhere := newJob("x.jpg", sha)
	elsewhere.Folder, elsewhere.ID = "packshots2", store.NewID("packshots2", "x.jpg", sha)
	add(t, l, elsewhere)

	jobs, err := l.Next(store.Queued, "packshots", 5, func(id string) bool { return id == ids[1] })
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, j := range jobs {
		got = append(got, j.ID)
	}
	if want := []string{ids[0], ids[2], ids[4], ids[5], ids[6]}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	counts, _ := l.Counts()
	if counts["packshots"][store.Queued] != 19 || counts["packshots"][store.Uploaded] != 1 || counts["packshots2"][store.Queued] != 1 {
		t.Errorf("counts %v", counts)
	}
}

func TestLatestIsNextBackwards(t *testing.T) {
	l := open(t)
	if jobs, err := l.Latest(store.Queued, "packshots", 3); len(jobs) > 0 || err != nil {
		t.Errorf("an empty ledger has %v, %v", jobs, err)
	}
	var ids []string
	for i := range 300 { // more than a byte counts
		ids = append(ids, add(t, l, newJob(fmt.Sprint(i), sha)).ID)
	}
	walk(t, l, ids[298], store.Uploaded)
	walk(t, l, ids[7], store.Uploaded, store.Submitting, store.Processing, store.Downloading, store.Delivered)
	for _, folder := range []string{"packshot", "packshots2", "qackshots"} {
		job := newJob("x.jpg", sha)
		job.Folder, job.ID = folder, store.NewID(folder, "x.jpg", sha)
		add(t, l, job)
	}
	for name, c := range map[string]struct {
		state  store.State
		folder string
		want   []string
	}{
		"many":        {store.Queued, "packshots", []string{ids[299], ids[297], ids[296]}},
		"one":         {store.Uploaded, "packshots", []string{ids[298]}},
		"at the end":  {store.Delivered, "packshots", []string{ids[7]}},
		"none":        {store.Failed, "packshots", nil},
		"the last":    {store.Queued, "qackshots", []string{store.NewID("qackshots", "x.jpg", sha)}},
		"of no state": {"", "packshots", nil},
	} {
		jobs, err := l.Latest(c.state, c.folder, 3)
		var got []string
		for _, j := range jobs {
			got = append(got, j.ID)
		}
		if !slices.Equal(got, c.want) || err != nil {
			t.Errorf("%s: %v, %v; want %v", name, got, err, c.want)
		}
	}
}

func TestAnOutputNameHasOneOwner(t *testing.T) {
	l := open(t)
	a, b := add(t, l, newJob("IMG.jpg", sha)), add(t, l, newJob("IMG.png", sha))
	reserve := func(id, name string) error {
		_, err := l.Note(id, func(j *store.Job) { j.Output = name })
		return err
	}
	if err := reserve(a.ID, "IMG.png"); err != nil {
		t.Fatal(err)
	}
	if err := reserve(a.ID, "IMG.png"); err != nil {
		t.Errorf("its own name again: %v", err)
	}
	if err := reserve(b.ID, "IMG.png"); !errors.Is(err, store.ErrTaken) {
		t.Errorf("got %v, want ErrTaken", err)
	}
	if err := reserve(a.ID, "IMG_2.png"); err != nil {
		t.Fatal(err)
	}
	if err := reserve(b.ID, "IMG.png"); err != nil {
		t.Errorf("a name that was given back: %v", err)
	}
	if owner, err := l.OwnerOf("packshots", "IMG.png"); err != nil || owner.ID != b.ID {
		t.Errorf("owner %v, %v", owner.ID, err)
	}
}

func TestCreditsAreCountedOnTheDayOfSubmission(t *testing.T) {
	l := open(t)
	job := add(t, l, newJob("a.jpg", sha))
	job = walk(t, l, job.ID, store.Uploaded, store.Submitting)
	job, _ = l.Step(job, store.Processing, "", func(j *store.Job) { j.Credits = 10 })
	l.Step(job, store.Downloading, "", func(j *store.Job) { j.Credits = 12 })
	if got, err := l.Credits(time.Now()); got != 12 || err != nil {
		t.Errorf("%d credits today, %v; want 12", got, err)
	}
}

// The day is this machine's, also of a time that the API gave.
func TestCreditsAreCountedOnTheLocalDay(t *testing.T) {
	l := open(t)
	job := add(t, l, newJob("a.jpg", sha))
	job = walk(t, l, job.ID, store.Uploaded, store.Submitting)
	local := time.Date(2026, 11, 23, 12, 0, 0, 0, time.Local)
	_, offset := local.Zone()
	elsewhere := local.In(time.FixedZone("elsewhere", offset+13*60*60)) // where it is the 24th
	if _, err := l.Step(job, store.Processing, "", func(j *store.Job) { j.Credits, j.SubmittedAt = 10, elsewhere }); err != nil {
		t.Fatal(err)
	}
	for _, day := range []time.Time{local, elsewhere} {
		if got, err := l.Credits(day); got != 10 || err != nil {
			t.Errorf("%d credits on the day of %v, %v; want 10", got, day, err)
		}
	}
}

func TestJobsPagesThroughAll(t *testing.T) {
	l := open(t)
	var wg sync.WaitGroup
	const n = 2500
	for i := range n {
		wg.Go(func() {
			job := newJob(fmt.Sprintf("dir%d/%d.jpg", i%10, i), fmt.Sprintf("%064x", i))
			if _, _, err := l.Add(job, store.Seen{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	const other = "packshots 2"
	add(t, l, store.Job{ID: store.NewID(other, "a.jpg", sha), Folder: other, Path: "a.jpg", SHA256: sha, State: store.Queued})
	walk(t, l, newJob("dir0/0.jpg", fmt.Sprintf("%064x", 0)).ID, store.Failed)
	later := time.Now().Add(time.Hour)
	for f, want := range map[store.Filter]int{
		{}:                                   n + 1,
		{Path: "dir3"}:                       n / 10,
		{Path: "dir3/3.jpg"}:                 1,
		{Folder: "none"}:                     0,
		{State: store.Queued, Path: "dir3/"}: n / 10,
		{State: store.Failed}:                1,
		{Since: later}:                       0,
		{Since: later, Unfinished: true}:     n,
		{Since: time.Now().Add(-time.Hour)}:  n + 1,

		{State: store.Queued, Folder: "packshots"}:                n - 1,
		{State: store.Queued, Folder: "packshots", Path: "dir3"}:  n / 10,
		{State: store.Queued, Folder: "packshots", Since: later}:  0,
		{State: store.Queued, Folder: other}:                      1,
		{State: store.Failed, Folder: "packshots", Path: "dir0/"}: 1,
		{State: store.Delivered, Folder: "packshots"}:             0,
	} {
		got, last := 0, time.Time{}
		for job, err := range l.Jobs(f) {
			if err != nil {
				t.Fatal(err)
			}
			if got++; !f.Match(job) || job.DiscoveredAt.Before(last) {
				t.Fatalf("%+v: job %+v", f, job)
			}
			last = job.DiscoveredAt
		}
		if got != want {
			t.Errorf("%+v: %d jobs, want %d", f, got, want)
		}
	}
}

func TestFindTakesAUniquePrefix(t *testing.T) {
	l := open(t)
	job := add(t, l, newJob("a.jpg", sha))
	add(t, l, newJob("b.jpg", sha))
	if got, err := l.Find(job.ID[:8]); err != nil || got.ID != job.ID {
		t.Errorf("%v, %v", got.ID, err)
	}
	for _, bad := range []string{"", "zzz"} {
		if _, err := l.Find(bad); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Find(%q): %v", bad, err)
		}
	}
}

func TestSameContent(t *testing.T) {
	l := open(t)
	add(t, l, newJob("a.jpg", sha))
	b := add(t, l, newJob("b.jpg", sha))
	got, ok, err := l.SameContent(sha, func(j store.Job) bool { return j.Path == "b.jpg" })
	if err != nil || !ok || got.ID != b.ID {
		t.Errorf("%v %v %v", got.ID, ok, err)
	}
	if _, ok, _ := l.SameContent(strings.Repeat("c", 64), func(store.Job) bool { return true }); ok {
		t.Error("found content that is not there")
	}
}

func TestTheHistoryOfAJobThatGoesRoundStaysSmall(t *testing.T) {
	l := open(t)
	job := add(t, l, newJob("a.jpg", sha))
	first := job.DiscoveredAt
	for range 200 {
		job = walk(t, l, job.ID, store.Uploaded, store.Queued)
	}
	if got, _ := l.Get(job.ID); len(got.History) > 50 || got.DiscoveredAt.UnixMilli() != first.UnixMilli() || got.State != store.Queued {
		t.Errorf("%d steps kept, discovered %v (want %v), state %s", len(got.History), got.DiscoveredAt, first, got.State)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	damaged := func(change func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, file string) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, change(data), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, tc := range map[string]struct {
		do   func(*testing.T, string)
		want error
	}{
		"another process": {func(t *testing.T, file string) {
			l, err := store.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
		}, store.ErrLocked},
		"not a ledger": {damaged(func([]byte) []byte { return []byte(strings.Repeat("holiday pictures ", 4096)) }), store.ErrDamaged},
		"zeroed head":  {damaged(func(d []byte) []byte { return append(make([]byte, 8192), d[8192:]...) }), store.ErrDamaged},
		"newer schema": {damaged(func(d []byte) []byte {
			return regexp.MustCompile(`schema1`).ReplaceAll(d, []byte("schema9"))
		}), store.ErrNewer},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "ledger.db")
			l, err := store.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
			tc.do(t, file)
			if l, err := store.Open(file); !errors.Is(err, tc.want) || l != nil {
				t.Errorf("got %v, want %v", err, tc.want)
			} else if !strings.Contains(err.Error(), file) {
				t.Errorf("%v does not name the file", err)
			}
		})
	}
}

func TestReadOnly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ledger.db")
	if _, err := store.OpenReadOnly(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a ledger: %v", err)
	}
	l, err := store.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	job := add(t, l, newJob("a.jpg", sha))
	l.Close()
	one, err := store.OpenReadOnly(file)
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	two, err := store.OpenReadOnly(file)
	if err != nil {
		t.Fatalf("a second reader: %v", err)
	}
	defer two.Close()
	if got, err := two.Get(job.ID); err != nil || got.Path != "a.jpg" {
		t.Errorf("%v, %v", got, err)
	}
}
