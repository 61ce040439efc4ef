//go:build !windows

package cli

import (
	"os"
	"os/exec"
)

// ownGroup leaves the process in this one's group: a closed terminal ends both.
func ownGroup(*exec.Cmd) {}

func interrupt(p *os.Process) error { return p.Signal(os.Interrupt) }
