package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"

	"hotfolder/config"
)

// listenAgain opens the port that was closed. For a moment somebody else may have it.
func listenAgain(ctx context.Context, address string) (port net.Listener, err error) {
	for range 50 {
		if port, err = net.Listen("tcp", address); err == nil {
			return port, nil
		}
		if err := pauseFor(lookEvery)(ctx, nil); err != nil {
			return nil, err
		}
	}
	return nil, notHere(fmt.Sprintf("another program took the sandbox's port: %v", err))
}

func inputs(f config.Folder) string  { return f.Input }
func outputs(f config.Folder) string { return f.Output }

func takeInputsAway(_ context.Context, s *scene) error {
	s.inputLost = true
	return s.takeAway(inputs)
}

func bringInputsBack(_ context.Context, s *scene) error { return s.bringBack(inputs) }

func takeOutputsAway(_ context.Context, s *scene) error { return s.takeAway(outputs) }

func bringOutputsBack(_ context.Context, s *scene) error { return s.bringBack(outputs) }

const away = " (away)"

// takeAway renames folders, as when a share is no longer mounted.
func (s *scene) takeAway(which func(config.Folder) string) error {
	for _, f := range s.config.Folders {
		dir := which(f)
		if err := os.Rename(dir, dir+away); err != nil {
			if runtime.GOOS == "windows" {
				return notHere(fmt.Sprintf("Windows does not rename a folder that is in use: %v", err))
			}
			return err
		}
	}
	return nil
}

// bringBack names the folders as before. Nobody may have made others in their places.
func (s *scene) bringBack(which func(config.Folder) string) error {
	for _, f := range s.config.Folders {
		dir := which(f)
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: the agent made the folder %s that was away", f.Name, filepath.Base(dir))
		}
		if err := os.Rename(dir+away, dir); err != nil {
			return err
		}
	}
	return nil
}

func cannotForbid() string {
	switch {
	case runtime.GOOS == "windows":
		return "on Windows the read-only mark of a folder forbids nothing"
	case os.Geteuid() == 0:
		return "needs another user than root, whom nothing is forbidden"
	}
	return ""
}

func forbidOutputs(_ context.Context, s *scene) error {
	s.undo = append(s.undo, func() error { return s.chmodOutputs(0o755) })
	return s.chmodOutputs(0o555)
}

func allowOutputs(_ context.Context, s *scene) error { return s.chmodOutputs(0o755) }

func (s *scene) chmodOutputs(mode fs.FileMode) error {
	for _, f := range s.config.Folders {
		if err := os.Chmod(f.Output, mode); err != nil {
			return err
		}
	}
	return nil
}

// shrinkDisk puts the first hot folder's output on a disk with room for half of its results.
func shrinkDisk(_ context.Context, s *scene) error {
	dir := s.config.Folders[0].Output
	if err := mountSmallDisk(dir, s.resultsSize()/2); err != nil {
		return notHere(fmt.Sprintf("needs the right to mount a small disk: %v", err))
	}
	s.undo = append(s.undo, func() error { return unmount(dir) })
	return nil
}

func growDisk(_ context.Context, s *scene) error {
	return resizeSmallDisk(s.config.Folders[0].Output, 4*s.resultsSize()+1<<20)
}

// resultsSize is about how large the first hot folder's results are together, in bytes.
func (s *scene) resultsSize() (sum int64) {
	for _, p := range s.studio.folders[0].pictures {
		sum += p.size
	}
	return sum
}
