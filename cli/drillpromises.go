package cli

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"hotfolder/config"
	"hotfolder/sandbox"
	"hotfolder/store"
)

// evidence is what came of a scenario: what was dropped, what lies in the folders, the ledger, and the account's books.
type evidence struct {
	folders []config.Folder
	found   []foundFiles // of each folder

	dropped   []drop // each is to be processed
	replaced  []drop // each may have been
	bad       []drop // each is to be refused
	inputLost bool   // an original may have been left where it was

	books  sandbox.Books
	jobs   []store.Job
	halves []string // results that were seen with less than their content
}

// foundFiles are the hashes of the files in a hot folder's folders, by their paths.
type foundFiles struct{ input, output, processed, failed map[string]string }

// complaints name every promise that was broken; none, if all hold.
func (e evidence) complaints() []string {
	return slices.Concat(e.executions(), e.charges(), e.fates(), e.outputs(), e.originals(), e.halves)
}

// results counts the files in the output folders.
func (e evidence) results() (n int) {
	for _, f := range e.found {
		n += len(f.output)
	}
	return n
}

// content is what is paid for.
type content struct{ workflow, sha string }

func (e evidence) contentOf(d drop) content { return content{e.folders[d.folder].Workflow, d.sha} }

// executions wants one for each content, or for each file where duplicates are to be processed.
func (e evidence) executions() (complaints []string) {
	least, most, name := map[content]int{}, map[content]int{}, map[content]string{}
	for _, d := range e.dropped {
		c := e.contentOf(d)
		if name[c] = e.nameOf(d); most[c] == 0 || e.folders[d.folder].Duplicates == config.Process {
			least[c]++
			most[c]++
		}
	}
	for _, d := range e.replaced {
		most[e.contentOf(d)]++
		name[e.contentOf(d)] = e.nameOf(d)
	}
	for _, d := range e.bad {
		name[e.contentOf(d)] = e.nameOf(d)
	}
	got := map[content]int{}
	for _, x := range e.books.Executions {
		c := content{x.Workflow, x.InputHash}
		got[c]++
		name[c] = cmp.Or(name[c], x.InputName)
	}
	for c, n := range name {
		if got[c] < least[c] || got[c] > most[c] {
			complaints = append(complaints, fmt.Sprintf("%s: %s instead of %d", n, plural(got[c], "execution"), most[c]))
		}
	}
	slices.Sort(complaints)
	return complaints
}

// nameOf is how a drop is called to people.
func (e evidence) nameOf(d drop) string { return e.folders[d.folder].Name + "/" + d.path }

// charges wants each execution paid for once, and the ledger to know.
func (e evidence) charges() (complaints []string) {
	times := map[string]int{}
	for _, c := range e.books.Charges {
		times[c.Execution]++
	}
	for _, x := range e.books.Executions {
		if times[x.ID] != 1 {
			complaints = append(complaints, fmt.Sprintf("%s: charged %d times", x.InputName, times[x.ID]))
		}
	}
	credits := 0
	for _, j := range e.jobs {
		credits += j.Credits
	}
	if charged := e.books.Charged(); credits != charged {
		complaints = append(complaints, fmt.Sprintf("the ledger says %d credits, the account was charged %d", credits, charged))
	}
	return complaints
}

// fates wants every file delivered, or failed for a reason that is its own.
func (e evidence) fates() (complaints []string) {
	for _, d := range e.dropped {
		j := e.jobOf(d)
		unnamed := j.State == store.Delivered && j.Output == "" && e.folders[d.folder].OnConflict != config.Skip
		if unnamed || j.State != store.Delivered && !e.mayFail(d, j) {
			complaints = append(complaints, fmt.Sprintf("%s: no result, it is %s %s", e.nameOf(d), cmp.Or(j.State, "unknown to the ledger"), j.Error))
		}
	}
	for _, d := range e.bad {
		if j := e.jobOf(d); j.State != store.Failed || j.Error == "" {
			complaints = append(complaints, fmt.Sprintf("%s: not refused with a reason, it is %s", e.nameOf(d), cmp.Or(j.State, "unknown to the ledger")))
		}
	}
	return complaints
}

// jobOf is the job of a drop, the zero one if there is none.
func (e evidence) jobOf(d drop) store.Job {
	i := slices.IndexFunc(e.jobs, func(j store.Job) bool {
		return j.Folder == e.folders[d.folder].Name && j.Path == d.path && j.SHA256 == d.sha
	})
	if i < 0 {
		return store.Job{}
	}
	return e.jobs[i]
}

// mayFail tells whether AutoRetouch failed a job's execution more often than the folder has it retried.
func (e evidence) mayFail(d drop, j store.Job) bool {
	x := e.executionOf(j)
	return j.State == store.Failed && j.Error != "" && x.Status == sandbox.StatusFailed && x.Retries >= e.folders[d.folder].Retries
}

func (e evidence) executionOf(j store.Job) sandbox.Execution {
	i := slices.IndexFunc(e.books.Executions, func(x sandbox.Execution) bool { return x.ID == j.Execution })
	if i < 0 {
		return sandbox.Execution{}
	}
	return e.books.Executions[i]
}

// outputs wants each result whole under its name, and nothing else.
func (e evidence) outputs() (complaints []string) {
	for i, f := range e.folders {
		want := map[string]string{}
		for _, j := range e.jobs {
			if j.Folder == f.Name && j.State == store.Delivered && j.Output != "" {
				want[j.Output] = e.executionOf(j).ResultHash
			}
		}
		complaints = append(complaints, differences(f.Name+": output", e.found[i].output, want)...)
	}
	return complaints
}

// originals wants each file where the configuration says, and nothing else.
func (e evidence) originals() (complaints []string) {
	for i, f := range e.folders {
		found := e.found[i]
		input, processed, failed := map[string]string{}, []string{}, []string{}
		for _, d := range slices.Concat(e.dropped, e.bad) {
			if d.folder != i {
				continue
			}
			state := e.jobOf(d).State
			left := e.inputLost && found.input[d.path] == d.sha
			switch {
			case state == store.Failed && f.Failed != "":
				failed = append(failed, d.sha)
			case state != store.Delivered || f.AfterSuccess == config.Keep || left:
				input[d.path] = d.sha
			case f.AfterSuccess == config.Move:
				processed = append(processed, d.sha)
			}
		}
		complaints = append(complaints, differences(f.Name+": input", found.input, input)...)
		complaints = append(complaints, unequal(f.Name+": processed", slices.Collect(maps.Values(found.processed)), processed)...)
		complaints = append(complaints, unequal(f.Name+": failed", withoutNotes(found.failed), failed)...)
	}
	return complaints
}

// differences names what is missing, wrong or too much among files.
func differences(where string, got, want map[string]string) (complaints []string) {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		switch sha, there := got[name]; {
		case !there:
			complaints = append(complaints, fmt.Sprintf("%s: %s is missing", where, name))
		case sha != want[name]:
			complaints = append(complaints, fmt.Sprintf("%s: %s has other content than it should have", where, name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, wanted := want[name]; !wanted {
			complaints = append(complaints, fmt.Sprintf("%s: %s should not be there", where, name))
		}
	}
	return complaints
}

// unequal compares contents whose names do not matter.
func unequal(where string, got, want []string) []string {
	slices.Sort(got)
	slices.Sort(want)
	if slices.Equal(got, want) {
		return nil
	}
	return []string{fmt.Sprintf("%s: %s that are not the %d wanted", where, plural(len(got), "file"), len(want))}
}

// withoutNotes are the contents of the files in failed that have a note beside them, and of other ones.
func withoutNotes(files map[string]string) (contents []string) {
	for name, sha := range files {
		_, hasNote := files[name+".error.txt"]
		if picture, isNote := strings.CutSuffix(name, ".error.txt"); isNote && files[picture] != "" {
			continue
		} else if !isNote && !hasNote {
			sha = name + " without a note"
		}
		contents = append(contents, sha)
	}
	return contents
}

// outputWatch looks at the output folders all the time: what has a final name must be a whole result.
type outputWatch struct {
	dirs     []string
	isResult func(sha string) bool
	seen     map[string]bool
	halves   []string

	quit chan struct{}
	done sync.WaitGroup
	once sync.Once
}

const watchEvery = 10 * time.Millisecond

func watchOutputs(dirs []string, isResult func(sha string) bool) *outputWatch {
	w := &outputWatch{dirs: dirs, isResult: isResult, seen: map[string]bool{}, quit: make(chan struct{})}
	w.done.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			w.look()
			select {
			case <-tick.C:
			case <-w.quit:
				return
			}
		}
	})
	return w
}

// stop ends it and returns what it saw.
func (w *outputWatch) stop() []string {
	w.once.Do(func() { close(w.quit) })
	w.done.Wait()
	return w.halves
}

func (w *outputWatch) look() {
	for _, dir := range w.dirs {
		_ = filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !strings.HasPrefix(d.Name(), ".hotfolder-") {
				w.lookAt(file)
			}
			return nil // what vanishes meanwhile is not there
		})
	}
}

func (w *outputWatch) lookAt(file string) {
	info, err := os.Stat(file)
	if err != nil {
		return
	}
	key := fmt.Sprint(file, info.Size(), info.ModTime())
	if w.seen[key] {
		return
	}
	sha, err := hashOf(file)
	if err != nil {
		return
	}
	w.seen[key] = true
	if !w.isResult(sha) {
		w.halves = append(w.halves, fmt.Sprintf("%s was seen with %d bytes that are no whole result", file, info.Size()))
	}
}

// hashOf is the hex SHA-256 of a file.
func hashOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
