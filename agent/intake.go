package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"hotfolder/config"
	"hotfolder/store"
	"hotfolder/watcher"
)

// The largest width and height that the API takes, and that it does not scale down (API.md, Images).
const (
	maxSide  = 10000
	keptSide = 4096
)

// takers is how many files of a folder are taken at once. Few of them are read at a time (see hashing), the others wait for the ledger.
const takers = 16

func (a *Agent) watchOptions(f *folder) watcher.Options {
	return watcher.Options{
		Root: f.Input, Recursive: f.Recursive, Include: f.Include, Exclude: f.Exclude,
		Settle: f.Settle, Rescan: f.Rescan, Once: a.once, Takers: takers,
		Unknown: func(files []watcher.File) []watcher.File { return a.unknown(f, files) },
		Take:    func(ctx context.Context, file watcher.File) error { return a.intake(ctx, f, file) },
		State:   func(s watcher.State) { a.inputState(f, s) },
		Log:     f.log, Events: a.events,
		Mount: a.mounts.of(f.Input), Owner: a.Config.DataDir,
	}
}

// unknown are those of some files that the ledger has not seen as they are now.
func (a *Agent) unknown(f *folder, files []watcher.File) []watcher.File {
	unknown := files
	a.Ledger.Known(f.Name, func(known func(string, store.Seen) bool) {
		var rest []watcher.File
		for _, file := range files {
			if !known(file.Path, store.Seen{Size: file.Size, ModTime: file.ModTime}) {
				rest = append(rest, file)
			}
		}
		unknown = rest
	})
	return unknown
}

func (a *Agent) runWatch(ctx context.Context, f *folder) {
	if err := f.watch.Run(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, watcher.ErrClaimed) { // inputState was told of that
		a.troubles.raise(InputOffline, f.Name, reason(err), "")
	}
	f.looked.Store(a.once && ctx.Err() == nil)
}

// inputState hears how the watcher fares with a hot folder's input.
func (a *Agent) inputState(f *folder, s watcher.State) {
	f.offline.Store(s.Health == watcher.Offline || s.Health == watcher.Claimed)
	a.mounts.learn(f.Input, s.Mount)
	codes := map[watcher.Health]Code{watcher.Offline: InputOffline, watcher.Claimed: InputClaimed, watcher.RescanOnly: InputEvents}
	for health, code := range codes {
		if health == s.Health {
			a.troubles.raise(code, f.Name, reason(s.Err), s.Advice)
		} else {
			a.troubles.clear(code, f.Name)
		}
	}
	if u := s.Unread; u.N > 0 {
		a.troubles.raise(InputUnread, f.Name, u.String(), "")
	} else {
		a.troubles.clear(InputUnread, f.Name)
	}
	notice := ""
	if s.Health == watcher.OK {
		notice = s.Advice
	}
	f.notice.Store(&notice)
	a.wakeAll()
}

// intake enters a file that is ready into the ledger: queued, or failed with the reason why it can't be sent. An error, and first
// of all watcher.ErrChanged, sends the file back to settling.
func (a *Agent) intake(ctx context.Context, f *folder, file watcher.File) error {
	job, seen, err := look(ctx, f, file, func(ctx context.Context, file io.ReadSeeker) (string, error) { return a.hash(ctx, f, file) })
	if err != nil {
		return err
	}
	told := job.History // what people are to be told of it
	job, added, err := a.rows.Add(job, seen)
	if err != nil {
		a.ledgerTrouble(err)
		return err
	}
	a.ledgerWorks()
	log := f.log.With("file", job.Path, "job", job.ID)
	switch {
	case added && job.State == store.Failed:
		a.failedOne(f)
		log.Error("failed", "why", job.Error)
		a.leaveAside(f, job)
	case added:
		if len(told) > 0 {
			f.oversize.Add(1)
			log.Warn("found", "size", job.Size, "why", told[0].Detail)
		} else {
			log.Info("found", "size", job.Size)
		}
		a.wake(store.Queued)
	case job.State == store.Failed && job.SHA256 == "": // it still cannot be read; perhaps a person moved it back
		a.leaveAside(f, job)
	case job.State == store.Failed && f.Failed != "": // it was put aside, and a person moved it back
		return a.takeBack(f, job)
	default:
		log.Debug("known content", "state", job.State)
	}
	return nil
}

func (a *Agent) takeBack(f *folder, job store.Job) error {
	if err := retry(a.rows, job); err != nil {
		return err
	}
	f.log.Info("put back, tried anew", "file", job.Path, "job", job.ID)
	a.wakeAll()
	f.watch.Look()
	return nil
}

// look reads a file and says what job it is: a failed one of no known content, if the watcher has waited long enough for a file that
// cannot be read. That is looked at again at every rescan, since nothing of it is remembered as seen.
func look(ctx context.Context, f *folder, file watcher.File, hash hasher) (store.Job, store.Seen, error) {
	job, seen, err := read(ctx, f, file, hash)
	if errors.Is(err, fs.ErrPermission) && !file.Whole || watcher.Unreadable(err) && file.Late {
		job.ID, job.State = store.NewID(f.Name, file.Path, ""), store.Failed
		job.Error = cannotRead(err) + ", and it is taken by itself"
		return job, store.Seen{Size: -1}, nil
	}
	return job, seen, err
}

// cannotRead says why a file is Unreadable, and what mends that.
func cannotRead(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return "the agent has no right to read the file: give it the right"
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok { // whose path is the job's
		err = p.Err
	}
	return fmt.Sprintf("the file cannot be read, its disk or share fails (%v): copy it again", err)
}

// read reads a file and says what job it is. The file must be the same before and after.
func read(ctx context.Context, f *folder, file watcher.File, hash hasher) (store.Job, store.Seen, error) {
	job := store.Job{Folder: f.Name, Path: file.Path, Size: file.Size, State: store.Queued}
	seen := store.Seen{Size: file.Size, ModTime: file.ModTime}
	r, err := watcher.Open(f.inputPath(file.Path))
	if err != nil {
		return job, seen, fmt.Errorf("open the picture: %w", err)
	}
	defer r.Close()
	if err := unchanged(r.Stat, file); err != nil {
		return job, seen, err
	}
	picture := file.Picture
	if picture == (watcher.Picture{}) { // the watcher could not read it, but may be it is to be had now
		if picture, err = watcher.Inspect(r, file.Size); err != nil {
			return job, seen, fmt.Errorf("read the picture: %w", err)
		}
	}
	if !picture.Whole && picture.Type != "" && file.Whole {
		return job, seen, watcher.ErrChanged
	}
	if job.SHA256, err = hash(ctx, r); err != nil {
		return job, seen, fmt.Errorf("read the picture: %w", err)
	}
	if err := unchanged(func() (fs.FileInfo, error) { return os.Lstat(f.inputPath(file.Path)) }, file); err != nil {
		return job, seen, err
	}
	job.ID = store.NewID(f.Name, file.Path, job.SHA256)
	job.ContentType = picture.Type
	if job.Error = f.refusal(picture, file.Size); job.Error != "" {
		job.State = store.Failed
	} else if f.Oversize == config.OversizeWarn && isOversize(picture) {
		job.History = []store.Event{{State: store.Queued, Detail: fmt.Sprintf("the picture is %d × %d pixels: AutoRetouch scales it down to fit %d × %d",
			picture.Width, picture.Height, keptSide, keptSide)}}
	}
	return job, seen, nil
}

func isOversize(p watcher.Picture) bool { return p.Width > keptSide || p.Height > keptSide }

// refusal says why a picture need not be sent: the API would refuse it, or the folder does.
func (f *folder) refusal(p watcher.Picture, size int64) string {
	switch {
	case size == 0:
		return "the file is empty: copy it again"
	case p.Type == "":
		return "the file is not a JPEG, PNG, TIFF or WebP picture, whatever its name says"
	case !p.Whole:
		return p.Problem + "; copy it again"
	case p.Width > maxSide || p.Height > maxSide:
		return fmt.Sprintf("the picture is %d × %d pixels, AutoRetouch takes at most %d × %d: make it smaller", p.Width, p.Height, maxSide, maxSide)
	case f.Oversize == config.OversizeFail && isOversize(p):
		return fmt.Sprintf("the picture is %d × %d pixels, and AutoRetouch scales down what is above %d × %d: make it smaller, or set oversize: warn for the folder",
			p.Width, p.Height, keptSide, keptSide)
	}
	return ""
}

func unchanged(stat func() (fs.FileInfo, error), file watcher.File) error {
	info, err := stat()
	if err != nil {
		return fmt.Errorf("look at the picture: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() != file.Size || !info.ModTime().Equal(file.ModTime) {
		return watcher.ErrChanged
	}
	return nil
}

func shaOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// hasher is the hex SHA-256 of a file, read from its beginning.
type hasher func(ctx context.Context, file io.ReadSeeker) (string, error)

// hash is sha for as many files at once as there are slots.
func (a *Agent) hash(ctx context.Context, f *folder, file io.ReadSeeker) (string, error) {
	if err := a.hashing.take(ctx, f); err != nil {
		return "", err
	}
	defer a.hashing.give()
	return sha(ctx, a.hashing.reader(f, file))
}

// sha is the hex SHA-256 of a file, read from its beginning.
func sha(ctx context.Context, f io.ReadSeeker) (string, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	h := sha256.New()
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	if _, err := io.CopyBuffer(h, onlyReader{ctx, f}, *buffer); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// buffers are those that files are read with.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 256<<10)
	return &b
}}

// onlyReader reads until its context ends.
type onlyReader struct {
	ctx context.Context
	r   io.Reader
}

func (r onlyReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

func (f *folder) inputPath(path string) string {
	return filepath.Join(f.Input, filepath.FromSlash(path))
}
