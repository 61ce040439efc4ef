package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"
)

// dialogue asks a person at a terminal.
type dialogue struct {
	in  *bufio.Reader
	out io.Writer
	fd  int // of the terminal that in reads
}

// dialogue is nil where there is nobody to ask: input and output must both be a terminal.
func (a *app) dialogue() *dialogue {
	if !isTerminal(a.in) || !isTerminal(a.out) {
		return nil
	}
	return &dialogue{in: bufio.NewReaderSize(a.in, maxReply), out: a.out, fd: int(a.in.(*os.File).Fd())}
}

const maxReply = 4 << 10 // bytes; a path is at most so long

var errNoAnswer = usage(errors.New("ended without an answer"))

// line asks for a text; an empty reply means preset.
func (d *dialogue) line(ctx context.Context, question, preset string) (string, error) {
	if preset != "" {
		question += " [" + visible(preset) + "]"
	}
	fmt.Fprint(d.out, question+": ")
	reply, err := d.read(ctx)
	if err != nil {
		fmt.Fprintln(d.out)
		return "", err
	}
	if reply == "" {
		reply = preset
	}
	return reply, nil
}

// read reads a line.
func (d *dialogue) read(ctx context.Context) (string, error) {
	return reply(ctx, func() (string, error) {
		text, err := d.in.ReadSlice('\n')
		return strings.TrimSpace(string(text)), err
	})
}

// secret asks for a text that is not shown as it is typed.
func (d *dialogue) secret(ctx context.Context, question string) (string, error) {
	before, err := term.GetState(d.fd)
	if err != nil {
		return "", err
	}
	defer term.Restore(d.fd, before) // if it is interrupted
	fmt.Fprint(d.out, visible(question)+": ")
	defer fmt.Fprintln(d.out)
	return reply(ctx, func() (string, error) {
		text, err := term.ReadPassword(d.fd)
		return string(text), err
	})
}

// reply is what read reads. When ctx ends first, the reading goes on until the process ends: a terminal's cannot be interrupted.
func reply(ctx context.Context, read func() (string, error)) (string, error) {
	type reply struct {
		text string
		err  error
	}
	replied := make(chan reply, 1)
	go func() {
		text, err := read()
		replied <- reply{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case r := <-replied:
		if r.err == io.EOF {
			return "", errNoAnswer
		}
		return r.text, r.err
	}
}

// yes asks a question that is answered by yes or no.
func (d *dialogue) yes(ctx context.Context, question string, preset bool) (bool, error) {
	choice := " [y/N]"
	if preset {
		choice = " [Y/n]"
	}
	for {
		reply, err := d.line(ctx, question+choice, "")
		if err != nil {
			return false, err
		}
		switch strings.ToLower(reply) {
		case "":
			return preset, nil
		case "y", "yes":
			return true, nil
		case "n", "no":
			return false, nil
		}
		fmt.Fprintln(d.out, "Please answer y or n.")
	}
}

// choose lists the choices, numbered from 1, and asks for one of them. preset is one's index, or -1.
func (d *dialogue) choose(ctx context.Context, question string, choices []string, preset int) (int, error) {
	for i, c := range choices {
		fmt.Fprintf(d.out, "  %2d  %s\n", i+1, c)
	}
	shown := ""
	if preset >= 0 {
		shown = strconv.Itoa(preset + 1)
	}
	for {
		reply, err := d.line(ctx, question, shown)
		if err != nil {
			return 0, err
		}
		if n, err := strconv.Atoi(reply); err == nil && n >= 1 && n <= len(choices) {
			return n - 1, nil
		}
		fmt.Fprintf(d.out, "Please answer with a number from 1 to %d.\n", len(choices))
	}
}
