package cli

import (
	"runtime"
	"strings"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// A password is not shown as it is typed.
func TestSecret(t *testing.T) {
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer tty.Close()
	d := (&app{in: tty, out: tty}).dialogue()
	if d == nil {
		t.Fatal("it is no terminal")
	}
	var shown buffer
	go func() {
		part := make([]byte, 1024)
		for {
			n, err := master.Read(part)
			if err != nil {
				return
			}
			shown.Write(part[:n])
			if strings.Contains(string(part[:n]), "Password of anna: ") {
				for echoes(d.fd) {
					runtime.Gosched()
				}
				_, _ = master.WriteString("geheim\n")
			}
		}
	}()
	if got, err := d.secret(t.Context(), "Password of anna"); err != nil || got != "geheim" {
		t.Errorf("got %q, %v", got, err)
	}
	if strings.Contains(shown.String(), "geheim") {
		t.Errorf("shown: %q", shown.String())
	}
}

func echoes(terminal int) bool {
	mode, err := unix.IoctlGetTermios(terminal, unix.TCGETS)
	return err == nil && mode.Lflag&unix.ECHO != 0
}

func TestServicePasswordIsForAnAccount(t *testing.T) {
	newWorld(t).want(2, `^$`, `hotfolder: --password-stdin is for --account\n`, "service", "install", "--password-stdin")
}
