package agent_test

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hotfolder/store"
)

// scene is what happens in a world in which something goes wrong.
type scene struct {
	folder string // keys of the hot folder
	disk   diskKind
}

const (
	moveOriginals   = "after_success: move\nprocessed: done\nfailed: failed\n"
	deleteOriginals = "after_success: delete\n"
)

// pictures are what is dropped and the results that they are to have.
var pictures = []struct {
	name, result string
	data         []byte
}{
	{"a.jpg", "a.png", picture(1)},
	{"shoot/b.jpg", "shoot/b.png", picture(2)},
	{"shoot/copy of a.jpg", "shoot/copy of a.png", picture(1)},
}

var letter = []byte("Dear Sir or Madam") // is dropped as a picture, too

func (s scene) drop(w *world) {
	for _, p := range pictures {
		w.drop(p.name, p.data)
	}
	w.drop("shoot/letter.jpg", letter)
}

func (s scene) isDone(w *world) bool {
	counts := w.counts()
	return counts[store.Delivered] == len(pictures) && counts[store.Failed] == 1
}

// wantPromises wants CONTRACT.md's promises kept: one execution and charge a picture, one whole result under its name, and no file
// anywhere that does not belong there.
func (s scene) wantPromises(w *world) {
	w.Helper()
	w.wantPaid(2)
	results := map[string]string{} // of each content
	books := w.sandbox.Books()
	for _, e := range books.Executions {
		results[e.InputHash] = e.ResultHash
	}
	want := map[string]string{}
	originals := "in/"
	switch {
	case strings.Contains(s.folder, "move"):
		originals = "done/"
	case strings.Contains(s.folder, "delete"):
		originals = ""
	}
	for _, p := range pictures {
		want["out/"+p.result] = results[sum(p.data)]
		if originals != "" {
			want[originals+p.name] = sum(p.data)
		}
	}
	if strings.Contains(s.folder, "failed") {
		want["failed/shoot/letter.jpg"] = sum(letter)
		want["failed/shoot/letter.jpg.error.txt"] = "a note"
	} else {
		want["in/shoot/letter.jpg"] = sum(letter)
	}
	if strings.Contains(s.folder, "deliver: order") {
		want["out/_COMPLETE.txt"], want["out/shoot/_MISSING.txt"] = "a note", "a note"
	}
	got := map[string]string{}
	for name, sum := range w.files(".") {
		switch {
		case strings.HasPrefix(name, "data/"), name == "credentials.json":
			continue
		case path.Ext(name) == ".txt":
			sum = "a note"
		}
		got[name] = sum
	}
	if !maps.Equal(got, want) {
		w.Errorf("there is  %v\nwant      %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		for name := range got {
			if want[name] != "" && got[name] != want[name] {
				w.Errorf("%s holds %.8s, want %.8s", name, got[name], want[name])
			}
		}
	}
	credits := 0
	for job, err := range w.agent.Jobs(w.Context(), store.Filter{}) {
		if err != nil {
			w.Fatal(err)
		}
		credits += job.Credits
	}
	if credits != books.Charged() {
		w.Errorf("the ledger says %d credits, the account %d", credits, books.Charged())
	}
}

// wantTakenBack moves the picture that was put aside back, and wants it tried anew.
func (s scene) wantTakenBack(w *world) {
	w.Helper()
	tried := len(w.job("shoot/letter.jpg").History)
	if err := os.Rename(filepath.Join(w.dir, "failed/shoot/letter.jpg"), filepath.Join(w.dir, "in/shoot/letter.jpg")); err != nil {
		w.Fatal(err)
	}
	w.until("it is tried anew", 5*time.Minute, func() bool { return len(w.job("shoot/letter.jpg").History) > tried+1 })
	time.Sleep(time.Minute)
}
