//go:build unix

package main_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// TestNewUser walks the way of somebody who has just installed the program, against its sandbox: init, login, check, run, a picture
// dropped, status, jobs, report, logout; each the real program, at a real terminal where it asks.
func TestNewUser(t *testing.T) {
	u := newUser(t)
	in, out := filepath.Join(u.dir, "Jäger & Söhne", "in"), filepath.Join(u.dir, "Jäger & Söhne", "out")

	x := u.sit("init", "--api", u.sandbox)
	x.answer("Which folder are pictures dropped into?", in)
	x.answer("Which folder do the results go to? ["+out+"]", "")
	x.answer("Take pictures in its subfolders, too? [Y/n]", "")
	x.answer("Originals [1]", "")
	x.answer("Create them? [Y/n]", "y")
	x.expect("Next: hotfolder --config studio.yaml login")
	x.leave(0)

	u.want(2, "workflow: is missing; 'hotfolder login' lets you choose", "check") // too soon
	u.want(2, "account.organization: is missing; 'hotfolder login' lets you choose", "workflows")

	x = u.sit("login") // thinks better of it
	x.expect("Waiting for you to confirm it")
	x.press("\x03")
	x.expect("hotfolder: interrupted")
	x.leave(1)

	x = u.sit("login")
	x.expect("Waiting for you to confirm it")
	u.confirm(x.text())
	x.expect("Logged in")
	x.answer("Which one pays?", "1")
	x.answer("Write Sandbox Studio into", "")
	x.expect("Sandbox Studio has 10,000 credits.")
	x.answer("Which one for the hot folder Jäger & Söhne?", "4")
	x.expect("Next: hotfolder --config studio.yaml check")
	x.leave(0)

	u.want(0, "Everything is in place. Next: hotfolder --config studio.yaml run", "check")
	agent := u.command("run")
	startProcess(t, agent)
	u.await("the agent", func() bool { _, out := u.run("check"); return strings.Contains(out, "the agent runs") })
	picture, err := os.ReadFile("testdata/photos/coffee.jpg")
	if err == nil {
		err = os.WriteFile(filepath.Join(in, "Kaffee.jpg"), picture, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	u.await("the result", func() bool { _, err := os.Stat(filepath.Join(out, "Kaffee.jpg")); return err == nil })
	u.await("the delivery", func() bool { _, out := u.run("status", "--json"); return strings.Contains(out, `"delivered":1`) })
	u.want(0, ", 1 spent today", "status")
	u.want(0, "Kaffee.jpg -> Kaffee.jpg", "jobs")
	u.want(0, "1 picture delivered, 0 failed, 0 waiting, 1 credit", "report")

	if err := agent.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := agent.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
	u.want(0, "agent    not running since about ", "status")
	u.want(0, "Logged out", "logout")
	u.want(3, "error   login: not logged in", "check")
}

// newcomer has the program, a sandbox and a home of his own.
type newcomer struct {
	*testing.T
	program, dir, sandbox string
}

func newUser(t *testing.T) *newcomer {
	u := &newcomer{T: t, program: buildAgent(t), dir: t.TempDir()}
	box := u.command("sandbox", "--listen", "127.0.0.1:0", "--processing", "10ms")
	said, err := box.StdoutPipe()
	if err == nil {
		err = box.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	t.Cleanup(func() {
		_ = box.Process.Signal(syscall.SIGTERM)
		reading.Wait()
		_ = box.Wait()
	})
	line, err := bufio.NewReader(said).ReadString('\n')
	u.sandbox = regexp.MustCompile(`http://\S+`).FindString(line)
	if err != nil || u.sandbox == "" {
		t.Fatalf("%v, %q", err, line)
	}
	reading.Go(func() { _, _ = io.Copy(io.Discard, said) })
	return u
}

func (u *newcomer) command(args ...string) *exec.Cmd {
	c := exec.Command(u.program, append([]string{"--config", "studio.yaml"}, args...)...)
	c.Dir = u.dir
	c.Env = []string{"HOME=" + u.dir, "PATH=" + os.Getenv("PATH"), "TERM=xterm"} // neither a desktop nor a login
	return c
}

func (u *newcomer) run(args ...string) (code int, said string) {
	c := u.command(args...)
	out, _ := c.CombinedOutput()
	return c.ProcessState.ExitCode(), string(out)
}

func (u *newcomer) want(code int, text string, args ...string) {
	u.Helper()
	if got, said := u.run(args...); got != code || !strings.Contains(said, text) {
		u.Errorf("hotfolder %s: exit %d, want %d\n%s\nwant %s", strings.Join(args, " "), got, code, said, text)
	}
}

func (u *newcomer) await(what string, is func() bool) {
	u.Helper()
	for began := time.Now(); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			u.Fatalf("waited in vain for %s", what)
		}
	}
}

// confirm is what the person does in a browser.
func (u *newcomer) confirm(shown string) {
	u.Helper()
	code := regexp.MustCompile(`user_code=(\S+)`).FindStringSubmatch(shown)
	resp, err := http.PostForm(u.sandbox+"/activate", url.Values{"user_code": {code[1]}, "answer": {"confirm"}})
	if err != nil || resp.StatusCode != http.StatusOK {
		u.Fatalf("%v, %v", err, resp)
	}
	resp.Body.Close()
}

// sitting is a command at a terminal.
type sitting struct {
	u    *newcomer
	cmd  *exec.Cmd
	pty  *os.File
	done chan bool // closed when all that was shown is read

	mu    sync.Mutex
	shown bytes.Buffer
	read  int
}

func (u *newcomer) sit(args ...string) *sitting {
	u.Helper()
	x := &sitting{u: u, cmd: u.command(args...), done: make(chan bool)}
	var err error
	if x.pty, err = pty.StartWithSize(x.cmd, &pty.Winsize{Rows: 50, Cols: 80}); err != nil {
		u.Fatal(err)
	}
	u.Cleanup(func() { x.pty.Close(); _ = x.cmd.Process.Kill() })
	go func() {
		defer close(x.done)
		part := make([]byte, 4096)
		for {
			n, err := x.pty.Read(part)
			x.mu.Lock()
			x.shown.Write(part[:n])
			x.mu.Unlock()
			if err != nil { // when the command has ended
				return
			}
		}
	}()
	return x
}

func (x *sitting) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.shown.String()
}

func (x *sitting) expect(text string) {
	x.u.Helper()
	x.u.await(text, func() bool {
		at := strings.Index(x.text()[x.read:], text)
		if at >= 0 {
			x.read += at + len(text)
		}
		return at >= 0
	})
}

func (x *sitting) press(keys string) {
	x.u.Helper()
	if _, err := x.pty.WriteString(keys); err != nil {
		x.u.Fatal(err)
	}
}

func (x *sitting) answer(question, text string) {
	x.u.Helper()
	x.expect(question)
	x.press(text + "\n")
}

func (x *sitting) leave(code int) {
	x.u.Helper()
	<-x.done
	_ = x.cmd.Wait()
	if got := x.cmd.ProcessState.ExitCode(); got != code {
		x.u.Errorf("exit %d, want %d, after\n%s", got, code, x.text())
	}
}
