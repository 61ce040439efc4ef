package cli

import (
	"cmp"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"gopkg.in/natefinch/lumberjack.v2"

	"hotfolder/config"
)

// openLog opens the log that the configuration asks for. If that names no file it goes into the file otherwise or, without one, to
// terminal. The caller closes it.
func openLog(c *config.Config, otherwise string, terminal io.Writer) (*slog.Logger, io.Closer) {
	file := cmp.Or(c.Log.File, otherwise)
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Log.Level)) // the configuration was checked
	options := &slog.HandlerOptions{Level: level}
	if file == "" {
		return slog.New(handler(c.Log.Format, terminal, options)), io.NopCloser(nil)
	}
	rotated := logFile{&lumberjack.Logger{
		Filename: file, MaxSize: c.Log.MaxSizeMB, MaxBackups: c.Log.MaxBackups, MaxAge: c.Log.MaxAgeDays,
		Compress: c.Log.Compress, LocalTime: true,
	}}
	return slog.New(handler(c.Log.Format, rotated, options)), rotated
}

// logFile is a log that is rotated. While it cannot be, on Windows since somebody follows it, it grows beyond its size rather than lose a line.
type logFile struct{ *lumberjack.Logger }

func (l logFile) Write(line []byte) (int, error) {
	n, err := l.Logger.Write(line)
	if err == nil || n > 0 {
		return n, err
	}
	f, openErr := os.OpenFile(l.Filename, os.O_WRONLY|os.O_APPEND, 0)
	if openErr != nil {
		return 0, err
	}
	defer f.Close()
	return f.Write(line)
}

// serviceLog is the file of a service's log, since a service has no terminal. systemd says which folders it made for logs.
func serviceLog(c *config.Config, logsDirectory string) string {
	dir, _, _ := strings.Cut(logsDirectory, ":")
	return cmp.Or(c.Log.File, filepath.Join(cmp.Or(dir, c.DataDir), "hotfolder.log"))
}

func handler(format string, w io.Writer, o *slog.HandlerOptions) slog.Handler {
	if format == "json" {
		return slog.NewJSONHandler(w, o)
	}
	return slog.NewTextHandler(w, o)
}

// logGoroutines writes what each goroutine is at, as far as half a megabyte tells it.
func logGoroutines(log *slog.Logger) {
	stacks := make([]byte, 512<<10)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for _, s := range strings.Split(string(stacks), "\n\n") {
		log.Error("goroutine", "stack", s)
	}
}
