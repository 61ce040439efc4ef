package cli

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hotfolder/store"
	"hotfolder/testdata/photos"
)

// runDemo runs the command until it ends by itself.
func runDemo(dir string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = Main([]string{"demo", "--dir", dir}, nil, &out, &errs)
	return code, out.String(), errs.String()
}

// filesIn lists the files below a folder.
func filesIn(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			files = append(files, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func write(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func photo(t *testing.T, name string) []byte {
	t.Helper()
	content, err := fs.ReadFile(photos.FS, name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

var demoResults = []string{
	"packshots/coffee.png", "packshots/kitchen/cup.png", "packshots/lab/retina.png", "packshots/portraits/Eileen Collins.png",
	"website/chelsea.jpg", "website/kitchen/clock.jpg", "website/space/hubble.jpg", "website/space/rocket.jpg",
}

// TestDemo runs the demo in a new folder with --keep and a person at it, then once more in the same folder.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "demo")
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }

	ctx, interrupt := context.WithCancel(t.Context())
	await, ended := keepDemo(ctx, t, dir)
	await("delivered  website/space/rocket.webp → website/space/rocket.jpg")
	await("8 of 8 pictures in ")
	await(at("before-after.png"))
	await("Ctrl-C")
	if got := filesIn(t, at("output")); !slices.Equal(got, demoResults) {
		t.Errorf("results %q, want %q", got, demoResults)
	}
	sheet, err := openPicture(at("before-after.png"))
	if err != nil {
		t.Fatal(err)
	}
	if size := sheet.Bounds().Size(); size.X < 1000 || size.Y < 1000 {
		t.Errorf("the contact sheet is %v", size)
	}
	if code, _, stderr := runDemo(dir); code != exitUsage || !strings.Contains(stderr, "another demo runs in "+dir) {
		t.Errorf("a second demo in the folder: exit code %d, %s", code, stderr)
	}
	var status bytes.Buffer
	if code := Main([]string{"--config", at("hotfolder.yaml"), "status"}, nil, &status, &status); code != exitOK || !strings.Contains(status.String(), "running since") {
		t.Errorf("status: exit code %d, %s", code, &status)
	}
	write(t, at("input/website/mine/cup.jpg"), photo(t, "kitchen/cup.jpg"))
	await("delivered  website/mine/cup.jpg → website/mine/cup.jpg")
	write(t, at("input/website/mine/letter.jpg"), []byte("Dear client, …"))
	await("failed     website/mine/letter.jpg: the file is not a ")
	if err := os.Remove(at("input/website/mine/letter.jpg")); err != nil {
		t.Error(err)
	}
	interrupt()
	if code := <-ended; code != exitOK {
		t.Errorf("exit code %d", code)
	}

	own := map[string][]byte{
		"input/website/mine/cup.jpg":  photo(t, "kitchen/cup.jpg"),
		"input/website/chelsea.png":   photo(t, "coffee.jpg"), // in the place of a photograph
		"output/packshots/coffee.png": []byte("retouched further"),
		"output/note.txt":             []byte("for the client"),
	}
	for name, content := range own {
		write(t, at(name), content)
	}
	code, out, stderr := runDemo(dir)
	if code != exitOK || stderr != "" {
		t.Fatalf("second run: exit code %d, %s\n%s", code, stderr, out)
	}
	for name, want := range own {
		if got, err := os.ReadFile(at(name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s was not left as it was (%v)", name, err)
		}
	}
	want := append([]string{"note.txt", "packshots/coffee_2.png", "website/mine/cup.jpg"}, demoResults...)
	slices.Sort(want)
	if got := filesIn(t, at("output")); !slices.Equal(got, want) {
		t.Errorf("results of the second run %q, want %q", got, want)
	}
	for _, want := range []string{
		"\nwebsite/space/hubble.tif          180 × 156 TIFF  180 × 156 JPEG  ",
		"\n9 of 9 pictures in ",
		" for 65 credits of the sandbox\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the second run does not tell %q:\n%s", want, out)
		}
	}
}

// keepDemo runs the demo with --keep until ctx ends; await reads its lines up to the one that holds a text.
func keepDemo(ctx context.Context, t *testing.T, dir string) (await func(text string), ended chan int) {
	r, w := io.Pipe()
	ended = make(chan int, 1)
	go func() {
		ended <- execute(ctx, []string{"demo", "--keep", "--dir", dir}, nil, w, io.Discard)
		w.Close()
	}()
	lines := make(chan string, 1000)
	go func() {
		for s := bufio.NewScanner(r); s.Scan(); {
			lines <- s.Text()
		}
		close(lines)
	}()
	late := time.After(2 * time.Minute)
	return func(text string) {
		t.Helper()
		for {
			select {
			case line, more := <-lines:
				if !more {
					t.Fatalf("it ended before it told %q", text)
				}
				if strings.Contains(line, text) {
					return
				}
			case <-late:
				t.Fatalf("it never told %q", text)
			}
		}
	}, ended
}

func TestDemoRefusesAFolderThatIsNotItsOwn(t *testing.T) {
	for name, file := range map[string]string{"photographs": "input/a.jpg", "a real configuration": "hotfolder.yaml"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, file), []byte("precious"))
			code, _, stderr := runDemo(dir)
			if code != exitUsage || !strings.Contains(stderr, dir) || !strings.Contains(stderr, "--dir") {
				t.Errorf("exit code %d, %q; want one that names %s and --dir", code, stderr, dir)
			}
			if got := filesIn(t, dir); !slices.Equal(got, []string{file}) {
				t.Errorf("the folder now holds %q", got)
			}
		})
	}
}

func TestDemoFailures(t *testing.T) {
	good := store.Job{Folder: "packshots", Path: "a.jpg", State: store.Delivered}
	bad := store.Job{Folder: "packshots", Path: "b.jpg", State: store.Failed, Error: "cut short"}
	if err := demoFailures([]store.Job{good}); err != nil {
		t.Errorf("without a failure: %v", err)
	}
	err := demoFailures([]store.Job{good, bad, bad})
	if want := "2 of 3 pictures failed, first packshots/b.jpg: cut short"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}
