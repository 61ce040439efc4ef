package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"hotfolder/autoretouch"
	"hotfolder/config"
	"hotfolder/store"
	"hotfolder/watcher"
)

// RecoverOptions are what Recover works with.
type RecoverOptions struct {
	Config *config.Config
	API    *autoretouch.Client
	Log    *slog.Logger

	// Open gives the ledger to fill, once the folders were read; Recover does not close it. nil: nothing is entered.
	Open func() (*store.Ledger, error)
}

// Recovery is what Recover found. Its JSON form is that of `hotfolder recover --json`.
type Recovery struct {
	Files      int                 `json:"files"`       // pictures in the input folders
	Executions int                 `json:"executions"`  // of the workflows, all there are
	Jobs       map[store.State]int `json:"jobs"`        // entered, by state
	ByContent  int                 `json:"by_content"`  // of these, with an execution that was created elsewhere for the same content
	NoOriginal int                 `json:"no_original"` // of these, without a file in the input folder
	Before     int                 `json:"before"`      // that the ledger had already
	New        int                 `json:"new"`         // files of which the account has nothing: they will be sent and charged
	Unreadable int                 `json:"unreadable"`  // files that could not be read
	Twice      int                 `json:"twice"`       // further executions of one job
	Unmatched  int                 `json:"unmatched"`   // executions of a hotfolder for which no file was found
	Named      []Unmatched         `json:"unmatched_executions,omitempty"`
	Reconciled bool                `json:"reconciled"` // false: the agent looks through the account itself before it spends anything
}

// Unmatched is an execution for which no file was found.
type Unmatched struct {
	Execution string             `json:"execution"`
	File      string             `json:"file"` // its name, as the API gives it
	Status    autoretouch.Status `json:"status"`
	Created   time.Time          `json:"created_at,omitzero"`
}

const (
	mostNamed = 100 // unmatched executions
	entering  = 32  // jobs entered at once: the ledger commits them together
)

// Recover rebuilds a lost ledger: it reads the pictures in the input folders, then the account's executions, and enters a job for
// every execution of which it knows the file, as the execution's status says. A result that lies in the output folder under a name
// that it would get is delivered, any other is to be downloaded, at no charge. An original that is gone had its result: the agent
// moves and deletes none before. Then the ledger is reconciled.
//
// Broken off, it may be begun again with the same ledger. Where there is anything to recover it takes at least
// Config.API.CreateLookup, since the list may lag. Its memory grows with the files in the input folders, and by some 20 bytes for
// each execution. In a studio of very many subfolders it takes long for executions whose files are gone: each subfolder is tried.
func Recover(ctx context.Context, o RecoverOptions) (Recovery, error) {
	r := &recovery{
		RecoverOptions: o, began: time.Now(),
		files: map[string]*original{}, offers: map[content]*autoretouch.Execution{}, versions: map[string]string{},
		labels: map[uint64]struct{}{}, seed: maphash.MakeSeed(),
		report: Recovery{Jobs: map[store.State]int{}, Reconciled: true},
	}
	for _, c := range o.Config.Folders {
		r.folders = append(r.folders, &recovered{folder: &folder{Folder: c, log: o.Log.With("folder", c.Name)}})
	}
	for _, step := range []func(context.Context) error{r.readFolders, r.open, r.readAccount, r.enterOffers, r.close} {
		if err := step(ctx); err != nil {
			return r.report, err
		}
	}
	return r.report, nil
}

// recovery is a Recover under way.
type recovery struct {
	RecoverOptions
	began   time.Time
	folders []*recovered
	ledger  *store.Ledger // nil: nothing is entered

	files    map[string]*original               // by the id of the job
	offers   map[content]*autoretouch.Execution // for what the files hold; nil: none was found
	versions map[string]string                  // of the workflows now
	labels   map[uint64]struct{}                // hashes of those that were met
	seed     maphash.Seed

	mu     sync.Mutex // guards report, and files while the folders are read
	report Recovery
}

// recovered is a hot folder.
type recovered struct {
	*folder
	dirs []string // the subfolders of all that belongs to it, with slashes
	last string   // the one in which the last file was that is gone
}

// original is a picture of a hot folder.
type original struct {
	f         *recovered
	path, sha string
	kind      string // its content type
	seen      store.Seen
	matched   bool
	gone      bool // it is not in the input folder
}

func (o *original) id() string { return store.NewID(o.f.Name, o.path, o.sha) }

// readFolders reads all pictures in the input folders. All folders must be there: what is overlooked would be paid for again.
func (r *recovery) readFolders(ctx context.Context) error {
	for _, f := range r.folders {
		if _, err := os.Stat(f.Output); err != nil {
			return fmt.Errorf("the output folder of %s: %s; connect it first", f.Name, reason(err))
		}
	}
	all, ctx := errgroup.WithContext(ctx)
	for _, f := range r.folders {
		all.Go(func() error {
			w, err := watcher.New(watcher.Options{
				Root: f.Input, Recursive: f.Recursive, Include: f.Include, Exclude: f.Exclude, Settle: f.Settle, Once: true, Log: f.log,
				Take: func(ctx context.Context, file watcher.File) error { return r.take(ctx, f, file) },
			})
			if err == nil {
				err = w.Run(ctx)
			}
			if err = cmp.Or(err, ctx.Err()); err != nil {
				return fmt.Errorf("the input folder of %s: %w; connect it first", f.Name, err)
			}
			f.dirs = foldersIn(f.Input, f.Output, f.Processed, f.Failed)
			return nil
		})
	}
	return all.Wait()
}

// take notes a file that the watcher found ready.
func (r *recovery) take(ctx context.Context, f *recovered, file watcher.File) error {
	job, seen, err := look(ctx, f.folder, file, sha)
	if errors.Is(err, watcher.ErrChanged) || ctx.Err() != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Files++
	if job.SHA256 == "" {
		r.report.Unreadable++
		f.log.Warn("the file cannot be read and is passed over", "file", file.Path, "err", err)
		return nil
	}
	r.files[job.ID] = &original{f: f, path: job.Path, sha: job.SHA256, kind: job.ContentType, seen: seen}
	return nil
}

// foldersIn lists the subfolders of the roots, relative to them and with slashes.
func foldersIn(roots ...string) []string {
	dirs := map[string]bool{".": true}
	for _, root := range roots {
		if root == "" {
			continue
		}
		_ = filepath.WalkDir(root, func(dir string, d fs.DirEntry, err error) error { // what can't be read shows nothing
			if err != nil || !d.IsDir() {
				return nil
			}
			if rel, err := filepath.Rel(root, dir); err == nil {
				dirs[filepath.ToSlash(rel)] = true
			}
			return nil
		})
	}
	return slices.Sorted(maps.Keys(dirs))
}

func (r *recovery) open(context.Context) (err error) {
	if r.Open == nil {
		return nil
	}
	if r.ledger, err = r.Open(); err != nil {
		return err
	}
	return r.ledger.SetReconciled(false)
}

func (r *recovery) close(context.Context) error {
	if r.ledger == nil || !r.report.Reconciled {
		return nil
	}
	return r.ledger.SetReconciled(true)
}
