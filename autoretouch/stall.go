package autoretouch

import (
	"context"
	"fmt"
	"io"
	"time"
)

// watchdog ends a transfer of which no byte moves. It counts only while the network is waited for, not the disk.
type watchdog struct {
	timer *time.Timer
	after time.Duration
}

// watch returns a context that ends when the watchdog bites. The caller calls stop.
func watch(ctx context.Context, after time.Duration) (_ context.Context, _ *watchdog, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(after, func() { cancel(tooSlow(fmt.Sprintf("no byte moved for %v", after))) })
	return ctx, &watchdog{timer, after}, func() {
		timer.Stop()
		cancel(nil)
	}
}

func (w *watchdog) wait()  { w.timer.Reset(w.after) }
func (w *watchdog) pause() { w.timer.Stop() }

// watchedReader is a body from the network: the watchdog counts while it is read.
type watchedReader struct {
	io.Reader
	dog *watchdog
}

func (r watchedReader) Read(p []byte) (int, error) {
	r.dog.wait()
	defer r.dog.pause()
	return r.Reader.Read(p)
}
