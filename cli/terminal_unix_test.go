//go:build unix

package cli

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// terminal is a person at a terminal on which a command runs.
type terminal struct {
	t     *testing.T
	pty   *os.File
	shown buffer
	read  int // of shown, by expect
	ended chan int
	stop  context.CancelFunc
}

// atTerminal runs a command on a terminal of 80 columns, without a desktop.
func (w *world) atTerminal(args ...string) *terminal {
	w.t.Helper()
	return w.atTerminalWith(nil, args...)
}

// atTerminalWith also sets what the environment is to say.
func (w *world) atTerminalWith(environment map[string]string, args ...string) *terminal {
	w.t.Helper()
	w.t.Setenv("TERM", "xterm")
	for _, name := range []string{"DISPLAY", "WAYLAND_DISPLAY", "NO_COLOR", "SSH_CONNECTION", "SSH_TTY", "SUDO_UID"} {
		w.t.Setenv(name, "")
	}
	for name, value := range environment {
		w.t.Setenv(name, value)
	}
	master, tty, err := pty.Open()
	if err == nil {
		err = pty.Setsize(master, &pty.Winsize{Rows: 40, Cols: 80})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	x := &terminal{t: w.t, pty: master, ended: make(chan int, 1), stop: cancel}
	shown := make(chan bool)
	go func() {
		defer close(shown)
		part := make([]byte, 4096)
		for {
			n, err := master.Read(part)
			x.shown.Write(part[:n])
			if err != nil { // when the other end is closed
				return
			}
		}
	}()
	go func() {
		code := execute(ctx, append([]string{"--config", w.file}, args...), tty, tty, tty)
		_, _ = master.WriteString("\n") // ends the reading that an interrupted question leaves behind; perhaps it is echoed
		tty.Close()
		<-shown
		x.ended <- code
	}()
	w.t.Cleanup(func() {
		cancel()
		master.Close()
	})
	return x
}

// expect waits until something is shown after what was expected before.
func (x *terminal) expect(text string) {
	x.t.Helper()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		shown := x.text()
		if at := strings.Index(shown[x.read:], text); at >= 0 {
			x.read += at + len(text)
			return
		}
		if time.Since(began) > 30*time.Second {
			x.t.Fatalf("%q was not shown after\n%s\nin\n%s", text, shown[:x.read], shown)
		}
	}
}

func (x *terminal) text() string { return strings.ReplaceAll(x.shown.String(), "\r\n", "\n") }

func (x *terminal) enter(text string) {
	x.t.Helper()
	if _, err := x.pty.WriteString(text + "\n"); err != nil {
		x.t.Fatal(err)
	}
}

// answer expects a question and answers it.
func (x *terminal) answer(question, text string) {
	x.t.Helper()
	x.expect(question)
	x.enter(text)
}

// wantEnd waits until the command has ended.
func (x *terminal) wantEnd(code int) {
	x.t.Helper()
	select {
	case got := <-x.ended:
		if got != code {
			x.t.Errorf("exit %d, want %d, after\n%s", got, code, x.text())
		}
	case <-time.After(30 * time.Second):
		x.t.Fatalf("has not ended after\n%s", x.text())
	}
}
