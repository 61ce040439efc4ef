package cli

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"hotfolder/report"
)

func TestReport(t *testing.T) {
	w := newWorld(t)
	w.login()
	w.want(0, `(?m)^0 pictures delivered, 0 failed, 0 waiting, 0 credits$`, ``, "report")
	w.drop("packshots/shoes/a.jpg", "packshots/b.jpg", "website/bad.jpg")
	stop := w.start()
	w.awaitFile("out/packshots/shoes/a.jpg")
	w.awaitFile("out/packshots/b.jpg")
	w.await("the end", func() bool {
		r := w.report()
		return r.Delivered == 2 && r.Failed == 1 && r.Waiting == 0
	})
	for _, running := range []bool{true, false} {
		r := w.report()
		if len(r.Folders) != 2 || r.Folders[0].Name != "packshots" || len(r.Folders[0].Orders) != 2 || r.Folders[0].Orders[1].Name != "shoes" ||
			r.Folders[0].Credits == 0 || len(r.Failures) != 1 || r.Failures[0].Path != "bad.jpg" || r.Worst <= 0 {
			t.Errorf("running %v: %+v", running, r)
		}
		w.want(0, `(?m)^2 pictures delivered, 1 failed, 0 waiting, \d+ credits$(?s:.*)^FAILED\nwebsite: bad.jpg\n    the file is not`, ``, "report", "--since", "1h")
		w.want(0, `\n0 pictures delivered`, ``, "report", "--since", "2026-01-01", "--until", "1h")
		w.want(0, `(?m)^packshots,shoes,1,0,0,\d+,`, ``, "report", "--csv")
		if running {
			stop()
		}
	}
	w.want(0, `^$`, ``, "report", "--html", w.path("night.html"))
	page, err := os.ReadFile(w.path("night.html"))
	if err != nil || !strings.HasPrefix(string(page), "<!DOCTYPE html>") || !strings.Contains(string(page), "bad.jpg") {
		t.Errorf("%v: %s", err, page)
	}
	w.want(0, `^$`, ``, "report", "--html", w.path("night.html")) // in place of the older one
	write(t, w.path("shoe.jpg"), []byte("a picture"))
	w.want(2, `^$`, `hotfolder: --html: \S+shoe.jpg is there and is no report; name another file\n`, "report", "--html", w.path("shoe.jpg"))
	if kept, err := os.ReadFile(w.path("shoe.jpg")); err != nil || string(kept) != "a picture" {
		t.Errorf("%q, %v", kept, err)
	}
	w.want(1, `^$`, `hotfolder: .*no.such.html: .*\n`, "report", "--html", w.path("no/such.html"))
	w.want(2, `^$`, `hotfolder: --until: "noon" is no time; .*\n`, "report", "--until", "noon")
	w.want(2, `^$`, `hotfolder: --until: .* is not after .*\n`, "report", "--since", "1h", "--until", "2h")
	w.want(2, `^$`, `hotfolder: .*\n`, "report", "--csv", "--json")
}

func (w *world) report() (r report.Report) {
	w.t.Helper()
	got := w.run("report", "--json")
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil || got.code != 0 {
		w.t.Errorf("report --json: exit %d, %v: %s%s", got.code, err, got.stdout, got.stderr)
	}
	return r
}
