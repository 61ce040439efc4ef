package autoretouch

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"hotfolder/private"
)

// Token is a login: the refresh token that stands for it, and the access token last fetched with it.
type Token struct {
	Refresh string
	Access  string
	Expiry  time.Time // of Access; zero: unknown
	Origin  string    // set by Given
}

// usable reports whether the access token is there and lasts a little longer.
func (t Token) usable() bool {
	return t.Access != "" && (t.Expiry.IsZero() || time.Until(t.Expiry) > 10*time.Second)
}

func (t Token) same(u Token) bool { return t.Refresh == u.Refresh && t.Access == u.Access }

// Credentials keep the login between calls and between processes. Load is called before every call of the API: a login
// made by another process counts from the next one on. Without a login it returns ErrNoLogin.
type Credentials interface {
	Load() (Token, error)
	Save(Token) error // durably, when it returns nil
	Forget() error
}

// File keeps the login in a JSON file that its owner alone can read. It is safe for concurrent use.
type File struct {
	Path string

	mu   sync.Mutex
	read fs.FileInfo // of the file when it was last read; nil: not yet
	last stored
}

// stored is the file's content.
type stored struct {
	Refresh string    `json:"refresh_token"`
	Access  string    `json:"access_token,omitempty"`
	Expiry  time.Time `json:"expiry,omitzero"`
	Origin  string    `json:"origin,omitempty"`
}

// Load reads the file if it changed since the last time.
func (f *File) Load() (Token, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return Token{}, ErrNoLogin
	}
	if err != nil {
		return Token{}, err
	}
	if f.read == nil || !unchanged(f.read, info) {
		if f.last, err = readStored(f.Path); err != nil {
			f.read = nil
			return Token{}, err
		}
		f.read = info
	}
	return Token(f.last), nil
}

func unchanged(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size() && a.Mode() == b.Mode()
}

func readStored(path string) (stored, error) {
	b, err := private.ReadFile(path)
	if errors.Is(err, private.ErrOpen) {
		return stored{}, &Error{Class: Auth, Op: "read login", Err: err}
	}
	if err != nil {
		return stored{}, err
	}
	var s stored
	if json.Unmarshal(b, &s) != nil || s.Refresh == "" {
		return stored{}, &Error{Class: Auth, Op: "read login", Err: fmt.Errorf("%s is damaged; log in again", path)}
	}
	return s, nil
}

// Save replaces the file: after a crash there is the old one or the new one, whole.
func (f *File) Save(t Token) error {
	b, err := json.MarshalIndent(stored(t), "", "  ")
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read = nil
	return private.WriteFile(f.Path, append(b, '\n'))
}

// Forget removes the file.
func (f *File) Forget() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read = nil
	if err := os.Remove(f.Path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Given is a login that was handed over as a refresh token (AUTORETOUCH_REFRESH_TOKEN) instead of by logging in. Store,
// which must not be that of a login, keeps the access token and what the server may have put in the place of Refresh.
type Given struct {
	Refresh string
	Store   Credentials
}

// Load returns what Store has in the place of Refresh, or else Refresh.
func (g Given) Load() (Token, error) {
	if t, err := g.Store.Load(); err == nil && t.Origin == g.origin() {
		return t, nil
	}
	return Token{Refresh: g.Refresh, Origin: g.origin()}, nil
}

// Save keeps t as the successor of Refresh: when another one is given, t no longer counts.
func (g Given) Save(t Token) error {
	t.Origin = g.origin()
	return g.Store.Save(t)
}

// Forget forgets what Store holds; Refresh is still given.
func (g Given) Forget() error { return g.Store.Forget() }

func (g Given) origin() string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(g.Refresh)))
}
