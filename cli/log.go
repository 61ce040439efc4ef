package cli

import (
	"io"
	"log/slog"
	"path/filepath"

	"gopkg.in/natefinch/lumberjack.v2"

	"hotfolder/config"
)

// openLog opens the log that the configuration asks for. Without a file of its own it goes to terminal or, as a service, which
// has none, to data_dir. The caller closes it.
func openLog(c *config.Config, service bool, terminal io.Writer) (*slog.Logger, io.Closer) {
	file := c.Log.File
	if file == "" && service {
		file = filepath.Join(c.DataDir, "hotfolder.log")
	}
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Log.Level)) // the configuration was checked
	options := &slog.HandlerOptions{Level: level}
	if file == "" {
		return slog.New(handler(c.Log.Format, terminal, options)), io.NopCloser(nil)
	}
	rotated := &lumberjack.Logger{
		Filename: file, MaxSize: c.Log.MaxSizeMB, MaxBackups: c.Log.MaxBackups, MaxAge: c.Log.MaxAgeDays,
		Compress: c.Log.Compress, LocalTime: true,
	}
	return slog.New(handler(c.Log.Format, rotated, options)), rotated
}

func handler(format string, w io.Writer, o *slog.HandlerOptions) slog.Handler {
	if format == "json" {
		return slog.NewJSONHandler(w, o)
	}
	return slog.NewTextHandler(w, o)
}
