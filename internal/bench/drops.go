package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"hotfolder/sandbox"
)

// uploads is a sandbox that notes when each upload begins, and when the last one ended.
type uploads struct {
	http.Handler

	mu    sync.Mutex
	begun []time.Time
	ended time.Time
}

func (u *uploads) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/upload") {
		u.Handler.ServeHTTP(w, r)
		return
	}
	began := time.Now()
	u.Handler.ServeHTTP(w, r)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.begun, u.ended = append(u.begun, began), time.Now()
}

// singly drops n pictures one after the other into a folder, and returns how long after each had settled its upload began, sorted. They are
// made in the file made, on the same disk.
func (u *uploads) singly(n int, made, folder string) ([]time.Duration, error) {
	var late []time.Duration
	before := u.count()
	for i := range n {
		if err := makePicture(made, 1_000_000); err != nil {
			return nil, err
		}
		settled := time.Now().Add(settle) // at once whole, so that it is clear since when it has not changed
		if err := os.Rename(made, filepath.Join(folder, fmt.Sprintf("%02d.jpg", i))); err != nil {
			return nil, err
		}
		if err := wait(func() bool { return u.count() == before+i+1 }); err != nil {
			return nil, err
		}
		late = append(late, u.begun[before+i].Sub(settled))
		time.Sleep(200 * time.Millisecond) // until it is idle again
	}
	slices.Sort(late)
	return late, nil
}

func (u *uploads) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.begun)
}

const (
	singleDrops = 20
	rated       = 100        // pictures for the upload rate
	uploadRate  = 10_000_000 // bytes a second
)

// drops measures an agent that waits: how soon a single picture is sent, and how exactly it keeps limits.upload_rate.
func drops(dir string) error {
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
	if err := waiting(binary, filepath.Join(dir, "single"), "", func(input string, u *uploads) error {
		late, err := u.singly(singleDrops, filepath.Join(input, "..", "made.jpg"), input)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "from settled to upload begun, median / longest of %d\t%v / %v\n", singleDrops,
			median(late).Round(time.Millisecond/10), late[len(late)-1].Round(time.Millisecond/10))
		return nil
	}); err != nil {
		return err
	}
	return waiting(binary, filepath.Join(dir, "rate"), fmt.Sprintf("limits: {upload_rate: %d}", uploadRate), func(input string, u *uploads) error {
		if err := makePictures(input, rated, 1_000_000); err != nil {
			return err
		}
		if err := wait(func() bool { return u.count() == rated }); err != nil {
			return err
		}
		slices.SortFunc(u.begun, time.Time.Compare)
		rate := float64(rated) * 1_000_000 / u.ended.Sub(u.begun[0]).Seconds()
		fmt.Fprintf(w, "upload rate, of what limits.upload_rate says\t%.1f %%\n", 100*rate/uploadRate)
		return nil
	})
}

// waiting has do drop pictures for an agent that has nothing to do.
func waiting(binary, dir, config string, do func(input string, u *uploads) error) error {
	s := setup{Input: filepath.Join(dir, "in"), Output: filepath.Join(dir, "out"), config: filepath.Join(dir, "hotfolder.yaml")}
	for _, d := range []string{s.Input, s.Output} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	box, err := sandbox.New(sandbox.Options{Credits: 1 << 30, PassThrough: true})
	if err != nil {
		return err
	}
	defer box.Close()
	u := &uploads{Handler: box.Handler()}
	server := httptest.NewServer(u)
	defer server.Close()
	s.URL = server.URL
	if err := s.writeConfig("log: {level: warn}\n"+config, ""); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	cmd := exec.CommandContext(ctx, binary, "--config", s.config, "run")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Env = append(os.Environ(), "AUTORETOUCH_REFRESH_TOKEN="+box.RefreshToken())
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return err
	}
	time.Sleep(3 * time.Second) // it has looked at the account and is idle
	err = do(s.Input, u)
	stop()
	if ended := cmd.Wait(); err == nil && ended != nil && !errors.Is(ended, context.Canceled) {
		err = fmt.Errorf("%w\n%.2000s", ended, output.String())
	}
	return err
}

func wait(is func() bool) error {
	for began := time.Now(); !is(); time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Minute {
			return errors.New("an upload did not come within a minute")
		}
	}
	return nil
}
