package agent_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hotfolder/agent"
	"hotfolder/sandbox"
	"hotfolder/store"
)

// smallDisk mounts a disk of 2 MB at a folder of the world; enlarge makes it larger.
func (w *world) smallDisk(name string) (enlarge func()) {
	w.Helper()
	dir := filepath.Join(w.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		w.Fatal(err)
	}
	err := unix.Mount("hotfolder-test", dir, "tmpfs", 0, "size=2m")
	if errors.Is(err, unix.EPERM) {
		w.Skip("only root may mount")
	}
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			w.Error(err)
		}
	})
	return func() {
		w.Helper()
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=64m"); err != nil {
			w.Fatal(err)
		}
	}
}

// noise is a picture of some 200 kB.
func noise(seed uint64) []byte {
	img := image.NewGray(image.Rect(0, 0, 480, 480))
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range img.Pix {
		img.Pix[i] = uint8(r.Uint32())
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 90}); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func TestOutputFolderOnAFullDisk(t *testing.T) {
	in(t, studio{idle: true, sandbox: sandbox.Options{PassThrough: true}}, func(w *world) {
		enlarge := w.smallDisk("out")
		const n = 20
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf("shoot %d/%d.jpg", i%3, i))
			w.drop(names[i], noise(uint64(i)))
		}
		w.start()
		w.until("it is full", 10*time.Minute, func() bool { return slices.Contains(w.troubles(), agent.OutputUnwritable) })
		w.wantMend(agent.OutputUnwritable)
		time.Sleep(time.Hour)
		s, err := w.agent.Status(w.Context())
		if err != nil || !strings.Contains(s.Folders[0].Problem, "the disk is full") {
			t.Errorf("the problem is %q, %v", s.Folders[0].Problem, err)
		}
		delivered := w.counts()[store.Delivered]
		if delivered < 5 || delivered == n {
			t.Errorf("%d of %d delivered on a disk that takes some", delivered, n)
		}
		w.wantOnlyResults()
		enlarge()
		w.settle(n, store.Delivered)
		w.wantOutputs(names...)
		w.wantPaid(n)
		if len(w.troubles()) != 0 {
			t.Errorf("still %v", w.troubles())
		}
	})
}

func TestLedgerOnAFullDisk(t *testing.T) {
	in(t, studio{idle: true}, func(w *world) {
		enlarge := w.smallDisk("data")
		w.start()
		w.drop("before.jpg", picture(0))
		w.settle(1, store.Delivered)
		w.fill("data")
		const n = 40
		for i := range n {
			w.drop(fmt.Sprintf("%d.jpg", i), picture(i+1))
		}
		w.until("it is full", 10*time.Minute, func() bool { return slices.Contains(w.troubles(), agent.LedgerUnwritable) })
		w.wantMend(agent.LedgerUnwritable)
		time.Sleep(time.Hour)
		w.wantMend(agent.LedgerUnwritable)
		enlarge()
		w.settle(n+1, store.Delivered)
		w.wantPaid(n + 1)
		if len(w.troubles()) != 0 {
			t.Errorf("still %v", w.troubles())
		}
		w.halt()
		l := w.ledger()
		defer l.Close()
		if err := l.Verify(w.Context()); err != nil {
			t.Error(err)
		}
	})
}

// fill leaves no room on a disk.
func (w *world) fill(name string) {
	w.Helper()
	f, err := os.Create(filepath.Join(w.dir, name, "filler"))
	if err != nil {
		w.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, unix.ENOSPC) {
		w.Fatal(err)
	}
}
