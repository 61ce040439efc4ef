package agent_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"hotfolder/agent"
	"hotfolder/autoretouch"
	"hotfolder/config"
	"hotfolder/sandbox"
	"hotfolder/store"
)

func TestPicturesComeBackInTheMatchingFolder(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.drop("shoot 12/Größe 38/b.JPG", picture(2))
		w.drop("shoot 12/c.png", pngPicture(3))
		w.settle(3, store.Delivered)
		w.wantOutputs("a.png", "shoot 12/Größe 38/b.png", "shoot 12/c.png")
		w.wantPaid(3)

		job := w.job("a.jpg")
		for what, at := range map[string]time.Time{"discovered": job.DiscoveredAt, "uploaded": job.UploadedAt,
			"submitted": job.SubmittedAt, "completed": job.CompletedAt, "delivered": job.DeliveredAt} {
			if at.IsZero() {
				t.Errorf("it is not known when it was %s", what)
			}
		}
		var states []store.State
		for _, e := range job.History {
			states = append(states, e.State)
		}
		want := []store.State{store.Queued, store.Uploaded, store.Submitting, store.Processing, store.Downloading, store.Delivered}
		if !slices.Equal(states, want) {
			t.Errorf("history %v, want %v", states, want)
		}
		if job.Output != "a.png" || job.Credits == 0 || job.Attempts != 1 || job.ContentType != "image/jpeg" {
			t.Errorf("%+v", job)
		}
	})
}

// A rescan, a restart, a touched and a copied-again file cost nothing; a changed one does.
func TestAFileIsPaidForOnce(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Delivered)
		w.restart()
		now := time.Now()
		if err := os.Chtimes(filepath.Join(w.dir, "in/a.jpg"), now, now); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		w.wantPaid(1)

		w.drop("a.jpg", picture(2))
		w.settle(2, store.Delivered)
		w.wantPaid(2)
		w.wantOutputs("a.png") // the old result was as it had been delivered: the new one takes its place

		w.drop("a.jpg", picture(1)) // and back again
		time.Sleep(5 * time.Minute)
		w.wantPaid(2)
	})
}

func TestAResultThatSomebodyEditedIsNotReplaced(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Delivered)
		w.write("out/a.png", []byte("edited by hand"))
		w.drop("a.jpg", picture(2))
		w.settle(2, store.Delivered)
		if got, _ := os.ReadFile(filepath.Join(w.dir, "out/a.png")); string(got) != "edited by hand" {
			t.Error("the edited file was overwritten")
		}
		if got := w.job("a.jpg"); got.Output != "a_2.png" {
			t.Errorf("the new result is %s", got.Output)
		}
	})
}

// With versions: keep each re-shoot has its result beside the older ones, across a restart and whatever happened to those.
func TestVersionsAreKept(t *testing.T) {
	in(t, studio{folder: "versions: keep\non_conflict: overwrite"}, func(w *world) {
		w.drop("IMG.jpg", picture(1))
		w.settle(1, store.Delivered)
		first := w.outputs()["IMG.png"]
		w.drop("IMG.jpg", picture(2))
		w.settle(2, store.Delivered)
		w.drop("IMG.png", pngPicture(9)) // another file
		w.settle(3, store.Delivered)
		w.restart()
		if err := os.Remove(filepath.Join(w.dir, "out/IMG_v2.png")); err != nil {
			t.Fatal(err)
		}
		w.drop("IMG.jpg", picture(3))
		w.settle(4, store.Delivered)
		w.wantOutputs("IMG.png", "IMG_2.png", "IMG_v3.png")
		if got := w.outputs()["IMG.png"]; got != first {
			t.Error("the first result is no longer what it was")
		}
		w.wantPaid(4)
	})
}

// Not even while the new result is being downloaded.
func TestAResultThatSomebodyEditsJustNowIsNotReplaced(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Delivered)
		w.drop("a.jpg", picture(2))
		w.settle(1, store.Processing)
		w.sandbox.SetFaults(sandbox.Faults{Latency: 10 * time.Second})
		w.settle(1, store.Downloading)
		time.Sleep(5 * time.Second)
		w.write("out/a.png", []byte("edited by hand"))
		w.settle(2, store.Delivered)
		if got := w.outputs(); len(got) != 2 || got["a.png"] != sum([]byte("edited by hand")) || got["a_2.png"] == "" {
			t.Errorf("the output has %v", got)
		}
	})
}

func TestOneNameTwoPictures(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.drop("IMG.jpg", picture(1))
		w.drop("IMG.png", pngPicture(2))
		w.settle(2, store.Delivered)
		w.wantOutputs("IMG.png", "IMG_2.png")
	})
}

// What a crash left of a result goes, too, when something else has got the result's name meanwhile and keeps it.
func TestASkippedResultLeavesNothing(t *testing.T) {
	in(t, studio{folder: "on_conflict: skip", idle: true}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.write("out/a.png", []byte("somebody's"))
		w.write("out/.hotfolder-"+store.NewID("packshots", "a.jpg", sum(picture(1)))+".part", []byte("half of"))
		w.start()
		w.settle(1, store.Delivered)
		if got := w.outputs(); len(got) != 1 || got["a.png"] != sum([]byte("somebody's")) {
			t.Errorf("the output has %v", got)
		}
	})
}

func TestConflicts(t *testing.T) {
	for _, tc := range []struct {
		mode   string
		want   []string
		output string
	}{
		{"rename", []string{"a.png", "a_2.png"}, "a_2.png"},
		{"overwrite", []string{"a.png"}, "a.png"},
		{"skip", []string{"a.png"}, ""},
	} {
		t.Run(tc.mode, func(t *testing.T) {
			in(t, studio{folder: "on_conflict: " + tc.mode}, func(w *world) {
				w.write("out/a.png", []byte("somebody's"))
				w.drop("a.jpg", picture(1))
				w.settle(1, store.Delivered)
				files := w.outputs()
				if len(files) != len(tc.want) {
					t.Errorf("output has %v, want %v", files, tc.want)
				}
				if got := w.job("a.jpg").Output; got != tc.output {
					t.Errorf("output %q, want %q", got, tc.output)
				}
				foreign, _ := os.ReadFile(filepath.Join(w.dir, "out/a.png"))
				if (string(foreign) == "somebody's") != (tc.mode != "overwrite") {
					t.Errorf("a.png holds %.20q", foreign)
				}
			})
		})
	}
}

func TestIdenticalPictures(t *testing.T) {
	for mode, paid := range map[string]int{"reuse": 1, "process": 5} {
		t.Run(mode, func(t *testing.T) {
			in(t, studio{folder: "duplicates: " + mode}, func(w *world) {
				for i := range 5 {
					w.drop(fmt.Sprintf("%d.jpg", i), picture(1))
				}
				w.settle(5, store.Delivered)
				w.wantPaid(paid)
				w.wantOutputs("0.png", "1.png", "2.png", "3.png", "4.png")
				told := 0
				for job := range w.agent.Jobs(t.Context(), store.Filter{}) {
					for _, e := range job.History {
						if strings.Contains(e.Detail, "the same picture as") {
							told++
						}
					}
				}
				if reused := 5 - paid; told != reused || strings.Count(w.logged.String(), "the same picture is paid for") != reused {
					t.Errorf("%d histories tell of the reuse, want %d; or the log does not", told, reused)
				}
			})
		})
	}
}

// Each bad file fails with a reason that a person understands, and the good ones beside it come through.
func TestBadInput(t *testing.T) {
	jpg := picture(1)
	huge := pngPicture(2)
	copy(huge[16:24], []byte{0, 0, 0x4e, 0x20, 0, 0, 0x4e, 0x20}) // 20,000 × 20,000
	in(t, studio{}, func(w *world) {
		reasons := map[string]string{
			"cut short.jpg": "cut short",
			"empty.jpg":     "empty",
			"letter.jpg":    "not a JPEG, PNG, TIFF or WebP",
			"huge.png":      "20000 × 20000",
		}
		w.drop("cut short.jpg", jpg[:len(jpg)-20])
		w.drop("empty.jpg", nil)
		w.drop("letter.jpg", []byte("Dear Sir or Madam"))
		w.drop("huge.png", huge)
		w.drop("really a png.jpg", pngPicture(3))
		names := []string{"ümläut.jpg", "with space.jpg", "😀.jpg", strings.Repeat("n", 251) + ".jpg"}
		if runtime.GOOS != "windows" { // which has no such names
			names = append(names, "new\nline.jpg")
		}
		for i, name := range names {
			w.drop(name, picture(10+i))
		}
		w.settle(len(names)+1, store.Delivered)
		w.settle(len(reasons), store.Failed)
		for name, reason := range reasons {
			if job := w.job(name); job.State != store.Failed || !strings.Contains(job.Error, reason) {
				t.Errorf("%s: %s, %q; want it failed because of %q", name, job.State, job.Error, reason)
			}
		}
		if got := w.job("really a png.jpg").ContentType; got != "image/png" {
			t.Errorf("the API was told %s of a PNG named .jpg", got)
		}
		w.wantPaid(len(names) + 1)

		w.drop("cut short.jpg", jpg) // copied again, whole
		w.settle(len(reasons)-1, store.Failed)
		w.settle(len(names)+2, store.Delivered)
	})
}

// A picture that the API scales down is told of, or fails before it is paid for, or is as any other.
func TestOversize(t *testing.T) {
	wide := blank(4097, 8)
	for mode, want := range map[string]struct {
		paid         int
		told, notice bool
	}{"warn": {2, true, true}, "fail": {1, true, false}, "process": {2, false, false}} {
		t.Run(mode, func(t *testing.T) {
			in(t, studio{folder: "oversize: " + mode}, func(w *world) {
				w.drop("wide.png", wide)
				w.drop("just right.png", blank(4096, 8))
				w.settle(want.paid, store.Delivered)
				w.settle(2-want.paid, store.Failed)
				w.wantPaid(want.paid)
				if job := w.job("wide.png"); strings.Contains(job.History[0].Detail, "4097 × 8 pixels") != want.told {
					t.Errorf("its history begins with %q", job.History[0].Detail)
				}
				if job := w.job("just right.png"); job.History[0].Detail != "" {
					t.Errorf("of the other is said %q", job.History[0].Detail)
				}
				s, err := w.agent.Status(t.Context())
				if err != nil || strings.Contains(s.Folders[0].Notice, "4096 × 4096 pixels, so that AutoRetouch scales them down: 1 ") != want.notice {
					t.Errorf("the folder's notice is %q (%v)", s.Folders[0].Notice, err)
				}
			})
		})
	}
}

func TestInputThatVanishesBeforeItIsUploaded(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.sandbox.RevokeRefreshTokens() // nothing gets through
		w.sandbox.RevokeTokens()
		w.drop("a.jpg", picture(1))
		w.drop("b.jpg", picture(2))
		w.settle(2, store.Queued)
		if err := os.Remove(filepath.Join(w.dir, "in/a.jpg")); err != nil {
			t.Fatal(err)
		}
		w.relogin()
		w.settle(1, store.Gone)
		w.settle(1, store.Delivered)
		w.drop("a.jpg", picture(1))
		w.settle(2, store.Delivered)
		w.wantPaid(2)
	})
}

func (w *world) relogin() {
	if err := w.credentials.Forget(); err != nil {
		w.Fatal(err)
	}
	if err := w.credentials.Save(autoretouch.Token{Refresh: w.sandbox.RefreshToken()}); err != nil {
		w.Fatal(err)
	}
}

func TestALostLoginPausesAndALoginGoesOn(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Processing)
		w.sandbox.RevokeRefreshTokens()
		w.sandbox.RevokeTokens()
		w.drop("b.jpg", picture(2))
		w.until("the trouble shows", time.Minute, func() bool { return slices.Contains(w.troubles(), agent.LoginNeeded) })
		before := w.sandbox.Books().Calls[sandbox.Token]
		time.Sleep(time.Hour)
		if calls := w.sandbox.Books().Calls[sandbox.Token] - before; calls > 1 {
			t.Errorf("%d more tries of a login that is known to be refused", calls)
		}
		w.relogin()
		w.settle(2, store.Delivered)
		w.wantPaid(2)
		if len(w.troubles()) != 0 {
			t.Errorf("still %v", w.troubles())
		}
	})
}

func TestCreditsRunOut(t *testing.T) {
	in(t, studio{sandbox: sandbox.Options{Credits: 25}, config: "limits: {in_flight: 2}"}, func(w *world) {
		for i := range 6 {
			w.drop(fmt.Sprintf("%d.jpg", i), picture(i))
		}
		w.settle(2, store.Delivered)
		w.until("the trouble shows", time.Minute, func() bool { return slices.Contains(w.troubles(), agent.OutOfCredits) })
		made := len(w.sandbox.Books().Executions)
		time.Sleep(6 * time.Hour)
		if got := len(w.sandbox.Books().Executions); got != made {
			t.Errorf("%d executions created without credits", got-made)
		}
		w.sandbox.SetCredits(1000)
		w.settle(6, store.Delivered)
		w.wantPaid(6)
		for i := range 6 {
			if job := w.job(fmt.Sprintf("%d.jpg", i)); job.Retries != 0 {
				t.Errorf("%s: being out of credits used up %d retries", job.Path, job.Retries)
			}
		}
		if len(w.troubles()) != 0 {
			t.Errorf("still %v", w.troubles())
		}
	})
}

func TestCreditsPerDay(t *testing.T) {
	in(t, studio{config: "limits: {credits_per_day: 25}"}, func(w *world) {
		for i := range 6 {
			w.drop(fmt.Sprintf("%d.jpg", i), picture(i))
		}
		w.settle(2, store.Delivered)
		w.restart() // the limit holds across restarts
		w.until("the trouble shows", time.Minute, func() bool { return slices.Contains(w.troubles(), agent.CreditsLimit) })
		w.wantPaid(2)
		time.Sleep(24 * time.Hour)
		w.settle(4, store.Delivered)
		w.wantPaid(4)
	})
}

// What another hot folder may have spent counts, too, though its executions are not yet known: the answers to their creation were lost.
func TestCreditsPerDayCountWhatIsBeingCreated(t *testing.T) {
	in(t, studio{
		config: "limits: {credits_per_day: 25}", second: "settle: 2s",
		sandbox: sandbox.Options{Faults: sandbox.Faults{ListLag: 25 * time.Second, DropAfter: sandbox.Chance{Count: 2, At: []string{sandbox.Create}}}},
	}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.drop("b.jpg", picture(2))
		w.settle(2, store.Submitting)
		w.write("in2/c.jpg", picture(3))
		w.write("in2/d.jpg", picture(4))
		w.settle(2, store.Delivered)
		time.Sleep(time.Hour)
		w.wantPaid(2)
	})
}

// What is just being created counts with its own price.
func TestCreditsPerDayOfDifferentPrices(t *testing.T) {
	in(t, studio{config: "limits: {credits_per_day: 25}", second: "settle: 2s", idle: true}, func(w *world) {
		w.cfg.Folders[1].Workflow = sandbox.FastCheck // 1 credit, the other one 10
		w.transport = &gruffAPI{next: w.sandbox.InProcess()}
		w.start()
		w.drop("0.jpg", picture(0))
		w.write("in2/0.jpg", picture(20))
		w.settle(2, store.Delivered)
		w.drop("1.jpg", picture(1))
		w.settle(1, store.Submitting)
		for i := range 14 {
			w.write(fmt.Sprintf("in2/%d.jpg", i+1), picture(i+21))
		}
		time.Sleep(time.Hour)
		if got := w.sandbox.Books().Charged(); got != 25 {
			t.Errorf("%d credits were spent of 25", got)
		}
	})
}

func TestAFolderThatIsAway(t *testing.T) {
	for _, dir := range []string{"in", "out"} {
		t.Run(dir, func(t *testing.T) {
			in(t, studio{}, func(w *world) {
				code := map[string]agent.Code{"in": agent.InputOffline, "out": agent.OutputUnwritable}[dir]
				w.drop("a.jpg", picture(1))
				w.settle(1, store.Delivered)
				mounted, away := filepath.Join(w.dir, dir), filepath.Join(w.dir, dir+" away")
				if dir == "out" {
					w.drop("b.jpg", picture(2))
				}
				if err := os.Rename(mounted, away); err != nil {
					t.Fatal(err)
				}
				w.until("the trouble shows", 2*time.Minute, func() bool { return slices.Contains(w.troubles(), code) })
				time.Sleep(time.Hour)
				if _, err := os.Stat(mounted); err == nil {
					t.Error("the agent made a folder where a share was mounted")
				}
				if err := os.Rename(away, mounted); err != nil {
					t.Fatal(err)
				}
				if dir == "in" {
					w.drop("b.jpg", picture(2))
				}
				w.settle(2, store.Delivered)
				w.wantOutputs("a.png", "b.png")
				w.wantPaid(2)
			})
		})
	}
}

func TestOriginals(t *testing.T) {
	in(t, studio{folder: "after_success: move\nprocessed: done\nfailed: failed\n"}, func(w *world) {
		w.write("done/shoot/a.jpg", []byte("an older original"))
		w.drop("shoot/a.jpg", picture(1))
		w.drop("shoot/letter.jpg", []byte("Dear Sir or Madam"))
		w.settle(1, store.Delivered)
		w.settle(1, store.Failed)
		w.until("originals moved", time.Minute, func() bool { return len(w.files("in")) == 0 })
		if got := w.files("done"); len(got) != 2 || got["shoot/a_2.jpg"] == "" {
			t.Errorf("processed has %v", got)
		}
		if got := w.files("failed"); len(got) != 2 || got["shoot/letter.jpg"] == "" || got["shoot/letter.jpg.error.txt"] == "" {
			t.Errorf("failed has %v", got)
		}
		note, _ := os.ReadFile(filepath.Join(w.dir, "failed/shoot/letter.jpg.error.txt"))
		if !strings.Contains(string(note), "not a JPEG") {
			t.Errorf("the note says %q", note)
		}
	})
	in(t, studio{folder: "after_success: delete\n"}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.Delivered)
		if left := w.files("in"); len(left) != 0 {
			t.Errorf("input still has %v", left)
		}
	})
}

// Only the content that was processed is moved or deleted: what replaced it meanwhile stays until it was processed, too.
func TestOriginalsThatChangedStay(t *testing.T) {
	for _, folder := range []string{deleteOriginals, moveOriginals} {
		in(t, studio{folder: folder, sandbox: sandbox.Options{Processing: time.Hour}}, func(w *world) {
			w.drop("a.jpg", picture(1))
			w.settle(1, store.Processing)
			time.Sleep(30 * time.Minute)
			w.drop("a.jpg", picture(2))
			w.until("the first is done", time.Hour, func() bool { return w.counts()[store.Delivered] == 1 })
			time.Sleep(5 * time.Minute)
			if got := w.files("in"); got["a.jpg"] != sum(picture(2)) {
				t.Errorf("the input has %v", got)
			}
			w.until("the second is done", time.Hour, func() bool { return w.counts()[store.Delivered] == 2 })
			if got := w.files("in"); len(got) != 0 {
				t.Errorf("the input has %v", got)
			}
			if folder == moveOriginals {
				if got := w.files("done"); len(got) != 1 || got["a.jpg"] != sum(picture(2)) {
					t.Errorf("processed has %v", got)
				}
			}
			w.wantPaid(2)
		})
	}
}

// An original goes to another disk only when its copy there can be read back as it was.
func TestACopyThatIsNotRightKeepsTheOriginal(t *testing.T) {
	in(t, studio{folder: moveOriginals, idle: true}, func(w *world) {
		bad := &spoilingDisk{dir: "/done/"}
		w.disk = func(d agent.Disk) agent.Disk {
			bad.Disk = watchedDisk{d, func(string, string) error { return nil }, otherDisk}
			return bad
		}
		w.drop("a.jpg", picture(1))
		w.start()
		w.settle(1, store.Delivered)
		w.until("it is said", time.Minute, func() bool { return slices.Contains(w.troubles(), agent.OriginalStuck) })
		time.Sleep(time.Hour)
		w.wantFiles("in/a.jpg", "out/a.png")
		bad.mend()
		w.until("it is moved", 10*time.Minute, func() bool { return len(w.files("in")) == 0 })
		w.wantFiles("done/a.jpg", "out/a.png")
		if got := w.files("done"); got["a.jpg"] != sum(picture(1)) {
			t.Error("the copy is not the original")
		}
	})
}

func TestOutputNames(t *testing.T) {
	in(t, studio{folder: `output_name: "retouched/{folder}-{name}-{hash8}{ext}"`}, func(w *world) {
		w.drop("shoot/a.jpg", picture(1))
		w.settle(1, store.Delivered)
		job := w.job("shoot/a.jpg")
		w.wantOutputs("shoot/retouched/packshots-a-" + job.SHA256[:8] + ".png")
	})
}

func TestOnce(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.halt()
		w.drop("a.jpg", picture(1))
		a, closeAll := w.open(true)
		if err := a.Run(context.Background()); err != nil {
			t.Errorf("Run: %v", err)
		}
		closeAll()
		w.wantOutputs("a.png")

		w.drop("letter.jpg", []byte("Dear Sir or Madam"))
		w.wantOnce(0, 1)
		w.wantOnce(0, 0)
		w.drop("letter.jpg", []byte("Dear Sir or Madam, once more")) // what failed before is let go
		w.wantOnce(0, 1)
	})
}

// A folder that another agent works on is told with its own mend, not also as one that is away.
func TestOnceInAnotherAgentsFolder(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.halt()
		w.write("in/.hotfolder-lock", []byte(`{"host":"other","pid":1,"owner":"/other","token":"x"}`))
		a, closeAll := w.open(true)
		defer closeAll()
		var left *agent.Unfinished
		if err := a.Run(context.Background()); !errors.As(err, &left) {
			t.Errorf("Run: %v", err)
		}
		s, err := a.Status(w.Context())
		if err != nil || len(s.Troubles) != 1 || s.Troubles[0].Code != agent.InputClaimed {
			t.Errorf("%+v, %v", s.Troubles, err)
		}
	})
}

// Without a login nobody says that the account was looked through.
func TestWhatWasNotLookedThrough(t *testing.T) {
	in(t, studio{idle: true}, func(w *world) {
		w.sandbox.RevokeRefreshTokens()
		w.sandbox.RevokeTokens()
		w.start()
		w.until("the trouble shows", time.Minute, func() bool { return slices.Contains(w.troubles(), agent.LoginNeeded) })
		w.halt()
		if log := w.logged.String(); !strings.Contains(log, "nothing is spent before") || strings.Contains(log, `"the account was looked through"`) {
			t.Error(log)
		}
	})
}

func TestOnceGoesOnWhenCreditsWereBought(t *testing.T) {
	in(t, studio{sandbox: sandbox.Options{Credits: 15}}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.drop("b.jpg", picture(2))
		w.settle(1, store.PaymentRequired)
		w.halt()
		once := func() error {
			a, closeAll := w.open(true)
			defer closeAll()
			return a.Run(context.Background())
		}
		var left *agent.Unfinished
		if err := once(); !errors.As(err, &left) || left.Waiting != 1 || len(left.Troubles) == 0 || left.Troubles[0].Code != agent.OutOfCredits {
			t.Errorf("without credits: %v", err)
		}
		w.sandbox.SetCredits(100)
		if err := once(); err != nil {
			t.Errorf("with credits: %v", err)
		}
		w.wantPaid(2)
		w.wantOutputs("a.png", "b.png")
	})
}

// A restart at any moment goes on where it was.
func TestRestartsInTheMiddle(t *testing.T) {
	in(t, studio{sandbox: sandbox.Options{Processing: 5 * time.Second}, config: "limits: {uploads: 2, in_flight: 7}"}, func(w *world) {
		const n = 40
		var names []string
		for i := range n {
			w.drop(fmt.Sprintf("%d.jpg", i), picture(i))
			names = append(names, fmt.Sprintf("%d.png", i))
		}
		for range 20 {
			time.Sleep(1300 * time.Millisecond)
			w.restart()
		}
		w.settle(n, store.Delivered)
		w.wantPaid(n)
		w.wantOutputs(names...)
	})
}

func TestRetryOfAFailedJob(t *testing.T) {
	in(t, studio{}, func(w *world) {
		w.drop("a.jpg", []byte("no picture yet"))
		w.settle(1, store.Failed)
		job := w.job("a.jpg")
		if _, err := w.agent.Retry(context.Background(), agent.RetryRequest{IDs: []string{job.ID[:10]}}); err != nil {
			t.Fatal(err)
		}
		w.settle(1, store.Failed) // looked at anew, with the same outcome
		if got := w.job("a.jpg"); len(got.History) < 3 {
			t.Errorf("history %v", got.History)
		}
		if _, err := w.agent.Retry(context.Background(), agent.RetryRequest{IDs: []string{"nonsense"}}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("retry of nothing: %v", err)
		}
	})
}

// A subfolder's pictures are one order, late ones too, and those of another day when the order was finished.
func TestOrders(t *testing.T) {
	for mode, want := range map[string]map[string][]string{
		"none":      {"": {"a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"}},
		"subfolder": {"packshots": {"a.jpg"}, "shoot 12": {"b.jpg", "c.jpg"}, "shoot 12 ": {"e.jpg"}, "shoot 12/red": {"d.jpg"}},
		"day":       {"packshots 2000-01-01": {"a.jpg", "b.jpg", "c.jpg", "d.jpg"}, "packshots 2000-01-02": {"e.jpg"}},
	} {
		t.Run(mode, func(t *testing.T) {
			in(t, studio{}, func(w *world) {
				w.halt()
				w.cfg.Folders[0].Batch = config.Batch(mode)
				w.start()
				w.drop("a.jpg", picture(1))
				w.drop("shoot 12/b.jpg", picture(2))
				w.drop("shoot 12/red/d.jpg", picture(4))
				w.settle(3, store.Delivered)
				w.halt()
				time.Sleep(10 * time.Hour)
				w.start()
				w.drop("shoot 12/c.jpg", picture(3))
				w.settle(4, store.Delivered)
				w.halt()
				time.Sleep(25 * time.Hour)
				w.start()
				w.drop("shoot 12/e.jpg", picture(5))
				w.settle(5, store.Delivered)

				got, named := map[string][]string{}, map[string]string{}
				for _, e := range w.sandbox.Books().Executions {
					name, id := e.Labels["autoretouch_batch_name"], e.Labels["autoretouch_batch_id"]
					if first, ok := named[name]; ok && first != id {
						name += " " // a second order of that name
					}
					named[name] = id
					got[name] = append(got[name], e.InputName)
				}
				for name := range got {
					slices.Sort(got[name])
				}
				if !maps.EqualFunc(got, want, slices.Equal) {
					t.Errorf("orders %v, want %v", got, want)
				}
			})
		})
	}
}

// What a person at AutoRetouch had passed before the start is fetched by a run that takes what is there now.
func TestOnceFetchesWhatWasPassedMeanwhile(t *testing.T) {
	in(t, studio{sandbox: sandbox.Options{Faults: sandbox.Faults{InQA: 1, QAFor: time.Hour}}}, func(w *world) {
		w.drop("a.jpg", picture(1))
		w.settle(1, store.InQA)
		w.halt()
		time.Sleep(2 * time.Hour)
		w.sandbox.SetFaults(sandbox.Faults{Latency: 5 * time.Second})
		a, closeAll := w.open(true)
		defer closeAll()
		if err := a.Run(w.Context()); err != nil {
			t.Errorf("Run: %v", err)
		}
		w.wantOutputs("a.png")
	})
}
