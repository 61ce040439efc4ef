package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"hotfolder/autoretouch"
	"hotfolder/config"
	"hotfolder/watcher"
)

const refreshTokenVariable = "AUTORETOUCH_REFRESH_TOKEN"

// config finds and reads the configuration.
func (a *app) config() (*config.Config, error) { return a.configBy(config.Load) }

// glance is config for commands that have nothing to do with the folders themselves.
func (a *app) glance() (*config.Config, error) { return a.configBy(config.Glance) }

func (a *app) configBy(load func(file string, getenv func(string) string) (*config.Config, error)) (*config.Config, error) {
	file, err := config.Find(a.configFile, os.Getenv)
	if err != nil {
		return nil, usage(err)
	}
	c, err := load(file, os.Getenv)
	if err != nil {
		return nil, usage(err)
	}
	if slices.Contains(c.Silent(), c.DataDir) && len(stillSilent([]string{c.DataDir})) > 0 {
		return nil, fmt.Errorf("data_dir %s does not answer; "+toMendSilence, c.DataDir)
	}
	return c, nil
}

// answersWithin is how long a file system may take to answer: the disks of a NAS that sleeps take some seconds.
const answersWithin = 15 * time.Second

const toMendSilence = "see to the share or disk that it is on, or unmount it"

// stillSilent are those of the paths that do not answer, be they asked once more and longer.
func stillSilent(paths []string) (silent []string) {
	answers := make([]error, len(paths))
	var all sync.WaitGroup
	for i, path := range paths {
		all.Go(func() {
			answers[i] = watcher.Within(answersWithin, func(func()) error { _, err := os.Stat(path); return err })
		})
	}
	all.Wait()
	for i, err := range answers {
		if err == watcher.ErrNoAnswer {
			silent = append(silent, paths[i])
		}
	}
	return silent
}

// readyConfig is a configuration with all that an agent needs to run.
func (a *app) readyConfig() (*config.Config, error) { return a.configBy(config.LoadReady) }

// self is how a person started this program, as far as can be told.
func self() string {
	program, err := os.Executable()
	name := strings.TrimSuffix(filepath.Base(program), ".exe")
	switch {
	case err != nil || name != "hotfolder": // renamed, or a test
		return "hotfolder"
	case strings.Contains(program, "go-build"):
		return "go run ."
	}
	if found, err := exec.LookPath(name); err == nil {
		if found, err = filepath.EvalSymlinks(found); err == nil && found == program {
			return name
		}
	}
	if strings.ContainsAny(program, " '\"&()") {
		return `"` + program + `"`
	}
	return program
}

// command is how a person runs a command with the configuration of this one.
func (a *app) command(name string) string {
	if a.configFile == "" {
		return "hotfolder " + name
	}
	file := a.configFile
	if strings.ContainsAny(file, " '\"&()") {
		file = `"` + file + `"`
	}
	return "hotfolder --config " + file + " " + name
}

func ledgerFile(c *config.Config) string { return filepath.Join(c.DataDir, "ledger.db") }

// newClient makes the API's client with the login that counts: the environment's before the file's.
func newClient(c *config.Config) (*autoretouch.Client, error) {
	login := autoretouch.Credentials(savedLogin(c))
	if token := os.Getenv(refreshTokenVariable); token != "" {
		login = autoretouch.Given{Refresh: token, Store: &autoretouch.File{Path: filepath.Join(c.DataDir, "given-credentials.json")}}
	}
	return newClientWith(c, login)
}

func newClientWith(c *config.Config, login autoretouch.Credentials) (*autoretouch.Client, error) {
	client, err := autoretouch.New(autoretouch.Options{
		URL:          c.API.URL,
		AuthURL:      c.API.AuthURL,
		ClientID:     c.API.ClientID,
		Organization: c.Account.Organization,
		UserAgent:    fmt.Sprintf("hotfolder/%s (%s/%s)", build().version, runtime.GOOS, runtime.GOARCH),
		Timeout:      c.API.Timeout,
		UploadRate:   c.Limits.UploadRate,
		Credentials:  login,
		CAFile:       c.API.CAFile,
	})
	if err != nil {
		return nil, usage(err) // its address or certificates, all from the configuration
	}
	return client, nil
}
