package installer

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/kardianos/service"
)

// stopWithin is how long the service may take to stop: more than the agent needs, less than systemd (TimeoutStopSec) and
// Windows (20 s) wait.
const stopWithin = 18 * time.Second

// Interactive says whether a person started the program, rather than a service manager.
func Interactive() bool { return service.Interactive() }

// Run is run under a service manager, which run tells with Alive when it is ready: run's context ends when ctx does or the service manager says stop. It returns
// run's error after run has returned, or an error if run is not back 18 s after it was told to stop.
func Run(ctx context.Context, run func(context.Context) error) error {
	p := &program{ctx: ctx, run: run, ended: make(chan struct{})}
	s, err := service.New(p, &service.Config{Name: Name, Option: service.KeyValue{"RunWait": p.wait}})
	if err != nil {
		return err
	}
	return s.Run()
}

// program is kardianos' view of a run: Start must return at once, Stop when all is done.
type program struct {
	ctx    context.Context // Run's; Start has no parameter for it
	run    func(context.Context) error
	cancel context.CancelFunc
	ended  chan struct{} // closed after err is set
	err    error
}

func (p *program) Start(s service.Service) error {
	var ctx context.Context
	ctx, p.cancel = context.WithCancel(p.ctx)
	go func() {
		p.err = p.run(ctx)
		close(p.ended)
		if runtime.GOOS == "windows" && ctx.Err() == nil {
			s.Stop() // RunWait is not asked there: only the service manager can end the service
		}
	}()
	return nil
}

// wait returns when there is something to stop, or nothing more to wait for. Not used on Windows.
func (p *program) wait() {
	select {
	case <-p.ctx.Done():
	case <-p.ended:
	}
}

func (p *program) Stop(service.Service) error {
	_ = notify("STOPPING=1") // for `systemctl status` alone
	p.cancel()
	select {
	case <-p.ended:
		return p.err
	case <-time.After(stopWithin):
		return fmt.Errorf("still busy %v after it was told to stop", stopWithin)
	}
}
