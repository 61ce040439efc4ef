package watcher

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	claimFile  = ".hotfolder-lock"
	claimStale = 2 * time.Minute  // unchanged for so long, a lock is nobody's
	claimDead  = 20 * time.Second // the same, when its process seems dead; not at once, as a container's processes can't be seen
)

// ErrClaimed is why a folder can't be held: another agent does. The error that wraps it names the other.
var ErrClaimed = errors.New("another agent works on this folder")

// A Claim keeps the agents of other computers and data folders from a folder, by a lock file in it that is touched at every
// Hold. Whether another's lock is still touched is told by whether it changes, not by its time: clocks differ. A Claim is used by
// one goroutine at a time.
type Claim struct {
	path string
	away string // where an abandoned lock goes for a moment: by the agent's name, so that what a crash leaves there is found again
	mine holder
	held bool // since mine was written, as far as known

	other lock      // the one that stood there last
	since time.Time // that it did not change
}

// A holder is the content of the lock file.
type holder struct {
	Host  string `json:"host"`
	PID   int    `json:"pid"`
	Owner string `json:"owner"` // the data folder
	Since string `json:"since"` // RFC 3339
	Token string `json:"token"` // of one run
}

func (h holder) err() error {
	return fmt.Errorf("%w: computer %q, process %d, data folder %q", ErrClaimed, h.Host, h.PID, h.Owner)
}

// A lock is the lock file as it was found.
type lock struct {
	holder
	touched time.Time
}

// NewClaim is a claim to the folder dir by the agent whose data folder is owner. Hold makes it.
func NewClaim(dir, owner string) *Claim {
	host, _ := os.Hostname() // "" is as good as any
	path := filepath.Join(dir, claimFile)
	agent := sha256.Sum256([]byte(host + "\x00" + owner))
	return &Claim{
		path: path, away: fmt.Sprintf("%s-%x", path, agent[:4]),
		mine: holder{Host: host, PID: os.Getpid(), Owner: owner, Token: rand.Text()},
	}
}

// Hold makes the claim, or says that it still stands; it is to be called every few seconds. The lock that the same agent left
// behind in an earlier run is taken at once, another's when it has not changed for two minutes. A folder in which the lock can't
// be written is not claimed, which is no error.
func (c *Claim) Hold() error {
	found, err := readLock(c.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return c.write()
	case errors.Is(err, ErrChanged): // it was replaced while it was opened
		return fmt.Errorf("%w: it has just begun", ErrClaimed)
	case err != nil:
		return fmt.Errorf("read the folder's lock: %w", err)
	case found.Token == c.mine.Token:
		c.held = true
		now := time.Now()
		os.Chtimes(c.path, now, now) // its error: then another agent takes the folder over, which the next Hold sees
		return nil
	case found.Host == c.mine.Host && found.Owner == c.mine.Owner && !c.held:
		return c.takeOver(found)
	case c.abandoned(found):
		if err := c.takeOver(found); err != nil || !c.held {
			return err
		}
		return found.err() // until the next Hold shows that no other was faster
	}
	return found.err()
}

// abandoned reports whether another's lock has stood unchanged for long enough.
func (c *Claim) abandoned(found lock) bool {
	if found != c.other {
		c.other, c.since = found, time.Now()
	}
	still := time.Since(c.since)
	return still >= claimStale || still >= claimDead && found.Host == c.mine.Host && !alive(found.PID)
}

// takeOver replaces an abandoned lock. Of several agents that try one succeeds: it renames the lock away, sees that it is the abandoned one
// and not one written meanwhile, and writes its own if no other was faster.
func (c *Claim) takeOver(abandoned lock) error {
	err := whileBusy(func() error { return os.Rename(c.path, c.away) })
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		if still, err := readLock(c.path); err != nil || still.Token != abandoned.Token { // Windows says so of a file that is being removed
			return fmt.Errorf("%w: it has just begun", ErrClaimed)
		}
		return nil
	case err != nil:
		return fmt.Errorf("%w or ended just now: %w", ErrClaimed, err)
	}
	if got, err := readLock(c.away); err == nil && got.Token != abandoned.Token {
		os.Link(c.away, c.path) // where there are no hard links, its holder writes it again
		whileBusy(func() error { return os.Remove(c.away) })
		return got.err()
	}
	return c.write()
}

// write makes the lock where there is none, and removes the one that was taken over.
func (c *Claim) write() error {
	whileBusy(func() error { return os.Remove(c.away) }) // its error: a lock that stays behind goes with the next claim
	c.mine.Since = time.Now().UTC().Format(time.RFC3339)
	content, err := json.Marshal(c.mine)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(c.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: it has just begun", ErrClaimed)
	}
	if err != nil {
		if _, err := os.Lstat(c.path); !errors.Is(err, fs.ErrNotExist) { // Windows refuses the name of a file that is being removed
			return fmt.Errorf("%w or ended just now", ErrClaimed)
		}
		return nil // the folder can be read, which is all that is needed
	}
	_, err = f.Write(append(content, '\n'))
	f.Sync() // or a power cut would leave a lock that says nothing, and the folder taken for two minutes; not every file system can
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(c.path) // a full disk
		return nil
	}
	c.held = true
	return nil
}

// readLock reads a lock. One that is not (yet) written whole is as good as nobody's. It fails with ErrChanged when another agent is just
// replacing it.
func readLock(path string) (lock, error) {
	f, err := Open(path)
	if sharingViolation(err) {
		err = fmt.Errorf("%w: %w", ErrChanged, err)
	}
	if err != nil {
		return lock{}, err
	}
	defer f.Close()
	var l lock
	content, err := io.ReadAll(io.LimitReader(f, 4<<10))
	if err != nil {
		return lock{}, err
	}
	json.Unmarshal(content, &l.holder)
	info, err := f.Stat()
	if err != nil {
		return lock{}, err
	}
	l.touched = info.ModTime()
	return l, nil
}

// ClaimedBy returns an ErrClaimed if another agent than the one whose data folder is owner seems to work on the folder dir: as far
// as a single look can tell, by the lock's time.
func ClaimedBy(dir, owner string) error {
	mine := NewClaim(dir, owner)
	found, err := readLock(mine.path)
	if err != nil || time.Since(found.touched) > claimStale || found.Host == mine.mine.Host && (found.Owner == owner || !alive(found.PID)) {
		return nil
	}
	return found.err()
}

// Release gives the folder up.
func (c *Claim) Release() {
	if found, err := readLock(c.path); err == nil && found.Token == c.mine.Token {
		whileBusy(func() error { return os.Remove(c.path) }) // its error: a lock that is left behind is taken over
	}
	c.held = false
}

// whileBusy renames or removes a lock that was just read. Some shares take a moment to see that it was closed, and refuse until then.
func whileBusy(do func() error) (err error) {
	for wait := 10 * time.Millisecond; wait < time.Second; wait *= 2 {
		if err = do(); !errors.Is(err, syscall.EBUSY) && !sharingViolation(err) {
			break
		}
		time.Sleep(wait)
	}
	return err
}
