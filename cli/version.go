package cli

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// Set when a release is linked: -ldflags "-X hotfolder/cli.linkedVersion=1.2.3 …". The time is the commit's, in Unix seconds.
var linkedVersion, linkedCommit, linkedTime string

type buildInfo struct {
	version string // "devel" for a build that nobody named
	commit  string
	date    string // of the commit; perhaps empty
}

func build() buildInfo {
	b := buildInfo{version: linkedVersion, commit: linkedCommit}
	if seconds, err := strconv.ParseInt(linkedTime, 10, 64); err == nil {
		b.date = time.Unix(seconds, 0).UTC().Format(time.DateOnly)
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.commit = cmp.Or(b.commit, s.Value)
		case "vcs.time":
			if t, err := time.Parse(time.RFC3339, s.Value); err == nil {
				b.date = cmp.Or(b.date, t.Format(time.DateOnly))
			}
		case "vcs.modified": // comes after vcs.revision
			if s.Value == "true" && linkedCommit == "" {
				b.commit += " with changes"
			}
		}
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.version = cmp.Or(b.version, v)
	}
	b.version, b.commit = cmp.Or(b.version, "devel"), cmp.Or(b.commit, "unknown")
	return b
}

func versionLine() string {
	b := build()
	return fmt.Sprintf("hotfolder %s (commit %s, %s, %s/%s)", b.version, b.commit+dated(b.date), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func dated(date string) string {
	if date == "" {
		return ""
	}
	return " of " + date
}

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print version, commit, Go version and platform",
		Example: "  hotfolder version",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.out, versionLine())
			return err
		},
	}
}
