package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"syscall"

	"hotfolder/autoretouch"
)

// errLater says that a job must wait for another one.
var errLater = errors.New("waits for another job")

// errGivenUp says that a job failed, and that this is in the ledger.
var errGivenUp = errors.New("given up")

// inputError is trouble with reading an input, outputError with writing a result, ledgerError with the ledger: none of them the
// API's, none of them the picture's fault.
type (
	inputError  struct{ err error }
	outputError struct{ err error }
	ledgerError struct{ err error }
)

// damagedError says that a result was downloaded to its end and is not what the API says that it is.
type damagedError struct{ got, want string }

func (e *damagedError) Error() string {
	return fmt.Sprintf("download: the result arrived damaged (its hash is %.8s, not %.8s)", e.got, e.want)
}

func (e *inputError) Error() string  { return e.err.Error() }
func (e *inputError) Unwrap() error  { return e.err }
func (e *outputError) Error() string { return e.err.Error() }
func (e *outputError) Unwrap() error { return e.err }
func (e *ledgerError) Error() string { return e.err.Error() }
func (e *ledgerError) Unwrap() error { return e.err }

func asOutput(err error) error {
	if err == nil {
		return nil
	}
	return &outputError{err}
}

func isInput(err error) bool {
	_, ok := errors.AsType[*inputError](err)
	return ok
}

func isOutput(err error) bool {
	_, ok := errors.AsType[*outputError](err)
	return ok
}

func isLedger(err error) bool {
	_, ok := errors.AsType[*ledgerError](err)
	return ok
}

// reason says in words for people why a file operation failed.
func reason(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return "the disk is full"
	case errors.Is(err, fs.ErrPermission):
		return "the agent has no right to: " + short(err)
	case errors.Is(err, fs.ErrNotExist):
		if p, ok := errors.AsType[*fs.PathError](err); ok {
			return p.Path + " is not there"
		}
		return short(err)
	}
	return short(err)
}

// short leaves the innermost path and cause of a wrapped file error.
func short(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Path + ": " + p.Err.Error()
	}
	return err.Error()
}

// apiReason is what the API itself said, if it said anything.
func apiReason(err error) string {
	if e, ok := errors.AsType[*autoretouch.Error](err); ok && e.Message != "" {
		return "AutoRetouch refused the picture: " + strings.TrimSuffix(e.Message, ".")
	}
	return err.Error()
}

// retryLevel keeps a passing trouble quiet: the first and each tenth failure of a job are told.
func retryLevel(n int) slog.Level {
	if n == 1 || n%10 == 0 {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}
