// Package sandbox is the AutoRetouch API as API.md describes it, in process or on a port, for the demo, tests,
// benchmarks and integrations. It is as strict as the real one (a request that API.md does not allow is refused, where the
// real one is said to be lenient too: organization is always required, unknown JSON fields and form parts are errors) and,
// when asked to with Faults, as nasty. It works on real pictures, charges credits and keeps Books of all that happened.
//
// What the documentation leaves open is decided so:
//   - Credits are taken when an execution is created, or by the first retry that finds enough of them. A failure is not
//     refunded; the retry of a FAILED execution is free.
//   - A picture whose header is sound but whose end is missing is accepted at upload and ends as FAILED.
//   - Lists show the newest first; a limit above 50 means 50.
//   - The image download wants the name of one of the content's uploads or results in its path, otherwise 404.
//   - retry and feedback answer 204.
//   - OAuth refusals have Auth0's status codes: 403 for pending, denied, expired and invalid_grant, 429 for slow_down.
//
// The account and the auth server share one handler; the paths do not collide. Paths below /_sandbox are the sandbox's own
// (books, faults, credits, tokens; see admin.go), without a login, and for loopback clients only.
//
// Read sandbox.go (the server), routes.go (its endpoints), then auth.go, activate.go, account.go, upload.go, create.go, executions.go, process.go
// (an execution's life), retouch.go and cutout.go (the image work), passthrough.go (none), results.go, webhooks.go,
// faults.go, books.go, transport.go (no socket).
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// Options of a Server. The zero value is a working sandbox without credits.
type Options struct {
	Dir         string            // where uploads and results are kept, made if need be; "": a temporary one, removed by Close
	Workers     int               // pictures worked on at once; 0: one a processor
	Processing  time.Duration     // the least time from start to end of an execution; holds up no worker
	Credits     int               // balance of Organization at the start
	TokenLife   time.Duration     // of access tokens; 0: 24 h
	MaxUpload   int64             // bytes; 0: MaxUpload
	AutoConfirm bool              // device logins are confirmed at the first poll, without a person
	PassThrough bool              // no image work: a result is its input with a few bytes put in where its format allows them
	Faults      Faults            // from the start on; SetFaults changes them
	Seed        uint64            // of the random faults: the same seed, the same sequence
	Webhooks    http.RoundTripper // carries the webhook deliveries; nil: the network
	Log         *slog.Logger      // nil: none
}

// MaxUpload is the largest accepted picture in bytes, unless Options say otherwise. The API's own limit is not documented.
const MaxUpload = 512 << 20

// Server is one sandbox with one account. All methods are safe for concurrent use.
type Server struct {
	opts    Options
	log     *slog.Logger
	dir     string
	handler http.Handler
	hooks   *http.Client

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup
	slots  chan struct{}       // one for each worker
	pixels *semaphore.Weighted // bounds the memory of the image work

	mu         sync.Mutex // guards all below; never held during I/O or image work
	closed     bool
	faults     Faults
	rng        *rand.Rand
	tokens     map[string]*accessToken
	refresh    map[string]bool    // valid refresh tokens
	devices    map[string]*device // by device code
	balance    map[string]int     // by organization
	images     map[imageKey]*storedImage
	batches    map[string]batch
	executions []*execution // oldest first
	byID       map[string]*execution
	hooksDue   int
	books      Books // Executions and Balance are filled in by Books
	inFlight   map[string]int
}

// New returns a sandbox that is ready to serve. It starts no goroutine; later ones end with Close.
func New(opts Options) (*Server, error) {
	if opts.Workers <= 0 {
		opts.Workers = runtime.GOMAXPROCS(0)
	}
	if opts.TokenLife <= 0 {
		opts.TokenLife = 24 * time.Hour
	}
	if opts.MaxUpload <= 0 {
		opts.MaxUpload = MaxUpload
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := makeDir(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("sandbox folder: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{
		opts: opts, log: opts.Log, dir: dir,
		hooks: &http.Client{Transport: opts.Webhooks, Timeout: webhookTimeout},
		ctx:   ctx, cancel: cancel,
		slots:  make(chan struct{}, opts.Workers),
		pixels: semaphore.NewWeighted(pixelsAtOnce),

		faults:   opts.Faults,
		rng:      rand.New(rand.NewPCG(opts.Seed, 0)),
		tokens:   map[string]*accessToken{},
		refresh:  map[string]bool{},
		devices:  map[string]*device{},
		balance:  map[string]int{Organization: opts.Credits},
		images:   map[imageKey]*storedImage{},
		batches:  map[string]batch{},
		byID:     map[string]*execution{},
		books:    Books{Calls: map[string]int{}, Peak: map[string]int{}},
		inFlight: map[string]int{},
	}
	if opts.Webhooks == nil {
		s.hooks.Transport = http.DefaultTransport.(*http.Transport).Clone()
	}
	s.handler = s.routes()
	return s, nil
}

func makeDir(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "autoretouch-sandbox-")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// Handler serves the API and the auth server.
func (s *Server) Handler() http.Handler { return s.handler }

// Close breaks off what is in hand, waits for the sandbox's goroutines and removes a temporary Dir. A server that
// serves Handler on a socket is its owner's to stop, before this.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.wg.Wait()
	s.hooks.CloseIdleConnections()
	if s.opts.Dir == "" {
		return os.RemoveAll(s.dir)
	}
	return nil
}

var errClosed = errors.New("sandbox: closed")

// spawn runs f in a goroutine that Close waits for; after Close it does nothing and returns errClosed.
func (s *Server) spawn(f func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	s.wg.Go(f)
	return nil
}

// sleep waits for d and tells whether it did: false when ctx or the sandbox ended before.
func (s *Server) sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil && s.ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
	return false
}
