package agent_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"hotfolder/agent"
	"hotfolder/autoretouch"
	"hotfolder/sandbox"
	"hotfolder/store"
)

var update = flag.Bool("update", false, "make the kept scenes anew")

// keptScene is what a crash left behind that was once gone on from wrongly, or could be: ledger, folders and account, as they lie in
// testdata/scenes. It is told what went wrong, or would.
type keptScene struct {
	story   string
	folder  string // keys of the hot folder
	sandbox sandbox.Options
	crash   func(w *world) // makes the scene with an agent of today

	faults sandbox.Faults // when the scene is opened
	then   func(w *world) // what else happens after that, and is wanted

	delivered, failed, paid int
	files                   []string // that there are at last
}

var keptScenes = map[string]keptScene{
	"create-without-answer": {
		story:  "The execution was created, the agent killed before it had the answer, and the list showed it late: it was created again.",
		crash:  func(w *world) { w.dieAt("the answer to POST .*/execution/create", oneDisk, "a.jpg") },
		faults: sandbox.Faults{ListLag: 25 * time.Second},
		paid:   1, delivered: 1, files: []string{"in/a.jpg", "out/a.jpg"},
	},
	"create-under-way": {
		story: "The create call was still on its way when the agent was killed, and reached the API seconds after the restart: it was created again.",
		crash: func(w *world) {
			w.dieAt("^POST .*/execution/create", oneDisk, "a.jpg")
			time.Sleep(20 * time.Second)
			w.createElsewhere(picture(1), map[string]string{"hotfolder_job": store.NewID("packshots", "a.jpg", sum(picture(1)))})
		},
		paid: 1, delivered: 1, files: []string{"in/a.jpg", "out/a.jpg"},
	},
	"named-not-noted": {
		story: "The result had its name, the ledger did not know: it was taken for a stranger's file, and the result written beside it as a_2.jpg.",
		crash: func(w *world) { w.dieAt("ledger: step to delivered", oneDisk, "a.jpg") },
		paid:  1, delivered: 1, files: []string{"in/a.jpg", "out/a.jpg"},
	},
	"flushed-not-named": {
		story: "The name was the job's in the ledger, the whole result flushed under its hidden name: that stayed for ever.",
		crash: func(w *world) { w.dieAt(`rename to .*out.a\.jpg`, oneDisk, "a.jpg") },
		paid:  1, delivered: 1, files: []string{"in/a.jpg", "out/a.jpg"},
	},
	"half-written": {
		story: "Half of the result was written under its hidden name, which is begun anew, not added to.",
		crash: func(w *world) { w.dieAt("^write .*out", oneDisk, "a.jpg") },
		paid:  1, delivered: 1, files: []string{"in/a.jpg", "out/a.jpg"},
	},
	"linked-not-removed": {
		story: "On a share a rename is a link and a removal, and the removal was missing: the hidden name stayed for ever.",
		crash: func(w *world) { w.dieAt("^remove .*out", linkDisk, "a.jpg") },
		paid:  1, delivered: 1, files: []string{"in/a.jpg", "out/a.jpg"},
	},
	"older-result-in-its-place": {
		story: "The result of a re-shoot was to replace the older one, which had let go of its name already: it stayed as a stranger's file, and the new one came beside it as a_2.jpg.",
		crash: func(w *world) { w.reshoot(); w.dieAt(`rename to .*out.a\.jpg`, oneDisk) },
		then:  wantNewest,
		paid:  2, delivered: 2, files: []string{"in/a.jpg", "out/a.jpg"},
	},
	"older-result-replaced": {
		story: "The result of a re-shoot had replaced the older one, whose job still owned the name: the new one came once more as a_2.jpg.",
		crash: func(w *world) { w.reshoot(); w.dieAt("ledger: note", oneDisk) },
		then:  wantNewest,
		paid:  2, delivered: 2, files: []string{"in/a.jpg", "out/a.jpg"},
	},
	"put-aside-not-forgotten": {
		story:  "A file that failed was moved to the folder for that, and still known as seen: moved back it was not taken again.",
		folder: moveOriginals,
		crash:  func(w *world) { w.drop("letter.jpg", letter); w.dieAt("ledger: unsee", oneDisk) },
		then: func(w *world) {
			time.Sleep(5 * time.Minute)
			tried := len(w.job("letter.jpg").History)
			if err := os.Rename(filepath.Join(w.dir, "failed/letter.jpg"), filepath.Join(w.dir, "in/letter.jpg")); err != nil {
				w.Fatal(err)
			}
			w.until("it is tried anew", 5*time.Minute, func() bool { return len(w.job("letter.jpg").History) > tried+1 })
		},
		failed: 1, files: []string{"failed/letter.jpg", "failed/letter.jpg.error.txt"},
	},
	"copied-not-removed": {
		story:  "The original was copied to the other disk for finished ones and not yet removed: it got there a second time, as a_2.jpg.",
		folder: moveOriginals,
		crash:  func(w *world) { w.dieAt("^remove .*in.a.jpg", otherDisk, "a.jpg") },
		paid:   1, delivered: 1, files: []string{"done/a.jpg", "out/a.jpg"},
	},
	"order-half-there": {
		story:  "Some results of an order had their names, the others not: it stayed half, or came twice.",
		folder: "deliver: order",
		crash: func(w *world) {
			w.dieAt(`rename to .*out.shoot.c\.jpg`, oneDisk, "shoot/a.jpg", "shoot/b.jpg", "shoot/c.jpg")
			if got := w.outputs(); got["shoot/a.jpg"] == "" && got["shoot/b.jpg"] == "" {
				w.Fatal("no result is there: make the scenes again")
			}
		},
		paid: 3, delivered: 3,
		files: []string{"in/shoot/a.jpg", "in/shoot/b.jpg", "in/shoot/c.jpg", "out/shoot/_COMPLETE.txt", "out/shoot/a.jpg", "out/shoot/b.jpg", "out/shoot/c.jpg"},
	},
	"order-listed": {
		story:  "All results of an order and its list were there, the ledger knew none of them delivered: a second list was written.",
		folder: "deliver: order",
		crash: func(w *world) {
			w.dieAt("ledger: step to delivered", oneDisk, "shoot/a.jpg", "shoot/b.jpg")
			time.Sleep(time.Hour) // a list says when it was
			w.died = time.Now()
		},
		paid: 2, delivered: 2,
		files: []string{"in/shoot/a.jpg", "in/shoot/b.jpg", "out/shoot/_COMPLETE.txt", "out/shoot/a.jpg", "out/shoot/b.jpg"},
	},
	"held-back-not-failed": {
		story:   "A result that cannot be right lay in the review folder, the job had not failed yet: it came there once more as a_2.jpg.",
		sandbox: sandbox.Options{Faults: sandbox.Faults{ResultIs: "input"}},
		crash:   func(w *world) { w.dieAt("ledger: step to failed", oneDisk, "a.jpg") },
		paid:    1, failed: 1, files: []string{"in/a.jpg", "review/a.jpg", "review/a.jpg.reason.txt"},
	},
	"redelivered-half": {
		story: "A result that somebody had removed was being downloaded again, after which the job is as it was, at no charge.",
		crash: func(w *world) {
			w.dropAll("a.jpg")
			w.start()
			w.settle(1, store.Delivered)
			w.halt()
			w.remove("out/a.jpg")
			l := w.ledger()
			if done, err := (agent.Books{Config: w.cfg, Ledger: l}).Redeliver(w.Context(), agent.RedeliverRequest{Missing: true}); done.Jobs != 1 || err != nil {
				w.Fatalf("redeliver: %+v, %v", done, err)
			}
			l.Close()
			w.dieAt("^write .*out", oneDisk)
		},
		paid: 1, delivered: 1, files: []string{"in/a.jpg", "out/a.jpg"},
	},
	"out-of-credits": {
		story:   "An execution waits for credits, of which there are fewer than it costs: after a restart its price was not known, and it was run again at every poll.",
		sandbox: sandbox.Options{Credits: 5},
		crash: func(w *world) {
			w.dropAll("a.jpg")
			w.start()
			w.settle(1, store.PaymentRequired)
			w.halt()
			w.died = time.Now()
		},
		then: func(w *world) {
			time.Sleep(time.Hour)
			if n := w.sandbox.Books().Calls[sandbox.Retry]; n > 0 {
				w.Errorf("without credits it was run again %d times", n)
			}
			w.sandbox.SetCredits(10)
			w.settle(1, store.Delivered)
		},
		paid: 1, delivered: 1, files: []string{"in/a.jpg", "out/a.jpg"},
	},
	"ledger-begun-anew": {
		story: "The ledger was lost unnoticed, the one begun anew knew half of the account: every picture was paid for again.",
		crash: func(w *world) { w.loseAll(); w.dieAt("ledger: step to downloading", oneDisk) },
		paid:  2, delivered: 2, files: []string{"in/a.jpg", "in/b.jpg", "out/a.jpg", "out/b.jpg"},
	},
	"recover-broken-off": {
		story: "'hotfolder recover' was broken off before it had read the account: nothing may be spent before that was.",
		crash: func(w *world) {
			w.loseAll()
			w.sandbox.SetFaults(sandbox.Faults{ServerError: sandbox.Chance{P: 1, At: []string{sandbox.Executions}}})
			if _, err := w.recover(false); err == nil {
				w.Fatal("it was not broken off")
			}
			w.died = time.Now()
		},
		paid: 2, delivered: 2, files: []string{"in/a.jpg", "in/b.jpg", "out/a.jpg", "out/b.jpg"},
	},
}

// Each is opened and gone on from as if there had been no crash. To make them anew: go test ./agent -run KeptScenes -update.
func TestKeptScenes(t *testing.T) {
	for name, s := range keptScenes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := s.sandbox
			options.PassThrough = true // the same results for ever
			options.Dir = t.TempDir()
			like := studio{folder: s.folder, sandbox: options, idle: true}
			file := filepath.Join("testdata", "scenes", name+".tar.gz")
			if *update {
				in(t, like, func(w *world) {
					s.crash(w)
					w.pack(file, options.Dir)
				})
			}
			in(t, like, func(w *world) {
				t.Log(s.story)
				w.unpack(file)
				w.sandbox.SetFaults(s.faults)
				w.start()
				if s.then != nil {
					s.then(w)
				}
				w.until("all is done", time.Hour, func() bool {
					return w.counts()[store.Delivered] == s.delivered && w.counts()[store.Failed] == s.failed
				})
				time.Sleep(5 * time.Minute) // nothing more happens
				w.wantPaid(s.paid)
				w.wantFiles(s.files...)
				w.wantWhole()
			})
		})
	}
}

// wantWhole wants the results in the output to be the account's, and the ledger to say so, with what they cost.
func (w *world) wantWhole() {
	w.Helper()
	w.sandbox.SetFaults(sandbox.Faults{})
	credits := 0
	for job, err := range w.agent.Jobs(w.Context(), store.Filter{}) {
		if err != nil {
			w.Fatal(err)
		}
		credits += job.Credits
		if got := w.outputs()[job.Output]; job.Output != "" && got != job.Result.SHA256 {
			w.Errorf("%s holds %.8s, want %.8s", job.Output, got, job.Result.SHA256)
		}
	}
	if paid := w.sandbox.Books().Charged(); credits != paid {
		w.Errorf("the ledger says %d credits, the account %d", credits, paid)
	}
}

// wantNewest wants the name to be that of the later of two results.
func wantNewest(w *world) {
	w.Helper()
	w.settle(2, store.Delivered)
	if job := w.job("a.jpg"); job.SHA256 != sum(picture(9)) || job.Output != "a.jpg" {
		w.Errorf("the newer result is said to be %q", job.Output)
	}
}

// dropAll drops a picture under each name.
func (w *world) dropAll(names ...string) {
	w.Helper()
	for i, name := range names {
		w.drop(name, picture(i+1))
	}
}

// reshoot has a picture delivered, and leaves another one under its name.
func (w *world) reshoot() {
	w.Helper()
	w.dropAll("a.jpg")
	w.start()
	w.settle(1, store.Delivered)
	w.halt()
	w.drop("a.jpg", picture(9))
}

// loseAll has pictures delivered, and takes the ledger away.
func (w *world) loseAll() {
	w.Helper()
	w.dropAll("a.jpg", "b.jpg")
	w.start()
	w.settle(2, store.Delivered)
	w.loseLedger()
}

// dieAt drops pictures and runs the agent until it is killed right before something that it does.
func (w *world) dieAt(what string, kind diskKind, drop ...string) {
	w.Helper()
	w.dropAll(drop...)
	ctx, kill := context.WithCancel(w.Context())
	defer kill()
	f := &fuse{left: math.MaxInt, at: regexp.MustCompile(what), kill: kill}
	w.watch(f.burn, kind, nil)
	w.transport = mortalAPI{f, w.sandbox.InProcess()}
	a, closeAll := w.open(false)
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	for deadline := time.Now().Add(time.Hour); !f.isOut(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("it never came to %q", what)
		}
	}
	<-ended
	closeAll()
	w.died = time.Now()
}

// keptAccount is what the sandbox knew when a scene was kept.
type keptAccount struct {
	Died       time.Time           `json:"died"`
	Executions []sandbox.Execution `json:"executions"` // some perhaps created after that
}

// worldDir stands for the world's folder in what is kept.
const worldDir = "{world}"

// pack keeps the world: its folders, the ledger, the sandbox's books and, from its folder, the pictures.
func (w *world) pack(file, pictures string) {
	w.Helper()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	kept := tar.NewWriter(zipped)
	write := func(name string, changed time.Time, data []byte, err error) {
		if err == nil {
			h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), ModTime: changed, Format: tar.FormatPAX}
			err = kept.WriteHeader(h)
		}
		if err == nil {
			_, err = kept.Write(data)
		}
		if err != nil {
			w.Fatal(err)
		}
	}
	account, err := json.MarshalIndent(keptAccount{w.died, w.sandbox.Books().Executions}, "", " ")
	write("account.json", w.died, account, err)
	add := func(root, under string) {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			rel, _ := filepath.Rel(root, path)
			rel = filepath.ToSlash(rel)
			if err != nil || d.IsDir() || rel == "credentials.json" || strings.HasPrefix(rel, "data/") && rel != "data/ledger.db" {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			data, err := os.ReadFile(path)
			if filepath.Ext(path) == ".txt" { // tells where the files are
				data = bytes.ReplaceAll(data, []byte(w.dir), []byte(worldDir))
			}
			write(under+rel, info.ModTime(), data, err)
			return nil
		})
		if err != nil {
			w.Fatal(err)
		}
	}
	add(pictures, "pictures/")
	add(w.dir, "world/")
	if err := errors.Join(kept.Close(), zipped.Close(), os.WriteFile(file, b.Bytes(), 0o644)); err != nil {
		w.Fatal(err)
	}
}

// unpack makes the world that was kept, at the moment of the crash.
func (w *world) unpack(file string) {
	w.Helper()
	f, err := os.Open(file)
	if err != nil {
		w.Fatal(err)
	}
	defer f.Close()
	zipped, err := gzip.NewReader(f)
	if err != nil {
		w.Fatal(err)
	}
	kept := tar.NewReader(zipped)
	var account keptAccount
	pictures := map[string][]byte{}
	for {
		h, err := kept.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		var data []byte
		if err == nil {
			data, err = io.ReadAll(kept)
		}
		if err != nil {
			w.Fatal(err)
		}
		dir, name, _ := strings.Cut(h.Name, "/")
		switch dir {
		case "account.json":
			err = json.Unmarshal(data, &account)
		case "pictures":
			pictures[sum(data)] = data
		case "world":
			if filepath.Ext(name) == ".txt" {
				data = bytes.ReplaceAll(data, []byte(worldDir), []byte(w.dir))
			}
			w.write(filepath.FromSlash(name), data)
			err = os.Chtimes(filepath.Join(w.dir, filepath.FromSlash(name)), h.ModTime, h.ModTime)
		}
		if err != nil {
			w.Fatal(err)
		}
	}
	w.repeat(account, pictures)
}

// repeat has the sandbox do what it did until the crash, and later what it did after that.
func (w *world) repeat(account keptAccount, pictures map[string][]byte) {
	w.Helper()
	api, same := w.api(), &sameIDs{next: w.sandbox.InProcess(), now: map[string]string{}}
	w.transport = same
	create := func(e sandbox.Execution) {
		time.Sleep(time.Until(e.CreatedAt))
		data := pictures[e.InputHash]
		image := autoretouch.Image{Name: e.InputName, ContentType: e.InputType, Size: int64(len(data))}
		_, err := api.Upload(w.Context(), image, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
		if err == nil {
			same.mu.Lock()
			defer same.mu.Unlock()
			same.now[e.ID], err = api.Create(w.Context(), autoretouch.NewExecution{
				Workflow: e.Workflow, Name: e.InputName, ContentHash: e.InputHash, ContentType: e.InputType, Labels: e.Labels,
			})
		}
		if err != nil {
			w.Error(err)
		}
	}
	for i, e := range account.Executions {
		if e.CreatedAt.After(account.Died) {
			go func() {
				for _, e := range account.Executions[i:] {
					create(e)
				}
			}()
			break
		}
		create(e)
	}
	time.Sleep(time.Until(account.Died))
}

// sameIDs has the executions of the sandbox have the ids that those had which they repeat.
type sameIDs struct {
	next http.RoundTripper

	mu  sync.Mutex
	now map[string]string // by the id that it had
}

func (s *sameIDs) RoundTrip(r *http.Request) (*http.Response, error) {
	var asked, told []string
	s.mu.Lock()
	for was, now := range s.now {
		asked, told = append(asked, was, now), append(told, now, was)
	}
	s.mu.Unlock()
	r = r.Clone(r.Context())
	r.URL.Path = strings.NewReplacer(asked...).Replace(r.URL.Path)
	resp, err := s.next.RoundTrip(r)
	if err != nil || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	resp.Body = io.NopCloser(strings.NewReader(strings.NewReplacer(told...).Replace(string(body)))) // as long as before
	return resp, err
}
