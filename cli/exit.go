package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"hotfolder/agent"
	"hotfolder/autoretouch"
	"hotfolder/config"
	"hotfolder/control"
	"hotfolder/store"
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
	if errors.Is(err, control.ErrNoAnswer) || errors.Is(err, control.ErrForbidden) {
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
	text := err.Error()
	if e := ofAPI(err); e != nil {
		text = sayOfAPI(e)
	} else if p, ok := errors.AsType[*fs.PathError](err); ok && err == error(p) {
		text = sayOfFile(p)
	}
	return strings.ReplaceAll(text, "\n", "; ")
}

// ofAPI is the innermost error of the API in err's chain; nil: there is none.
func ofAPI(err error) (inner *autoretouch.Error) {
	for {
		e, ok := errors.AsType[*autoretouch.Error](err)
		if !ok {
			return inner
		}
		inner, err = e, e.Err
	}
}

// sayOfAPI says what an error of the API means, rather than which call it was.
func sayOfAPI(e *autoretouch.Error) string {
	said := e.Message
	if said == "" && e.Err != nil && e.Status == 0 {
		said = e.Err.Error()
	}
	if e.Status != 0 {
		said = strings.TrimSuffix(fmt.Sprintf("HTTP %d: %s", e.Status, said), ": ")
	}
	if p, ok := errors.AsType[*fs.PathError](e.Err); ok {
		said = sayOfFile(p)
	}
	switch {
	case e.Op == "read login" && e.Class == autoretouch.Auth:
		return said
	case isLocal(e) && isLogin(e):
		return fmt.Sprintf("cannot %s: %s", e.Op, said)
	case isLocal(e):
		return said
	case e.Class == autoretouch.Auth:
		return "AutoRetouch does not accept the login (" + strings.TrimSuffix(said, ".") + ")"
	case e.Class == autoretouch.Transient && e.Status/100 < 4:
		return "AutoRetouch cannot be reached: " + said
	case e.Class == autoretouch.Transient:
		return "AutoRetouch does not answer as it should (" + strings.TrimSuffix(said, ".") + ")"
	}
	return "AutoRetouch refuses (" + strings.TrimSuffix(said, ".") + ")"
}

// isLogin tells whether it is about the login's file.
func isLogin(e *autoretouch.Error) bool { return strings.HasSuffix(e.Op, " login") }

// sayOfFile leaves out which call it was, and the names of temporary files.
func sayOfFile(p *fs.PathError) string {
	path := p.Path
	if name := filepath.Base(path); strings.HasPrefix(name, ".private-") || strings.HasPrefix(name, ".hotfolder-") {
		path = filepath.Dir(path)
	}
	return fmt.Sprintf("%s: %v", path, p.Err)
}

// mendOf says what to do about an error whose text does not.
func mendOf(err error) string {
	if errors.Is(err, control.ErrNoAnswer) {
		return "try again; if it stays so, look into its log and restart it"
	}
	if errors.Is(err, store.ErrNotFound) {
		return "'hotfolder jobs' lists them"
	}
	e := ofAPI(err)
	switch {
	case e != nil && isLogin(e) && errors.Is(e, fs.ErrPermission):
		return "be the user whom the agent runs as (or root)"
	case e != nil && e.Op == "read login" && !errors.Is(err, autoretouch.ErrNoLogin):
		return ""
	case e == nil || isLocal(err):
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
		if e.Status/100 >= 4 {
			return "try again in a while"
		}
		return "check the network and api.url, then try again"
	}
	return ""
}
