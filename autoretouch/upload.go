package autoretouch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"sync"

	"golang.org/x/time/rate"
)

// upload is the body of an upload: head, exactly size bytes of the file, tail. It tells the watchdog when the network is
// waited for and keeps the rate. A transport may still read it after the answer has come, so Close is final.
type upload struct {
	ctx   context.Context
	file  io.Closer
	parts io.Reader
	dog   *watchdog
	rate  *rate.Limiter // nil: none

	mu     sync.Mutex
	closed bool
	err    error // of the file
}

func newUpload(ctx context.Context, file io.ReadCloser, size int64, head, tail []byte, dog *watchdog, rate *rate.Limiter) *upload {
	u := &upload{ctx: ctx, file: file, dog: dog, rate: rate}
	u.parts = io.MultiReader(bytes.NewReader(head), &exactly{file, size, &u.err}, bytes.NewReader(tail))
	return u
}

func (u *upload) Read(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return 0, errors.New("upload closed")
	}
	u.dog.pause()
	defer u.dog.wait()
	if u.rate == nil {
		return u.parts.Read(p)
	}
	n, err := u.parts.Read(p[:min(len(p), u.rate.Burst())])
	if wait := u.rate.WaitN(u.ctx, n); wait != nil {
		return 0, wait
	}
	return n, err
}

// Close ends the reading and closes the file. A nil upload is closed.
func (u *upload) Close() error {
	if u == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return nil
	}
	u.closed = true
	return u.file.Close()
}

// failure is the file's error, if it had one. A nil upload had none.
func (u *upload) failure() error {
	if u == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}

// exactly reads the n bytes that were promised; fewer and more are ErrSize. It notes its error besides returning it,
// since not every transport hands a body's error back.
type exactly struct {
	r    io.Reader
	left int64
	err  *error
}

func (e *exactly) Read(p []byte) (int, error) {
	if *e.err != nil {
		return 0, *e.err
	}
	if e.left == 0 {
		return 0, e.end()
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	switch {
	case err == io.EOF && e.left > 0:
		*e.err = ErrSize
	case err != nil && err != io.EOF:
		*e.err = err
	}
	return n, *e.err
}

// end looks whether the file really ends here.
func (e *exactly) end() error {
	switch n, err := io.ReadFull(e.r, make([]byte, 1)); {
	case n > 0:
		*e.err = ErrSize
	case err != io.EOF:
		*e.err = err
	default:
		return io.EOF
	}
	return *e.err
}

// newLimiter allows bytesPerSecond; nil for 0. What a busy machine has missed for a fifth of a second is made up for, or the rate would
// fall with each piece that is late.
func newLimiter(bytesPerSecond int64) *rate.Limiter {
	if bytesPerSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(bytesPerSecond), int(min(max(bytesPerSecond/5, 1), math.MaxInt32)))
}
