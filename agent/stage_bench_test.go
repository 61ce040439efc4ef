package agent

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/jpeg"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"hotfolder/autoretouch"
	"hotfolder/config"
	"hotfolder/sandbox"
	"hotfolder/store"
	"hotfolder/watcher"
)

// What one picture of 1 MB costs in each stage, against the sandbox in process. The sandbox's own work is in upload, submit and
// deliver.
func BenchmarkStages(b *testing.B) {
	for name, stage := range map[string]func(*line, int) error{
		"1 intake":  (*line).intake,
		"2 upload":  (*line).upload,
		"3 submit":  (*line).submit,
		"4 deliver": (*line).deliver,
	} {
		b.Run(name, func(b *testing.B) {
			l := newLine(b)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				b.StopTimer()
				l.prepare(n, name)
				b.StartTimer()
				if err := stage(l, n); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

const pictureSize = 1_000_000

// line is an agent whose stages are called one by one.
type line struct {
	*testing.B
	*Agent
	f   *folder
	box *sandbox.Server
	job store.Job // the picture at hand
}

func newLine(b *testing.B) *line {
	dir := b.TempDir()
	text := fmt.Sprintf("account: {organization: %s}\ndata_dir: data\nfolders: [{name: f, input: in, output: out, workflow: %s, batch: none}]\n",
		sandbox.Organization, sandbox.CatalogueJPEG)
	cfg, err := config.Parse(filepath.Join(dir, "hotfolder.yaml"), []byte(text), func(string) string { return "" })
	if err != nil {
		b.Fatal(err)
	}
	for _, d := range []string{"in", "out"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	box, err := sandbox.New(sandbox.Options{Credits: 1 << 30, PassThrough: true})
	if err != nil {
		b.Fatal(err)
	}
	credentials := &autoretouch.File{Path: filepath.Join(dir, "credentials.json")}
	if err := credentials.Save(autoretouch.Token{Refresh: box.RefreshToken()}); err != nil {
		b.Fatal(err)
	}
	api, err := autoretouch.New(autoretouch.Options{URL: cfg.API.URL, AuthURL: cfg.API.AuthURL, ClientID: cfg.API.ClientID,
		Organization: sandbox.Organization, UserAgent: "bench", Credentials: credentials, Transport: box.InProcess()})
	if err != nil {
		b.Fatal(err)
	}
	ledger, err := store.Open(filepath.Join(dir, "data", "ledger.db"))
	if err != nil {
		b.Fatal(err)
	}
	a, err := New(Options{Config: cfg, Ledger: ledger, API: api, Log: slog.New(slog.DiscardHandler), Version: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		api.Close()
		ledger.Close()
		box.Close()
	})
	return &line{B: b, Agent: a, f: a.folders[0], box: box}
}

// prepare brings the n-th picture to where a stage begins.
func (l *line) prepare(n int, stage string) {
	if err := os.WriteFile(l.f.inputPath(l.path(n)), longPicture(n), 0o644); err != nil {
		l.Fatal(err)
	}
	for _, before := range []struct {
		name string
		do   func(int) error
	}{{"1 intake", l.intake}, {"2 upload", l.upload}, {"3 submit", l.submit}, {"", l.finish}} {
		if before.name == stage {
			return
		}
		if err := before.do(n); err != nil {
			l.Fatal(err)
		}
	}
}

func (l *line) path(n int) string { return fmt.Sprintf("%06d.jpg", n) }

func (l *line) intake(n int) error {
	info, err := os.Stat(l.f.inputPath(l.path(n)))
	if err != nil {
		return err
	}
	err = l.Agent.intake(l.Context(), l.f, watcher.File{Path: l.path(n), Size: info.Size(), ModTime: info.ModTime(), Whole: true})
	if err != nil {
		return err
	}
	l.job, err = l.Ledger.ByPath(l.f.Name, l.path(n))
	return err
}

func (l *line) upload(int) error  { return l.did(l.Agent.upload(l.Context(), l.f, l.job)) }
func (l *line) submit(int) error  { return l.did(l.Agent.submit(l.Context(), l.f, l.job)) }
func (l *line) deliver(int) error { return l.did(l.Agent.deliver(l.Context(), l.f, l.job)) }

func (l *line) did(err error) error {
	if err == nil {
		l.job, err = l.Ledger.Get(l.job.ID)
	}
	return err
}

// finish waits for the execution and writes its result down, as poll does.
func (l *line) finish(int) error {
	for {
		e, err := l.api.Execution(l.Context(), l.job.Execution)
		if err != nil {
			return err
		}
		if e.Status == autoretouch.Completed {
			l.job, err = l.step(l.job, store.Downloading, "", func(j *store.Job) {
				j.Result = store.Result{Path: e.ResultPath, SHA256: e.ResultHash, ContentType: e.ResultContentType, Name: e.ResultName}
			})
			return err
		}
	}
}

// longPicture is a JPEG made long by comments, a different one for each n.
func longPicture(n int) []byte {
	var small bytes.Buffer
	if err := jpeg.Encode(&small, image.NewGray(image.Rect(0, 0, 64, 64)), nil); err != nil {
		panic(err)
	}
	out := append(make([]byte, 0, pictureSize), 0xff, 0xd8)
	for len(out)+small.Len() < pictureSize {
		out = append(out, 0xff, 0xfe, 0xff, 0xff)
		out = append(out, binary.BigEndian.AppendUint64(make([]byte, 65533-8), uint64(n))...)
	}
	return append(out, small.Bytes()[2:]...)
}
