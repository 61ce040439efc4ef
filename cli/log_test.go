package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hotfolder/config"
)

func TestLogGoesWhereItShould(t *testing.T) {
	for name, c := range map[string]struct {
		file     string
		service  bool
		logs     string // $LOGS_DIRECTORY
		wantFile string // "": the terminal
	}{
		"on a terminal":           {"", false, "", ""},
		"as a service":            {"", true, "", "hotfolder.log"},
		"to a file":               {"my.log", false, "", "my.log"},
		"to a file, as a service": {"my.log", true, "/var/log/hotfolder", "my.log"},
		"as systemd's service":    {"", true, "logs:more", "logs/hotfolder.log"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config.Default()
			cfg.DataDir, cfg.Log.Format, cfg.Log.Level = t.TempDir(), "json", "warn"
			t.Chdir(cfg.DataDir)
			if c.file != "" {
				cfg.Log.File = filepath.Join(cfg.DataDir, c.file)
			}
			var terminal bytes.Buffer
			otherwise := ""
			if c.service {
				otherwise = serviceLog(&cfg, c.logs)
			}
			log, file := openLog(&cfg, otherwise, &terminal)
			log.Info("not this")
			log.Warn("this", "folder", "shoes")
			if err := file.Close(); err != nil {
				t.Fatal(err)
			}
			written := terminal.String()
			if c.wantFile != "" {
				if written != "" {
					t.Errorf("on the terminal: %s", written)
				}
				content, err := os.ReadFile(filepath.Join(cfg.DataDir, c.wantFile))
				if err != nil {
					t.Fatal(err)
				}
				written = string(content)
			}
			var line struct{ Level, Msg, Folder string }
			if err := json.Unmarshal([]byte(written), &line); err != nil || line.Level != "WARN" || line.Msg != "this" || line.Folder != "shoes" {
				t.Errorf("%v: %s", err, written)
			}
		})
	}
}

func TestRunLogsToTheConfiguredFile(t *testing.T) {
	w := newWorld(t)
	w.login()
	w.configure(studioConfig + "log: {file: logs/agent.log}\n")
	stop := w.start()
	if got := stop(); got.code != 0 || got.stderr != "logging to "+w.path("logs/agent.log")+"\n" {
		t.Errorf("exit %d, stderr %q", got.code, got.stderr)
	}
	content, err := os.ReadFile(w.path("logs/agent.log"))
	if err != nil || !strings.Contains(string(content), "hotfolder stopped") {
		t.Errorf("%v: %s", err, content)
	}
}
