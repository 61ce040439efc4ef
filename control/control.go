// Package control is the local HTTP server through which the commands and the page reach a running agent, and its
// client. Read this file (how the two find each other), then server.go (its life), bounded.go and guard.go (how many are let
// in, and who), api.go (what can be asked), wire.go (the forms on the way) and client.go. webhook.go is another server, for what the
// API announces.
package control

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"hotfolder/private"
)

// Errors of Dial that callers act on.
var (
	ErrNotRunning = errors.New("no agent is running")
	ErrNoAnswer   = errors.New("the agent runs but does not answer")
	ErrForbidden  = errors.New("only the user whom the agent runs as, or root, may ask it") // whether it runs is not known
)

const fileName = "control.json"

// contact is what a running agent leaves in data_dir for the commands. Who can read it may command the agent.
type contact struct {
	Address string    `json:"address"` // host:port for this machine
	Token   string    `json:"token"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
}

// PID returns the process id of the agent that works in dataDir, as it left it there; 0 when there is none.
func PID(dataDir string) int {
	c, err := readContact(dataDir)
	if err != nil {
		return 0
	}
	return c.PID
}

func newContact(address string) contact {
	return contact{Address: address, Token: rand.Text(), PID: os.Getpid(), Started: time.Now().Truncate(time.Second)}
}

func readContact(dataDir string) (contact, error) {
	var c contact
	data, err := os.ReadFile(filepath.Join(dataDir, fileName))
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("read %s: %w", fileName, err)
	}
	return c, nil
}

// write puts the contact into dataDir, whole or not at all, for its owner's eyes alone.
func (c contact) write(dataDir string) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return private.WriteFile(filepath.Join(dataDir, fileName), data)
}

// remove takes the contact out of dataDir, unless another agent's has taken its place.
func (c contact) remove(dataDir string) error {
	now, err := readContact(dataDir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && now.Token != c.Token {
		return nil
	}
	return os.Remove(filepath.Join(dataDir, fileName))
}
