package cli

import (
	"os"

	"golang.org/x/term"
)

// isTerminal tells whether an input or output is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// hasColours tells whether w shows colours, and the user wants them (no-color.org).
func hasColours(w any) bool {
	return os.Getenv("NO_COLOR") == "" && obeysEscapes(w)
}

// obeysEscapes tells whether w is a terminal on which what was written can be written over.
func obeysEscapes(w any) bool {
	return isTerminal(w) && os.Getenv("TERM") != "dumb" && understandsEscapes(w.(*os.File))
}
