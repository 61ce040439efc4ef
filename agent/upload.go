package agent

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"hotfolder/autoretouch"
	"hotfolder/store"
	"hotfolder/watcher"
)

// mayUpload is how many pictures of a folder may be uploaded now. Its hours hold back uploads only: what is uploaded goes on.
func mayUpload(f *folder) int {
	if open, _ := f.Hours.Open(time.Now()); f.offline.Load() || !open {
		return 0
	}
	return noLimit
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
	there, err := a.api.HasImage(ctx, job.SHA256)
	if err != nil {
		return err
	}
	a.apiWorks(&a.stage(store.Queued).gate)
	if there {
		_, err := a.step(job.ID, store.Uploaded, "the API had it already", nil)
		return err
	}
	in, err := watcher.Open(f.inputPath(job.Path))
	if errors.Is(err, fs.ErrNotExist) {
		return a.inputGone(f, job, err)
	}
	if err != nil {
		return &inputError{fmt.Errorf("open the picture: %w", err)}
	}
	defer in.Close()

	sum := &summed{f: in}
	image := autoretouch.Image{Name: path.Base(job.Path), ContentType: job.ContentType, Size: job.Size}
	got, err := a.api.Upload(ctx, image, sum.open)
	switch {
	case errors.Is(err, autoretouch.ErrSize), err == nil && sum.hex() != job.SHA256:
		return a.inputChanged(f, job)
	case sum.err != nil:
		return &inputError{fmt.Errorf("read the picture: %w", sum.err)}
	case err != nil:
		return err
	case got != job.SHA256:
		return fmt.Errorf("upload: the API received other bytes (%.8s) than were sent (%.8s)", got, job.SHA256)
	}
	a.apiWorks(&a.stage(store.Queued).gate)
	_, err = a.step(job.ID, store.Uploaded, "", nil)
	return err
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
	if err := a.rows.Unsee(job.Folder, job.Path); err != nil {
		return asLedger(err)
	}
	_, err := a.step(job.ID, store.Gone, "the file is not there any more", nil)
	return err
}

// inputChanged lets go of a job whose file has other content now; the watcher brings that as a job of its own.
func (a *Agent) inputChanged(f *folder, job store.Job) error {
	if err := a.rows.Unsee(job.Folder, job.Path); err != nil {
		return asLedger(err)
	}
	if _, err := a.step(job.ID, store.Gone, "the file changed while it was uploaded", nil); err != nil {
		return err
	}
	f.watch.Look()
	return nil
}

// summed hands out a file's bytes and knows their hash when they were read.
type summed struct {
	f   *os.File
	h   hash.Hash
	err error // of reading, but for the end
}

// open begins anew.
func (s *summed) open() (io.ReadCloser, error) {
	_, err := s.f.Seek(0, io.SeekStart)
	s.h, s.err = sha256.New(), err
	return io.NopCloser(s), err
}

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.f.Read(p)
	s.h.Write(p[:n])
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func (s *summed) hex() string {
	if s.h == nil {
		return ""
	}
	return hex.EncodeToString(s.h.Sum(nil))
}
