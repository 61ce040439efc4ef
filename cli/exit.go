package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"hotfolder/agent"
	"hotfolder/autoretouch"
	"hotfolder/config"
	"hotfolder/control"
)

// The exit codes (CONTRACT.md, Commands).
const (
	exitOK          = 0
	exitFailed      = 1 // the work was done, but something failed
	exitUsage       = 2 // usage or configuration
	exitLogin       = 3
	exitUnreachable = 4   // the API, or the running agent
	exitKilled      = 130 // by a second signal
)

// coded is an error of which the place where it arose knows the exit code.
type coded struct {
	code int
	error
}

func (c *coded) Unwrap() error { return c.error }

func usage(err error) error { return &coded{exitUsage, err} }

// exitCode says how a command that returned err ends.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if c, ok := errors.AsType[*coded](err); ok {
		return c.code
	}
	if _, ok := errors.AsType[config.Errors](err); ok {
		return exitUsage
	}
	if u, ok := errors.AsType[*agent.Unfinished](err); ok {
		return codeOfUnfinished(u)
	}
	if errors.Is(err, control.ErrNoAnswer) {
		return exitUnreachable
	}
	if _, ok := errors.AsType[*autoretouch.Error](err); ok && !isLocal(err) {
		return codeOfClass(autoretouch.ClassOf(err))
	}
	return exitFailed
}

// isLocal tells an error of this machine's disk, or the user's wish to end, from one of the API.
func isLocal(err error) bool {
	_, disk := errors.AsType[*fs.PathError](err)
	return disk || errors.Is(err, context.Canceled)
}

func codeOfClass(c autoretouch.Class) int {
	switch c {
	case autoretouch.Auth:
		return exitLogin
	case autoretouch.Config:
		return exitUsage
	case autoretouch.Transient:
		return exitUnreachable
	}
	return exitFailed
}

func codeOfUnfinished(u *agent.Unfinished) int {
	for _, t := range u.Troubles {
		switch t.Code {
		case agent.LoginNeeded:
			return exitLogin
		case agent.APIUnreachable:
			return exitUnreachable
		}
	}
	return exitFailed
}

// explain is what a person is told of err: one line "what, where; mend", but a line for each problem of a configuration.
func explain(err error) []string {
	if err == nil {
		return nil
	}
	if problems, ok := errors.AsType[config.Errors](err); ok {
		return strings.Split(problems.Error(), "\n")
	}
	if errors.Is(err, context.Canceled) {
		return []string{"hotfolder: interrupted"}
	}
	text := "hotfolder: " + plain(err)
	if mend := mendOf(err); mend != "" {
		text += "; " + mend
	}
	return []string{visible(text)}
}

// plain is an error in a line.
func plain(err error) string {
	if errors.Is(err, autoretouch.ErrNoLogin) {
		return "not logged in"
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

// mendOf says what to do about an error whose text does not.
func mendOf(err error) string {
	if errors.Is(err, control.ErrNoAnswer) {
		return "try again; if it stays so, look into its log and restart it"
	}
	if _, ok := errors.AsType[*autoretouch.Error](err); !ok || isLocal(err) {
		return ""
	}
	switch autoretouch.ClassOf(err) {
	case autoretouch.Auth:
		if os.Getenv(refreshTokenVariable) != "" {
			return "put a valid token into " + refreshTokenVariable + ", or remove it and run 'hotfolder login'"
		}
		return "run 'hotfolder login'"
	case autoretouch.Config:
		return "check account.organization and the workflow ids in the configuration"
	case autoretouch.Transient:
		return "check the network and api.url, then try again"
	}
	return ""
}
