package cli

import (
	"os"
	"strings"
	"testing"
)

func TestRedeliver(t *testing.T) {
	w := newWorld(t)
	w.want(0, `^0 results to be downloaded again\n$`, ``, "redeliver", "--missing")
	w.login()
	w.drop("packshots/a.jpg", "packshots/shoes/b.jpg", "website/c.jpg")
	w.want(0, `3 delivered`, `(?s).*`, "run", "--once")
	remove := func(names ...string) {
		t.Helper()
		for _, name := range names {
			if err := os.Remove(w.path(name)); err != nil {
				t.Fatal(err)
			}
		}
	}

	w.want(0, `^0 results to be downloaded again, 3 in place already\n$`, ``, "redeliver", "--missing")
	w.want(1, `^$`, `hotfolder: no such job: zzz is neither the id of one nor a file of which something was delivered; 'hotfolder jobs' lists them\n`, "redeliver", "zzz")
	remove("out/packshots/a.jpg", "out/packshots/shoes/b.jpg", "out/website/c.jpg")
	w.want(0, `^1 result to be downloaded again when the agent runs\n$`, ``, "redeliver", "--missing", "--folder", "website")
	stop := w.start()
	w.awaitFile("out/website/c.jpg")
	w.want(0, `^1 result to be downloaded again\n$`, ``, "redeliver", w.path("out/packshots/shoes"))
	w.awaitFile("out/packshots/shoes/b.jpg")
	w.want(0, `^1 result to be downloaded again\n$`, ``, "redeliver", "a.jpg")
	w.awaitFile("out/packshots/a.jpg")
	w.await("the ledger to know", func() bool { return strings.Contains(w.run("status", "--json").stdout, `"counts":{"delivered":3}`) })
	w.want(0, `^0 results to be downloaded again, 2 in place already\n$`, ``, "redeliver", w.path("in/packshots/a.jpg"), "shoes/b.jpg")
	stop()
	if n := w.box.Books().Calls["POST /v1/workflow/execution/create"]; n != 3 {
		t.Errorf("%d executions were created", n)
	}
}
