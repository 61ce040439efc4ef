package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"hotfolder/agent"
)

// Options say where a Server listens and whom it speaks for.
type Options struct {
	Listen  string // host:port; empty: any free port of this machine, for the commands alone
	DataDir string // where the commands find the way to it
	Desk    agent.Desk
	Log     *slog.Logger
}

// Server is the local HTTP server of one agent.
type Server struct {
	// Moved is why the server does not listen where it was told to, but on a free port that only the commands know of;
	// nil: it does.
	Moved error

	contact  contact
	dataDir  string
	log      *slog.Logger
	listener net.Listener
	mux      *http.ServeMux
	http     *http.Server
	grace    time.Duration // for what is in hand when Serve ends
}

const (
	maxHeader      = 16 << 10 // bytes
	maxBody        = 1 << 20  // bytes; 40,000 job ids
	maxConnections = 100      // at once; each costs a descriptor, which the agent needs for pictures
)

// Listen takes the port. The caller is to call Serve.
func Listen(o Options) (*Server, error) {
	l, moved, err := listen(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("local control server: %w", err)
	}
	s := &Server{
		Moved:    moved,
		contact:  newContact(localAddress(l.Addr().(*net.TCPAddr))),
		dataDir:  o.DataDir,
		log:      o.Log,
		listener: newBounded(l, maxConnections),
		mux:      http.NewServeMux(),
		grace:    2 * time.Second,
	}
	desk := api{desk: o.Desk, token: s.contact.Token}
	desk.routes(s.mux)
	s.http = &http.Server{
		Handler:           guard(o.Listen, s.mux),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// listen falls back to a free port, so that a taken one does not cut the commands off.
func listen(address string) (l net.Listener, moved, err error) {
	if address != "" {
		if l, moved = net.Listen("tcp", address); moved == nil {
			return l, nil, nil
		}
	}
	l, err = net.Listen("tcp", "127.0.0.1:0")
	return l, moved, err
}

// localAddress is how this machine reaches what listens on a.
func localAddress(a *net.TCPAddr) string {
	if a.IP.IsUnspecified() {
		return (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: a.Port}).String()
	}
	return a.String()
}

// Address is the host:port at which this machine reaches the server.
func (s *Server) Address() string { return s.contact.Address }

// Handle adds a page. Foreign hosts and origins are refused before h is called; whether a person may see it is for h to say.
// It must not be called after Serve.
func (s *Server) Handle(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// Serve answers until ctx ends, gives what is in hand two seconds to finish, and returns after its last goroutine.
func (s *Server) Serve(ctx context.Context) error {
	tried, giveUp := context.WithCancel(ctx)
	var told sync.WaitGroup
	told.Go(func() { s.tellWhere(tried) })
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	s.http.BaseContext = func(net.Listener) context.Context { return requests }

	ended := make(chan error, 1)
	go func() { ended <- s.http.Serve(s.listener) }()
	var err error
	select {
	case err = <-ended:
		err = fmt.Errorf("local control server: %w", err)
	case <-ctx.Done():
	}
	giveUp()
	told.Wait()
	return errors.Join(err, s.contact.remove(s.dataDir), s.stop(cut))
}

// tellWhere leaves the way to the server where the commands look for it: as soon as it can, since a full disk has room again.
func (s *Server) tellWhere(ctx context.Context) {
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		err := s.contact.write(s.dataDir)
		if err == nil {
			return
		}
		if wait == time.Second {
			s.log.Warn("status, jobs and retry cannot reach this agent yet", "err", err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// stop waits a little for the requests under way, then cuts them off.
func (s *Server) stop(cut func()) error {
	wait, cancel := context.WithTimeout(context.Background(), s.grace)
	defer cancel()
	err := s.http.Shutdown(wait)
	if errors.Is(err, context.DeadlineExceeded) {
		cut()
		err = s.http.Close()
	}
	return err
}
