package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"hotfolder/config"
)

func TestOverlap(t *testing.T) {
	const two = "folders:\n  - {name: a, input: %s, output: %s, workflow: w}\n  - {name: b, input: %s, output: %s, workflow: w}\n"
	const clash = "the input of folder %q, DIR%s; keep them apart"
	for _, test := range []struct{ name, text, want string }{
		{"shared output", fmt.Sprintf(two, "a/in", "out", "b/in", "out"), ""},
		{"similar names", fmt.Sprintf(two, "in", "in-out", "in2", "in.out"), ""},
		{"side by side", fmt.Sprintf(two, "p/in", "p/out", "q/in", "q/out"), ""},
		{"same input", fmt.Sprintf(two, "in", "out", "in", "out2"), "3:22: input: overlaps with " + fmt.Sprintf(clash, "a", "/in")},
		{"input in input", fmt.Sprintf(two, "in", "out", "in/b", "out2"), "3:22: input: overlaps with " + fmt.Sprintf(clash, "a", "/in")},
		{"input around input", fmt.Sprintf(two, "in/a", "out", "in", "out2"), "3:22: input: overlaps with " + fmt.Sprintf(clash, "a", "/in/a")},
		{"output is input", fmt.Sprintf(two, "in", "in", "in2", "out"), "2:34: output: is or lies in " + fmt.Sprintf(clash, "a", "/in")},
		{"output in another's input", fmt.Sprintf(two, "in", "in2/out", "in2", "out"), "2:34: output: is or lies in " + fmt.Sprintf(clash, "b", "/in2")},
		{"output holds input", fmt.Sprintf(two, "p/in", "p", "in2", "out"), "2:36: output: holds " + fmt.Sprintf(clash, "a", "/p/in")},
		{"case only", fmt.Sprintf(two, "in", "IN/out", "in2", "out"), map[bool]string{
			true: "2:34: output: is or lies in " + fmt.Sprintf(clash, "a", "/in")}[runtime.GOOS != "linux"]},
		{"through a link", fmt.Sprintf(two, "real", "link/out", "in2", "out"), "2:36: output: is or lies in " + fmt.Sprintf(clash, "a", "/real")},
		{"through a link, not there yet", fmt.Sprintf(two, "real/new", "link/new/out", "in2", "out"), "2:40: output: is or lies in " + fmt.Sprintf(clash, "a", "/real/new")},
		{"processed in input", folder("processed: in/done"), "6:16: processed: is or lies in " + fmt.Sprintf(clash, "a", "/in")},
		{"failed in input", folder("failed: in/bad"), "6:13: failed: is or lies in " + fmt.Sprintf(clash, "a", "/in")},
		{"review in input", folder("review: in/look"), "6:13: review: is or lies in " + fmt.Sprintf(clash, "a", "/in")},
		{"review beside output is an input", fmt.Sprintf(two, "in", "out", "review", "out2"), "2:5: review: is or lies in " + fmt.Sprintf(clash, "b", "/review") +
			"\n3:5: review: is or lies in " + fmt.Sprintf(clash, "b", "/review")},
		{"reports in input", folder() + "report: {daily: '07:00', to: in/reports}", "6:30: report.to: is or lies in " + fmt.Sprintf(clash, "a", "/in")},
		{"ledger in input", folder() + "data_dir: in/.hotfolder", "6:11: data_dir: is or lies in " + fmt.Sprintf(clash, "a", "/in")},
		{"ledger around input", folder() + "data_dir: .", ""},
		{"log in input", folder() + "log: {file: in/agent.log}", "6:13: log.file: is or lies in " + fmt.Sprintf(clash, "a", "/in")},
		{"everything", folder() + "  - {name: b, input: /, output: /srv, workflow: w}", "?"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(dir, "real"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
				t.Skip("no symbolic links here:", err)
			}
			file := filepath.Join(dir, "hotfolder.yaml")
			_, err = config.Parse(file, []byte(test.text), env(nil))
			if test.want == "?" {
				if err == nil {
					t.Error("accepted")
				}
				return
			}
			var got string
			if err != nil {
				got = strings.ReplaceAll(err.Error(), file+":", "")
				got = filepath.ToSlash(strings.ReplaceAll(got, dir, "DIR"))
			}
			if got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}
