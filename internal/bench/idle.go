package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"hotfolder/sandbox"
	"hotfolder/store"
	"hotfolder/watcher"
)

// archive is a studio after some years: files that are all known, and as many jobs in the ledger as there ever were.
type archive struct {
	files, rows int           // at most as many files as rows
	watch       time.Duration // how long the idle agent is watched
}

const rescanEvery = time.Minute

// idle measures what the agent costs while there is nothing to do, with a large ledger and, beside it, a small one.
func idle(a archive, dir string) error {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		return errors.New("-idle reads /proc, which only Linux has")
	}
	dir, remove, err := workIn(dir)
	if err != nil {
		return err
	}
	defer remove()
	binary, err := build(dir)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 50, 0, 2, ' ', 0)
	defer w.Flush()
	if err := program(w, binary); err != nil {
		return err
	}
	for _, a := range []archive{{10_000, 10_000, a.watch}, a} {
		w.Flush()
		input := filepath.Join(dir, fmt.Sprintf("%d files", a.files))
		if err := makeArchive(input, a.files); err != nil {
			return err
		}
		walk, err := rescan(w, input, a.files)
		if err != nil {
			return err
		}
		if err := atRest(w, binary, dir, input, a.rows, walk, a.watch); err != nil {
			return fmt.Errorf("%d rows: %w", a.rows, err)
		}
	}
	return nil
}

// program measures the binary itself.
func program(w io.Writer, binary string) error {
	small := binary + "-small"
	if out, err := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", small, "hotfolder").CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	info, err := os.Stat(small)
	if err != nil {
		return err
	}
	var starts []time.Duration
	for range 21 {
		began := time.Now()
		if err := exec.Command(small, "version").Run(); err != nil {
			return err
		}
		starts = append(starts, time.Since(began))
	}
	fmt.Fprintf(w, "the binary, as it is packaged\t%.1f MB\n", float64(info.Size())/1e6)
	fmt.Fprintf(w, "start of hotfolder version, median\t%v\n", median(starts).Round(100*time.Microsecond))
	return nil
}

// makeArchive fills a folder with pictures, 100 to a subfolder. Most are links to one: their names are what costs.
func makeArchive(dir string, files int) error {
	var one string
	for n := range files {
		name := filepath.Join(dir, archived(n))
		if n%100 == 0 {
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				return err
			}
		}
		make := func() error { return os.Link(one, name) }
		if n%1000 == 0 { // a file has at most 65,000 names
			one = name
			make = func() error { return makePicture(name, 10_000) }
		}
		if err := make(); err != nil {
			return err
		}
	}
	return nil
}

func archived(n int) string { return fmt.Sprintf("%03d/%05d/IMG_%06d.JPG", n/1000, n/100, n) }

// rescan holds a look at a folder of known files against find, which must do the same calls.
func rescan(w io.Writer, input string, files int) (time.Duration, error) {
	known := 0
	f, err := watcher.New(watcher.Options{
		Root: input, Recursive: true, Once: true, Include: []string{"*.jpg", "*.jpeg", "*.png", "*.tif", "*.tiff", "*.webp"},
		Unknown: func(files []watcher.File) []watcher.File { known += len(files); return nil },
		Take:    func(context.Context, watcher.File) error { return errors.New("all are known") },
	})
	if err != nil {
		return 0, err
	}
	var ours, finds []time.Duration
	for range 5 {
		began := time.Now()
		if err := exec.Command("find", input, "-printf", "%s %T@ %p\n").Run(); err != nil {
			return 0, err
		}
		finds = append(finds, time.Since(began))
		began, known = time.Now(), 0
		if err := f.Run(context.Background()); err != nil {
			return 0, err
		}
		ours = append(ours, time.Since(began))
		if known != files {
			return 0, fmt.Errorf("%d files of %d were looked at", known, files)
		}
	}
	fmt.Fprintf(w, "look at %d known files\t%v, find %v, ratio %.2f\n", files, round(median(ours)), round(median(finds)), float64(median(ours))/float64(median(finds)))
	return median(ours), nil
}

// atRest runs the agent on the archive with so many rows in its ledger.
func atRest(w io.Writer, binary, dir, input string, rows int, walk, watch time.Duration) error {
	work := filepath.Join(dir, fmt.Sprintf("%d rows", rows))
	ledger := filepath.Join(work, "data", "ledger.db")
	s := setup{Input: input, Output: filepath.Join(work, "out"), config: filepath.Join(work, "hotfolder.yaml")}
	if err := os.MkdirAll(s.Output, 0o755); err != nil {
		return err
	}
	box, err := sandbox.New(sandbox.Options{Credits: 1 << 30, PassThrough: true})
	if err != nil {
		return err
	}
	defer box.Close()
	u := &uploads{Handler: box.Handler()}
	server := httptest.NewServer(u)
	defer server.Close()
	s.URL, s.Token = server.URL, box.RefreshToken()
	if err := s.writeConfig("log: {level: info}", fmt.Sprintf("rescan: %v", rescanEvery)); err != nil {
		return err
	}
	if err := fill(ledger, input, rows); err != nil {
		return fmt.Errorf("fill the ledger: %w", err)
	}
	fresh := filepath.Join(input, "zz new")
	if err := os.MkdirAll(fresh, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(fresh) // the next agent's folder is to be as this one's was
	if err := makePicture(filepath.Join(fresh, "first.jpg"), 1_000_000); err != nil {
		return err
	}
	cmd := exec.Command(binary, "--config", s.config, "run")
	cmd.Env = append(os.Environ(), "AUTORETOUCH_REFRESH_TOKEN="+s.Token)
	log, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt) // so that it lets go of the folder
		_ = cmd.Wait()
	}()
	found, delivered := make(chan time.Time, 100), make(chan time.Time, 100)
	go func() {
		for lines := bufio.NewScanner(log); lines.Scan(); {
			switch line := lines.Text(); {
			case strings.Contains(line, "msg=found"):
				found <- time.Now()
			case strings.Contains(line, "msg=delivered"):
				delivered <- time.Now()
			}
		}
	}()
	first, err := within(found, 5*time.Minute)
	if err != nil {
		return fmt.Errorf("the first new file: %w", err)
	}
	if _, err := within(delivered, time.Minute); err != nil {
		return fmt.Errorf("the first result: %w", err)
	}
	fmt.Fprintf(w, "%d rows: from the start to the first new file\t%v, a walk of its folders %v\n", rows, round(first.Sub(began)), round(walk))

	for copies := []string(nil); len(copies) == 0; time.Sleep(time.Second) {
		if copies, err = store.Copies(ledger); err != nil || time.Since(began) > 10*time.Minute {
			return errors.Join(errors.New("no copy of the ledger"), err)
		}
	}
	before, err := cpuOf(cmd.Process.Pid)
	if err != nil {
		return err
	}
	info, err := os.Stat(ledger)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d rows: CPU until its copy is made, at the start and daily\t%.1f s\n", rows, before.Seconds())
	fmt.Fprintf(w, "%d rows: size of the ledger\t%d bytes a job\n", rows, info.Size()/int64(rows))
	time.Sleep(watch)
	after, err := cpuOf(cmd.Process.Pid)
	if err != nil {
		return err
	}
	own, err := ownMemory(cmd.Process.Pid)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d rows: CPU while idle for %v\t%.2f %% of a core\n", rows, watch, 100*(after-before).Seconds()/watch.Seconds())
	fmt.Fprintf(w, "%d rows: memory of its own (RssAnon)\t%.1f MiB\n", rows, float64(own)/(1<<20))

	late, err := u.singly(singleDrops, filepath.Join(work, "made.jpg"), fresh)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d rows: from settled to upload begun\tmedian %v, most %v\n", rows, round(median(late)), round(slices.Max(late)))
	return nil
}

// fill writes a ledger in which all files of the archive are delivered, and so many others that are no longer there.
func fill(file, input string, rows int) error {
	l, err := store.Open(file)
	if err != nil {
		return err
	}
	next := make(chan int)
	failed := make(chan error, 64)
	var wg sync.WaitGroup
	for range cap(failed) {
		wg.Go(func() {
			for n := range next {
				if err := l.Restore(delivered(input, n)); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	for n := 0; n < rows && len(failed) == 0; n++ {
		next <- n
	}
	close(next)
	wg.Wait()
	close(failed)
	return errors.Join(<-failed, l.SetReconciled(true), l.Close())
}

// delivered is the n-th job of an archive.
func delivered(input string, n int) (store.Job, store.Seen) {
	path := archived(n)
	seen := store.Seen{Size: 10_000, ModTime: time.Unix(1_700_000_000, 0)}
	if info, err := os.Stat(filepath.Join(input, path)); err == nil {
		seen = store.Seen{Size: info.Size(), ModTime: info.ModTime()}
	}
	sum := fmt.Sprintf("%08x%056x", uint32(n)*2654435761, n)
	at := time.Unix(1_700_000_000, 0).Add(time.Duration(n) * time.Second)
	job := store.Job{ID: store.NewID("bench", path, sum), Folder: "bench", Path: path, SHA256: sum, Size: seen.Size, ContentType: "image/jpeg",
		State: store.Delivered, Execution: sum[:36], Workflow: sandbox.CatalogueJPEG, Version: "1", Credits: 10, Attempts: 1, Output: path,
		Result: store.Result{Path: "/image/" + sum + "/" + filepath.Base(path), SHA256: sum, ContentType: "image/jpeg", Name: filepath.Base(path)}}
	for _, state := range []store.State{store.Queued, store.Uploaded, store.Submitting, store.Processing, store.Downloading, store.Delivered} {
		at = at.Add(time.Second)
		job.History = append(job.History, store.Event{State: state, Time: at})
	}
	return job, seen
}

func within(events <-chan time.Time, limit time.Duration) (time.Time, error) {
	select {
	case at := <-events:
		return at, nil
	case <-time.After(limit):
		return time.Time{}, fmt.Errorf("not within %v", limit)
	}
}

// cpuOf is the CPU time of a process so far (proc(5), stat; 100 ticks a second).
func cpuOf(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])) // from the third on
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat is not as expected", pid)
	}
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err1, err2)
}

var rssAnon = regexp.MustCompile(`RssAnon:\s*(\d+) kB`)

func ownMemory(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	m := rssAnon.FindSubmatch(status)
	if m == nil {
		return 0, fmt.Errorf("/proc/%d/status names no RssAnon", pid)
	}
	kB, err := strconv.ParseInt(string(m[1]), 10, 64)
	return kB << 10, err
}

func median[T cmp.Ordered](values []T) T {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
