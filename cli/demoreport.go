package cli

import (
	"context"
	"errors"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"hotfolder/store"
)

// report writes the contact sheet and tells what came out and where it is.
func (d *demo) report(ctx context.Context, jobs []store.Job, took time.Duration) error {
	workflows, err := d.api.Workflows(ctx)
	if err != nil {
		return err
	}
	names := map[string]string{}
	for _, w := range workflows {
		names[w.ID] = w.Name
	}
	var pairs []beforeAfter
	credits := 0
	for _, j := range jobs {
		credits += j.Credits
		if j.State == store.Delivered {
			pairs = append(pairs, beforeAfter{d.inputFile(j), d.outputFile(j), demoName(j), names[j.Workflow]})
		}
	}
	if err := writeSheet(d.folder.sheet(), pairs); err != nil {
		return err
	}
	if err := d.table(jobs); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\n%d of %d pictures in %.1f s, for %d credits of the sandbox\n", len(pairs), len(jobs), took.Seconds(), credits)
	d.places()
	return nil
}

func (d *demo) inputFile(j store.Job) string {
	return filepath.Join(d.folder.input(), j.Folder, filepath.FromSlash(j.Path))
}

func (d *demo) outputFile(j store.Job) string {
	return filepath.Join(d.folder.output(), j.Folder, filepath.FromSlash(j.Output))
}

func writeSheet(file string, pairs []beforeAfter) error {
	sheet, err := contactSheet("Before and after", "By the workflows of hotfolder's sandbox, which stand in for those of AutoRetouch", pairs)
	if err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	return errors.Join(encoder.Encode(f, sheet), f.Close())
}

// table writes a line a picture.
func (d *demo) table(jobs []store.Job) error {
	w := tabwriter.NewWriter(d.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\npicture\tbefore\tafter\ttook\tcredits\n")
	for _, j := range jobs {
		if j.State != store.Delivered {
			fmt.Fprintf(w, "%s\t%s: %s\n", inShort(visible(demoName(j))), j.State, visible(j.Error))
			continue
		}
		before, err := pixels(d.inputFile(j))
		if err != nil {
			return err
		}
		after, err := pixels(d.outputFile(j))
		if err != nil {
			return err
		}
		took := j.DeliveredAt.Sub(j.DiscoveredAt).Seconds()
		fmt.Fprintf(w, "%s\t%s\t%s\t%.1f s\t%d\n", inShort(visible(demoName(j))), before, after, took, j.Credits)
	}
	return w.Flush()
}

// pixels is what a picture is, but for its bytes.
func pixels(file string) (string, error) {
	text, err := describe(file)
	text, _, _ = strings.Cut(text, ",")
	return text, err
}

// inShort leaves out the middle of a long name, so that a line has at most 80 columns.
func inShort(name string) string {
	const most = 32
	letters := []rune(name)
	if len(letters) <= most {
		return name
	}
	return string(letters[:most/2-1]) + "…" + string(letters[len(letters)-most/2:])
}

// places tells where things are and what to do next.
func (d *demo) places() {
	f := d.folder
	fmt.Fprintf(d.out, `
before and after  %s
results           %s
originals         %s
log               %s

To look at it:    %s "%s"
What it did:      %s --config "%s" jobs
`, f.sheet(), f.output(), f.input(), f.log(), opener(), f.sheet(), self(), f.config())
	if !d.keep {
		fmt.Fprintln(d.out, "With your own:    the same command with --keep")
	}
}

// opener is the command that opens a file in its program.
func opener() string {
	switch runtime.GOOS {
	case "windows":
		return "explorer"
	case "darwin":
		return "open"
	}
	return "xdg-open"
}

// demoFailures is the error when a picture has no result: the first reason, and how many there are.
func demoFailures(jobs []store.Job) error {
	var failed []store.Job
	for _, j := range jobs {
		if j.State == store.Failed {
			failed = append(failed, j)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d pictures failed, first %s: %s", len(failed), len(jobs), visible(demoName(failed[0])), failed[0].Error)
}
