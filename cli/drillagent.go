package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hotfolder/config"
)

// agentProcess is `hotfolder run` of this same program. A nil one is none.
type agentProcess struct {
	cmd  *exec.Cmd
	log  string // file
	done chan struct{}
	err  error // of the process, once done is closed
}

// startProcess runs this program with args, for a configuration and without what the environment says to the real one. It writes to a
// log beside the configuration. The caller ends it.
func startProcess(c *config.Config, args ...string) (*agentProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &agentProcess{log: strings.TrimSuffix(c.File, filepath.Ext(c.File)) + ".log", done: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd = exec.Command(self, append([]string{"--config", c.File}, args...)...)
	p.cmd.Env = slices.DeleteFunc(os.Environ(), isOursOrProxy)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	ownGroup(p.cmd)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the agent: %w", err)
	}
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	return p, nil
}

// isOursOrProxy tells whether a variable of the environment would lead the agent to the real account.
func isOursOrProxy(variable string) bool {
	name, _, _ := strings.Cut(strings.ToUpper(variable), "=")
	return strings.HasPrefix(name, "AUTORETOUCH_") || strings.HasPrefix(name, "HOTFOLDER_") || strings.HasSuffix(name, "_PROXY")
}

// kill ends it at once, as a power cut would.
func (p *agentProcess) kill() {
	if p != nil {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.done
	}
}

const stopTime = 15 * time.Second // the agent promises ten

// stop ends it as a service manager would, and tells what is wrong with how it ended.
func (p *agentProcess) stop() error {
	if p == nil {
		return nil
	}
	if err := p.ended(); err != nil {
		return err
	}
	if err := interrupt(p.cmd.Process); err != nil { // without a console, on Windows
		p.kill()
		return nil
	}
	select {
	case <-p.done:
	case <-time.After(stopTime):
		p.kill()
		return fmt.Errorf("the agent did not stop within %v", stopTime)
	}
	if p.err != nil {
		return fmt.Errorf("the agent stopped with %w", p.err)
	}
	return nil
}

// wait returns the exit code when it ended by itself.
func (p *agentProcess) wait(ctx context.Context) (code int, err error) {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-time.After(drillPatience):
		return 0, fmt.Errorf("after %v it had not ended by itself", drillPatience)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// ended is an error if it runs no longer though nobody stopped it.
func (p *agentProcess) ended() error {
	if p == nil {
		return nil
	}
	select {
	case <-p.done:
		return errors.New("the agent ended by itself")
	default:
		return nil
	}
}

// lastWords is the last line of its log.
func (p *agentProcess) lastWords() string {
	if p == nil {
		return ""
	}
	f, err := os.Open(p.log)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		_, _ = f.Seek(max(0, info.Size()-4096), io.SeekStart)
	}
	text, _ := io.ReadAll(f) // what can be read of it
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(lines[len(lines)-1])
}
