package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hotfolder/sandbox"
)

// A studio whose folders say much that is not the default.
const drillStudio = `account: {organization: %q}
api: {url: %[2]q, auth_url: %[2]q}
data_dir: data
limits: {credits_per_day: 1}
folders:
  - name: "packshots: shoes"
    input: in/packshots
    output: out/packshots
    workflow: their-own
    workflow_version: "7"
    exclude: ["proofs/**"]
    output_name: "{folder}/{name}-{hash8}{ext}"
    duplicates: process
    after_success: move
    processed: done/packshots
    failed: bad/packshots
    labels: {client: Miller}
    settings: {margin: 0.1}
    batch: day
    retries: 0
  - {name: website, input: in/website, output: out/website, workflow: another, include: ["web-*.jpg"], recursive: false, after_success: delete}
  - {name: empty, input: in/empty, output: out/empty, workflow: their-own, duplicates: reuse}
`

func newDrillStudio(t *testing.T) *world {
	w := newWorld(t)
	w.configure(drillStudio)
	w.drop("packshots/red/a.jpg", "packshots/red/b c.jpg", "packshots/proofs/no.jpg", "packshots/bad.jpg", "website/web-1.jpg", "website/2.jpg")
	write(t, w.path("in/packshots/same.jpg"), readFile(t, w.path("in/packshots/red/a.jpg")))
	write(t, w.path("out/packshots/old.jpg"), []byte("a result of yesterday"))
	write(t, w.path("data/ledger.db"), []byte("the ledger"))
	write(t, w.path("data/credentials.json"), []byte("the login"))
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("TMP", os.Getenv("TMPDIR"))
	t.Setenv(refreshTokenVariable, "the real one")
	return w
}

func readFile(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// state is all that a folder holds.
func state(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range filesIn(t, dir) {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = fmt.Sprint(info.ModTime(), info.Mode(), string(readFile(t, filepath.Join(dir, name))))
	}
	return all
}

func TestDrill(t *testing.T) {
	w := newDrillStudio(t)
	before := state(t, w.dir)
	got := w.run("drill", "--json", "--only", "plain", "--only", "kills", "--only", "failures", "--only", "duplicates", "--only", "names")
	var doc drillDocument
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || got.code != exitOK || got.stderr != "" {
		t.Fatalf("exit code %d, %v\n%s%s", got.code, err, got.stdout, got.stderr)
	}
	if want := []drillFolder{{"packshots: shoes", 2, false}, {"website", 1, false}, {"empty", 6, true}}; !slices.Equal(doc.Folders, want) {
		t.Errorf("folders %v, want %v", doc.Folders, want)
	}
	if doc.Passed != 5 || doc.Failed != 0 || len(doc.Scenarios) != 5 {
		t.Errorf("%+v", doc)
	}
	counts := map[string][2]int{"plain": {9, 9}, "kills": {9, 9}, "duplicates": {12, 10}, "names": {9, 9}} // of three copies one is processed
	for _, s := range doc.Scenarios {
		if want, ok := counts[s.Name]; ok && (s.Pictures != want[0] || s.Executions != want[1] || s.Results != want[0]) {
			t.Errorf("%+v, want %d pictures and %d executions", s, want[0], want[1])
		}
	}
	if after := state(t, w.dir); !maps.Equal(before, after) {
		t.Error("the studio's folders are not as they were")
	}
	if calls := w.box.Books().Calls; len(calls) > 0 {
		t.Errorf("the studio's own API was called: %v", calls)
	}
	if left := filesIn(t, os.TempDir()); len(left) > 0 {
		t.Errorf("it left %q", left)
	}
}

func TestDrillWithoutConfiguration(t *testing.T) {
	for _, name := range []string{"XDG_CONFIG_HOME", "HOME", "AppData", "ProgramData"} {
		t.Setenv(name, t.TempDir())
	}
	t.Chdir(t.TempDir())
	var out, errs bytes.Buffer
	code := Main([]string{"drill", "--only", "plain", "--seed", "3", "--pictures", "1", "--dir", "kept"}, nil, &out, &errs)
	want := `^Drill in .*kept, against the built-in sandbox; seed 3
  packshots: 1 sample photograph
  website: 1 sample photograph

pass nothing goes wrong +2 pictures, 2 executions, 2 results  \d+\.\ds

1 passed, 0 failed, 0 skipped in \S+s
$`
	if code != exitOK || !regexp.MustCompile(want).MatchString(out.String()) || errs.String() != "" {
		t.Errorf("exit code %d\n%s%s", code, &out, &errs)
	}
	if !slices.Contains(filesIn(t, "kept"), "plain/hotfolder.log") {
		t.Error("--dir does not keep the agent's log")
	}
}

// What is wrong at the end of a scenario is told, with its place.
func TestDrillTellsWhatIsBroken(t *testing.T) {
	w := newDrillStudio(t)
	firstResult := func(s *scene) string {
		var results []string
		for _, name := range filesIn(t, s.config.Folders[2].Output) {
			results = append(results, filepath.Join(s.config.Folders[2].Output, name))
		}
		return results[0]
	}
	steps := map[string]struct {
		spoil func(s *scene) error
		want  string
	}{
		"lost":     {func(s *scene) error { return os.Remove(firstResult(s)) }, `empty: output: \S+ is missing`},
		"half":     {func(s *scene) error { return os.Truncate(firstResult(s), 10) }, `empty: output: \S+ has other content(.|\n)*was seen with 10 bytes`},
		"left":     {func(s *scene) error { return os.WriteFile(firstResult(s)+".part", nil, 0o644) }, `empty: output: \S+\.part should not be there`},
		"gone":     {func(s *scene) error { return removeWhileUsed(s.config.Folders[2].Input) }, `(?i)no such file|cannot find|file not found`},
		"unwanted": {func(s *scene) error { s.dropped = s.dropped[1:]; return nil }, `1 execution instead of 0`},
		"dead":     {func(s *scene) error { s.agent.kill(); return nil }, `the agent ended by itself; the agent's log ended with: .*delivered`},
		"paid":     {func(s *scene) error { s.config.Folders[2].Workflow = sandbox.FastCheck; return nil }, `0 executions instead of 1`},
	}
	o := drillOptions{pictures: 2, seed: 1}
	for name, c := range steps {
		o.chosen = append(o.chosen, scenario{name: name, title: name, steps: []step{
			startAgent, dropAll, awaitAll, pauseFor(50 * time.Millisecond),
			func(_ context.Context, s *scene) error { return c.spoil(s) },
			pauseFor(50 * time.Millisecond),
		}})
	}
	var out bytes.Buffer
	a := &app{configFile: w.file, out: &out}
	err := a.runDrill(t.Context(), o, a.drillPrinter(false))
	if exitCode(err) != exitFailed || !strings.Contains(fmt.Sprint(err), "--only dead ") || !strings.Contains(fmt.Sprint(err), "--seed 1 ") {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(out.String(), "\n0 passed, 7 failed, 0 skipped in ") {
		t.Errorf("not all failed:\n%s", &out)
	}
	for _, told := range strings.Split(out.String(), "\nFAIL ")[1:] {
		name, _, _ := strings.Cut(told, " ")
		if !regexp.MustCompile(steps[name].want).MatchString(told) {
			t.Errorf("%s: want %s", told, steps[name].want)
		}
	}
}

// removeWhileUsed removes a folder into which the agent may just be putting a hidden file.
func removeWhileUsed(dir string) (err error) {
	for range 100 {
		if err = os.RemoveAll(dir); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

func TestDrillIsInterrupted(t *testing.T) {
	w := newDrillStudio(t)
	ctx, interrupt := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer interrupt()
	var out, errs bytes.Buffer
	began := time.Now()
	code := execute(ctx, []string{"--config", w.file, "drill"}, nil, &out, &errs)
	if code != exitFailed || time.Since(began) > 10*time.Second || strings.Contains(out.String(), "passed,") {
		t.Errorf("after %v: exit code %d\n%s%s", time.Since(began), code, &out, &errs)
	}
	if left := filesIn(t, os.TempDir()); len(left) > 0 {
		t.Errorf("it left %q", left)
	}
}

func TestDrillRefuses(t *testing.T) {
	w := newDrillStudio(t)
	w.want(exitOK, `(?m)^kills +killed 5 times`, ``, "drill", "--list")
	w.want(exitOK, `"name":"full-disk"`, ``, "drill", "--list", "--json")
	w.want(exitUsage, `^$`, `hotfolder: --only: there is no scenario "flood"; see .*\n`, "drill", "--only", "flood")
	w.want(exitUsage, `^$`, `hotfolder: --pictures must be at least 1\n`, "drill", "--pictures", "0")
	w.want(exitUsage, `^$`, `hotfolder: \S+ is not empty; name a new folder with --dir\n`, "drill", "--dir", w.path("data"))
	w.want(exitUsage, `^$`, `hotfolder: \S+ lies in a folder of website; name another one with --dir\n`, "drill", "--dir", w.path("in/website/x/y"))
	w.configure("folders: []\n# %s %s %s %s\n")
	w.want(exitUsage, `^$`, `(?s).*folders: at least one is needed.*`, "drill")
	w.configure("account: {organization: x}\nfolders:\n  - {name: a, input: nowhere, output: out, workflow: w, include: [\"*.psd\"]}\n# %s %s %s %s\n")
	w.want(exitUsage, `^$`, `hotfolder: no hot folder takes any picture: .*\n`, "drill")
}
