package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"hotfolder/agent"
	"hotfolder/config"
	"hotfolder/control"
	"hotfolder/store"
)

// withDesk calls do with whoever can answer: the agent that runs, or else the ledger, or nobody where there is none yet.
func withDesk(ctx context.Context, c *config.Config, write bool, do func(agent.Desk) error) error {
	client, err := control.Dial(ctx, c.DataDir)
	if err == nil {
		defer client.Close()
		return do(client)
	}
	if !errors.Is(err, control.ErrNotRunning) {
		return err
	}
	if !store.Exists(ledgerFile(c)) {
		return do(nobody{c})
	}
	open := store.OpenReadOnly
	if write {
		open = store.Open
	}
	ledger, err := open(ledgerFile(c))
	if errors.Is(err, store.ErrLocked) {
		return &coded{exitUnreachable, fmt.Errorf("%w, which is starting or stopping; try again", err)}
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w; be the user whom the agent runs as", err)
	}
	if err != nil {
		return err
	}
	return errors.Join(do(agent.Books{Config: c, Ledger: ledger, Version: build().version}), ledger.Close())
}

// nobody is the Desk before the agent's first run.
type nobody struct{ config *config.Config }

func (n nobody) Status(context.Context) (agent.Status, error) {
	s := agent.Status{
		Counts:   map[store.State]int{},
		Account:  agent.AccountStatus{State: "unknown"},
		Agent:    agent.ProcessStatus{Version: build().version},
		Troubles: []agent.Trouble{},
		Lately:   []agent.Happening{},
	}
	for _, f := range n.config.Folders {
		s.Folders = append(s.Folders, agent.FolderStatus{Name: f.Name, State: "stopped", Counts: map[store.State]int{}})
	}
	return s, nil
}

func (nobody) Jobs(context.Context, store.Filter) iter.Seq2[store.Job, error] {
	return func(func(store.Job, error) bool) {}
}

func (nobody) Job(_ context.Context, id string) (store.Job, error) {
	return store.Job{}, fmt.Errorf("%w: %s", store.ErrNotFound, id)
}

func (n nobody) Retry(ctx context.Context, r agent.RetryRequest) (agent.Retried, error) {
	for _, id := range r.IDs {
		_, err := n.Job(ctx, id)
		return agent.Retried{}, err
	}
	return agent.Retried{}, nil
}

func (n nobody) Redeliver(ctx context.Context, r agent.RedeliverRequest) (agent.Redelivered, error) {
	for _, id := range r.IDs {
		_, err := n.Job(ctx, id)
		return agent.Redelivered{}, err
	}
	return agent.Redelivered{}, nil
}
