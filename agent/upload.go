package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"hotfolder/autoretouch"
	"hotfolder/store"
	"hotfolder/watcher"
)

// mayUpload is how many pictures of a folder may be uploaded now. Its hours hold back uploads only: what is uploaded goes on. While it
// has more results than can be brought at once, uploads take half of the line and the machine: they would only make the results wait.
func (a *Agent) mayUpload(f *folder) int {
	if open, _ := f.Hours.Open(time.Now()); f.offline.Load() || !open {
		return 0
	}
	if download := a.stage(store.Downloading); download.busyFor(f) < download.workers {
		return noLimit
	}
	return (a.Config.Limits.Uploads+1)/2 - a.stage(store.Queued).busyFor(f)
}

// waitsForHours says that a folder's pictures wait for its hours, "" if none do.
func (f *folder) waitsForHours(queued int) string {
	open, until := f.Hours.Open(time.Now())
	if open || queued == 0 {
		return ""
	}
	return "uploads wait until " + until.Format("15:04")
}

// upload sees to it that the API holds the job's content: queued → uploaded, or gone when the file is not what it was.
func (a *Agent) upload(ctx context.Context, f *folder, job store.Job) error {
	if job.Retries < 0 && job.UploadedAt.IsZero() {
		if err := a.lookAgain(f, job); err != nil {
			return err
		}
	}
	there, err := a.send(ctx, f, job)
	if err != nil {
		return err
	}
	a.apiWorks(&a.stage(store.Queued).gate)
	detail := ""
	if there {
		detail = "the API had it already"
	}
	_, err = a.step(job, store.Uploaded, detail, nil)
	return err
}

// send sends the job's content, unless the API has it already. What is not the job's content any more is let go: errGivenUp.
func (a *Agent) send(ctx context.Context, f *folder, job store.Job) (there bool, err error) {
	if err := a.sending.take(ctx, f); err != nil {
		return false, err
	}
	defer a.sending.give()
	maybe, err := a.maybeThere(job)
	if err != nil {
		return false, err
	}
	if maybe {
		if there, err := a.api.HasImage(ctx, job.SHA256); there || err != nil {
			return there, err
		}
	}
	var in *os.File
	err = a.sending.during(f, func() (err error) { in, err = watcher.Open(f.inputPath(job.Path)); return err })
	if errors.Is(err, fs.ErrNotExist) {
		return false, cmp.Or(a.inputGone(f, job, err), errGivenUp)
	}
	if err != nil {
		return false, &inputError{fmt.Errorf("open the picture: %w", err)}
	}
	defer in.Close()

	r := &input{f: a.sending.reader(f, in)}
	image := autoretouch.Image{Name: path.Base(job.Path), ContentType: job.ContentType, Size: job.Size}
	got, err := a.api.Upload(ctx, image, r.open)
	switch {
	case errors.Is(err, autoretouch.ErrSize):
		return false, cmp.Or(a.inputChanged(f, job), errGivenUp)
	case r.err != nil:
		return false, &inputError{fmt.Errorf("read the picture: %w", r.err)}
	case err != nil:
		return false, err
	case got == job.SHA256: // by the API's own reckoning, which also says that the file is still what it was
		return false, nil
	}
	now, err := sha(ctx, a.sending.reader(f, in))
	if err != nil {
		return false, &inputError{fmt.Errorf("read the picture: %w", err)}
	}
	if now != job.SHA256 {
		return false, cmp.Or(a.inputChanged(f, job), errGivenUp)
	}
	return false, fmt.Errorf("upload: the API received other bytes (%.8s) than were sent (%.8s)", got, job.SHA256)
}

// maybeThere tells whether it is worth asking if the API has a job's content: when it may have been sent before, by an earlier run, for
// another job, or by an agent whose ledger is lost. For all others it would be one call more in vain.
func (a *Agent) maybeThere(job store.Job) (bool, error) {
	if job.DiscoveredAt.Before(a.since) || len(job.History) > 1 || a.stage(store.Queued).failures(job.ID) > 0 || a.known.labelled() > 0 {
		return true, nil
	}
	_, sent, err := a.Ledger.SameContent(job.SHA256, func(j store.Job) bool { return j.ID != job.ID && !j.UploadedAt.IsZero() })
	return sent, asLedger(err)
}

// lookAgain looks at a picture that a person wants tried again: it may have failed for what it is, and be no other now.
func (a *Agent) lookAgain(f *folder, job store.Job) error {
	in, err := watcher.Open(f.inputPath(job.Path))
	if errors.Is(err, fs.ErrNotExist) {
		return cmp.Or(a.inputGone(f, job, err), errGivenUp)
	}
	if err != nil {
		return &inputError{fmt.Errorf("open the picture: %w", err)}
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return &inputError{fmt.Errorf("look at the picture: %w", err)}
	}
	if info.Size() != job.Size {
		return cmp.Or(a.inputChanged(f, job), errGivenUp)
	}
	picture, err := watcher.Inspect(in, job.Size)
	if err != nil {
		return &inputError{fmt.Errorf("read the picture: %w", err)}
	}
	if why := f.refusal(picture, job.Size); why != "" {
		a.fail(f, job, why)
		return errGivenUp
	}
	return nil
}

// inputGone lets go of a job whose file is not there any more, unless it is the whole folder that is not there.
func (a *Agent) inputGone(f *folder, job store.Job, cause error) error {
	if _, err := os.Stat(f.Input); err != nil {
		return &inputError{cause}
	}
	return a.letGoOf(job, "the file is not there any more")
}

// letGoOf ends a job before anything was paid for it. If its file is there it is taken anew.
func (a *Agent) letGoOf(job store.Job, why string) error {
	if err := a.rows.Unsee(job.Folder, job.Path); err != nil {
		return asLedger(err)
	}
	_, err := a.step(job, store.Gone, why, nil)
	return err
}

// inputChanged lets go of a job whose file has other content now; the watcher brings that as a job of its own.
func (a *Agent) inputChanged(f *folder, job store.Job) error {
	if err := a.letGoOf(job, "the file changed while it was uploaded"); err != nil {
		return err
	}
	f.watch.Look()
	return nil
}

// input hands out a file's bytes and knows what went wrong with it, so that it is not taken for the network.
type input struct {
	f   io.ReadSeeker
	err error // of reading, but for the end
}

// open begins anew.
func (r *input) open() (io.ReadCloser, error) {
	_, r.err = r.f.Seek(0, io.SeekStart)
	return io.NopCloser(r), r.err
}

func (r *input) Read(p []byte) (int, error) {
	n, err := r.f.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}
