package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"hotfolder/store"
)

// smallDisk mounts a tmpfs of 2 MB.
func smallDisk(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root may mount a small disk")
	}
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=2m"); err != nil {
		t.Skip("no small disk can be mounted here: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return disk
}

func TestAFullDisk(t *testing.T) {
	disk := smallDisk(t)
	file := filepath.Join(disk, "ledger.db")
	l, err := store.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ballast := filepath.Join(disk, "pictures")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}

	var full error
	n := 0
	for ; full == nil && n < 10_000; n++ {
		_, _, full = l.Add(realistic(n), store.Seen{})
	}
	n-- // the last one failed
	if !errors.Is(full, syscall.ENOSPC) {
		t.Fatalf("after %d jobs: %v, want ENOSPC", n, full)
	}
	if _, err := l.Get(realistic(n).ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the refused job: %v", err)
	}
	if _, err := l.Backup(t.Context(), 3); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a copy: %v", err)
	}
	if err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := deliver(l, realistic(n)); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if counts, err := l.Counts(); err != nil || counts["packshots"][store.Queued] != n || counts["packshots"][store.Delivered] != 1 {
		t.Errorf("%v, %v; want %d queued and one delivered", counts, err, n)
	}
	if err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// A write error at any moment of a commit: the step fails and nothing of it is there, then and after a crash; the next one works.
// The first fdatasync of a commit is that of its pages, the second that of its head.
func TestAFailedWrite(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace, which fails the system calls, is not installed")
	}
	for _, fault := range []string{
		"fdatasync:error=EIO:when=1", "fdatasync:error=EIO:when=2", "fdatasync:error=EIO:when=1+2", "fdatasync:error=EIO:when=2+2",
		"pwrite64:error=ENOSPC:when=1", "pwrite64:error=EROFS:when=3", "pwrite64:error=EIO:when=1+",
	} {
		t.Run(fault, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "ledger.db")
			p := startPeer(t, file)
			p.do(t, "add 1", "ok")
			p.inject(t, fault)
			if got := p.ask(t, "add 2"); !strings.Contains(got, "error") {
				t.Errorf("under the fault: %s", got)
			}
			p.do(t, "get 2", store.ErrNotFound.Error())
			p.do(t, "get 1", "ok")
			crashed := filepath.Join(t.TempDir(), "ledger.db") // what would be on the disk, had the machine stopped here
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(crashed, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := readAll(crashed); err != nil {
				t.Errorf("after a crash: %v", err)
			}
			p.calm()
			p.do(t, "add 2", "ok")
			p.do(t, "get 2", "ok")
			p.do(t, "verify", "ok")
		})
	}
}

// While it is not known what is on the disk nothing is said; afterwards all goes on by itself.
func TestAFaultThatLasts(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace, which fails the system calls, is not installed")
	}
	p := startPeer(t, filepath.Join(t.TempDir(), "ledger.db"))
	p.do(t, "add 1", "ok")
	p.inject(t, "fdatasync:error=EIO:when=2+", "fsync:error=EIO")
	p.do(t, "add 2", syscall.EIO.Error())
	p.do(t, "get 1", syscall.EIO.Error())
	p.do(t, "add 2", syscall.EIO.Error())
	p.calm()
	p.do(t, "add 3", "ok")
	p.do(t, "get 1", "ok")
	p.do(t, "get 2", store.ErrNotFound.Error())
	p.do(t, "verify", "ok")
}

// peer is this test binary as another process, with the ledger open.
type peer struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
	strace *exec.Cmd
}

const peerLedger = "STORE_TEST_PEER_LEDGER"

func TestMain(m *testing.M) {
	if file := os.Getenv(peerLedger); file != "" {
		servePeer(file)
		return
	}
	os.Exit(m.Run())
}

func servePeer(file string) {
	runtime.LockOSThread() // strace counts the calls of each thread by itself
	l, err := store.Open(file)
	fmt.Println(err)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		verb, n, _ := strings.Cut(in.Text(), " ")
		var err error
		switch verb {
		case "add":
			job := newJob(n, sha)
			job.ID = n
			_, _, err = l.Add(job, store.Seen{})
		case "get":
			_, err = l.Get(n)
		case "verify":
			err = l.Verify(context.Background())
		}
		if err != nil {
			fmt.Println(err)
		} else {
			fmt.Println("ok")
		}
	}
}

func startPeer(t *testing.T, file string) *peer {
	t.Helper()
	p := &peer{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), peerLedger+"="+file)
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.calm()
		p.in.Close()
		p.cmd.Wait()
	})
	p.out.Scan()
	return p
}

func (p *peer) ask(t *testing.T, command string) string {
	t.Helper()
	fmt.Fprintln(p.in, command)
	if !p.out.Scan() {
		t.Fatalf("%s: the process is gone", command)
	}
	return p.out.Text()
}

func (p *peer) do(t *testing.T, command, want string) {
	t.Helper()
	if got := p.ask(t, command); !strings.Contains(got, want) {
		t.Errorf("%s: %s, want %s", command, got, want)
	}
}

// inject makes the process's system calls fail from now on, as strace's --inject says.
func (p *peer) inject(t *testing.T, faults ...string) {
	t.Helper()
	args := []string{"-f", "-o", filepath.Join(t.TempDir(), "strace"), "-e", "trace=fdatasync,fsync,pwrite64", "-p", fmt.Sprint(p.cmd.Process.Pid)}
	for _, fault := range faults {
		args = append(args, "-e", "inject="+fault)
	}
	p.strace = exec.Command("strace", args...)
	said, err := p.strace.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.strace.Start(); err != nil {
		t.Fatal(err)
	}
	if line := bufio.NewScanner(said); !line.Scan() || !strings.Contains(line.Text(), "attached") {
		t.Skip("strace may not attach here: ", line.Text())
	}
}

func (p *peer) calm() {
	if p.strace != nil {
		p.strace.Process.Signal(os.Interrupt)
		p.strace.Wait()
		p.strace = nil
	}
}
