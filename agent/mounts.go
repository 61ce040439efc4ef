package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"hotfolder/private"
	"hotfolder/watcher"
)

// mounts remembers, across restarts, below which mount point each folder lay, so that a bare mount point is known for one. It
// is a file of its own, which a person may delete after moving a folder to another disk for good.
type mounts struct {
	file string
	log  *slog.Logger

	mu sync.Mutex
	by map[string]string // folder's path → mount point
}

func mountsFile(dataDir string) string { return filepath.Join(dataDir, "mounts.json") }

// openMounts reads what is remembered. A file that can't be read is as good as none: it is only one guard of several.
func openMounts(file string, log *slog.Logger) *mounts {
	m := &mounts{file: file, log: log, by: map[string]string{}}
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &m.by)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("it is not known which folders were shares", "err", err)
	}
	if m.by == nil {
		m.by = map[string]string{}
	}
	return m
}

// of is the mount point below which the folder lay when it was last seen; "" when it is not known or was on the system's own disk.
func (m *mounts) of(folder string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.by[folder]
}

// find finds the mount point below which a folder lies now or, while it is missing, would be made; ErrUnmounted when the one that it
// lay below is bare.
func (m *mounts) find(folder string) (mount string, err error) {
	known, there := m.of(folder), folder
	for isMissing(there) && filepath.Dir(there) != there {
		there = filepath.Dir(there)
	}
	root := watcher.NewRoot(there, known)
	if err := root.Check(); err != nil {
		return "", err
	}
	if known != "" && there != folder && root.Mount() != known {
		return "", fmt.Errorf("%w at %s", watcher.ErrUnmounted, known)
	}
	return root.Mount(), nil
}

// Unmounted returns an ErrUnmounted if a folder, or the one that it would be made in, is not where the agent of this data folder last
// saw it, since a share or disk is away.
func Unmounted(dataDir, folder string) error {
	_, err := openMounts(mountsFile(dataDir), slog.New(slog.DiscardHandler)).find(folder)
	if errors.Is(err, watcher.ErrUnmounted) {
		return err
	}
	return nil
}

// learn remembers where the folder lies now.
func (m *mounts) learn(folder, mount string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if mount == "" || m.by[folder] == mount {
		return
	}
	m.by[folder] = mount
	if err := m.saveLocked(); err != nil {
		m.log.Warn("that a folder is a share could not be written down", "path", folder, "err", err)
	}
}

func (m *mounts) saveLocked() error {
	data, err := json.MarshalIndent(m.by, "", "  ")
	if err != nil {
		return err
	}
	return private.WriteFile(m.file, data)
}
