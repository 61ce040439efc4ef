package cli

import (
	"os"

	"golang.org/x/sys/windows"
)

// understandsEscapes switches a console to escape sequences, which those before Windows 10 don't know.
func understandsEscapes(f *os.File) bool {
	var mode uint32
	console := windows.Handle(f.Fd())
	return windows.GetConsoleMode(console, &mode) == nil &&
		windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
