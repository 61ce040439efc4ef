package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// rooms is DESIGN.md's plan of the house: each room, and the other rooms that it may lean on, directly or through another one,
// with what for. What is not here may not be; a room that is not here may not exist.
var rooms = map[string]map[string]string{
	"hotfolder": {
		"cli":         "hands it the arguments",
		"dashboard":   "through cli",
		"control":     "through cli",
		"agent":       "through cli",
		"config":      "through cli",
		"store":       "through cli",
		"watcher":     "through cli",
		"autoretouch": "through cli",
		"sandbox":     "through cli",
		"installer":   "through cli",
		"private":     "through cli",
		"testdata":    "through cli",
		"tidy":        "through cli",
		"report":      "through cli",
		"notify":      "through cli",
	},
	"cli": {
		"control":     "status, jobs and retry reach a running agent",
		"dashboard":   "the page, hung into the control server here",
		"agent":       "run starts it, the other commands speak its Desk",
		"config":      "every command begins with it",
		"store":       "opened here and handed to the agent",
		"watcher":     "the OS's file events are chosen here and handed to the agent",
		"autoretouch": "made here and handed to the agent; login, organizations, workflows, balance",
		"sandbox":     "the commands sandbox and demo",
		"installer":   "the command service",
		"private":     "the page's password; through autoretouch and control; a configuration that is changed stays whose it was",
		"testdata":    "the demo's photographs",
		"tidy":        "names, numbers and times for people",
		"report":      "the command report, and what is written each morning",
		"notify":      "tells people beside the agent",
	},
	"dashboard": { // is handed to control's server, which decides who may speak to this machine at all
		"agent":       "shows its Status",
		"store":       "jobs and their states",
		"tidy":        "names, numbers and times for people",
		"config":      "through agent",
		"watcher":     "through agent",
		"autoretouch": "through agent",
		"private":     "through agent",
	},
	"control": {
		"agent":       "serves its Desk",
		"config":      "through agent",
		"store":       "jobs and filters on the wire",
		"watcher":     "through agent",
		"autoretouch": "reads what it announces",
		"private":     "the way to the agent is for its owner alone",
		"tidy":        "through agent",
	},
	"report": { // is told by functions who has the jobs, and who writes its pages
		"store":       "counts jobs",
		"agent":       "the status in the page of an input folder",
		"watcher":     "through agent",
		"autoretouch": "through agent",
		"config":      "the time of day of the daily one",
		"private":     "remembers the last daily one",
		"tidy":        "names, numbers and times for people",
	},
	"notify": { // knows how an agent fares, not how it is reached
		"agent":       "its status and troubles",
		"config":      "the mail server",
		"private":     "its password, and what was told",
		"tidy":        "names and times for people",
		"store":       "the states in a status",
		"watcher":     "through agent",
		"autoretouch": "through agent",
	},
	"agent": {
		"autoretouch": "the API's calls and their errors",
		"store":       "the ledger is the queue",
		"watcher":     "says which files are ready",
		"config":      "what to do with each folder",
		"private":     "what is remembered of shares is replaced whole or not at all",
		"tidy":        "numbers and times in what people are told",
	},
	"autoretouch": { // knows no folders and no ledger, so that it is a client for anyone
		"private": "the login's file is for its owner alone",
	},
	"tidy":    {}, // knows names, numbers and times, not whose they are
	"private": {}, // knows files, not what is in them
	"store": { // outlives any API and any configuration
		"private": "the ledger's folder is for its owner alone",
	},
	"watcher":   {}, // is told by functions what is known and who takes a file
	"config":    {}, // describes the others without knowing them
	"sandbox":   {}, // a judge of the client must not share its code
	"installer": {}, // knows a program and its arguments, not what they do
	"internal": { // programs that measure the whole; nothing leans on them
		"autoretouch": "the floor makes the same calls",
		"private":     "through autoretouch",
		"sandbox":     "what is measured against",
		"store":       "a ledger of some years is made for the measurement",
		"watcher":     "its look at a folder is held against find",
	},
}

// owners are the dependencies that are one room's business: who else needs what they do asks that room.
var owners = map[string]struct{ room, why string }{
	"go.etcd.io/bbolt":                    {"store", "nobody else knows how the ledger lies on disk"},
	"github.com/fsnotify/fsnotify":        {"watcher", "events are hints, and only the watcher knows how to take them"},
	"golang.org/x/oauth2":                 {"autoretouch", "tokens are renewed in one place"},
	"github.com/kardianos/service":        {"installer", "one room speaks to service managers"},
	"github.com/prometheus/client_golang": {"dashboard", "metrics are the page for programs"},
	"github.com/spf13/cobra":              {"cli", "flags end there"},
	"github.com/vbauerster/mpb/v8":        {"cli", "progress is shown, not made"},
	"gopkg.in/natefinch/lumberjack.v2":    {"cli", "where the log goes is chosen once"},
}

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func TestArrows(t *testing.T) {
	for _, p := range list(t) {
		room, in := roomOf(p.ImportPath)
		may, known := rooms[room]
		if !in || !known {
			t.Errorf("%s is in no room of DESIGN.md's plan; add the room there and here, with its arrows", p.ImportPath)
			continue
		}
		for _, dep := range p.Deps {
			if other, in := roomOf(dep); in && other != room && may[other] == "" {
				t.Errorf("%s leans on %s, which DESIGN.md's plan does not allow: pass in what it needs", room, other)
			}
		}
		for _, dep := range p.Imports {
			for path, owner := range owners {
				if (dep == path || strings.HasPrefix(dep, path+"/")) && room != owner.room {
					t.Errorf("%s imports %s, the business of %s: %s", room, dep, owner.room, owner.why)
				}
			}
		}
	}
}

// list returns the module's packages with all they are built from.
func list(t *testing.T) (packages []listed) {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v %s", err, stderrOf(err))
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func stderrOf(err error) []byte {
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return e.Stderr
	}
	return nil
}

// roomOf tells in which room a package lies, if it is the module's own.
func roomOf(path string) (room string, in bool) {
	rest, in := strings.CutPrefix(path+"/", "hotfolder/")
	room, _, _ = strings.Cut(rest, "/")
	if in && room == "" {
		room = "hotfolder"
	}
	return room, in
}
