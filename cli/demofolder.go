package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"hotfolder/config"
	"hotfolder/sandbox"
	"hotfolder/store"
	"hotfolder/testdata/photos"
)

// demoFolder is the folder of a demo, absolute. It may also hold what a person put there: that is never touched.
type demoFolder string

func (d demoFolder) input() string   { return filepath.Join(string(d), "input") }
func (d demoFolder) output() string  { return filepath.Join(string(d), "output") }
func (d demoFolder) data() string    { return filepath.Join(string(d), "data") }
func (d demoFolder) sheet() string   { return filepath.Join(string(d), "before-after.png") }
func (d demoFolder) config() string  { return filepath.Join(string(d), "hotfolder.yaml") }
func (d demoFolder) ledger() string  { return ledgerFile(&config.Config{DataDir: d.data()}) }
func (d demoFolder) log() string     { return filepath.Join(d.data(), "hotfolder.log") }
func (d demoFolder) sandbox() string { return filepath.Join(d.data(), "sandbox") }

// demoConfig is a demo's configuration; by its first line an earlier demo is known.
const (
	demoMark   = "# Written by `hotfolder demo`, and written again by the next one in this folder.\n"
	demoConfig = demoMark + `# It leads to a sandbox that ended with the demo.
account: {organization: %q}
api: {url: %[2]q, auth_url: %[2]q}
data_dir: data
folders:
  - name: packshots
    input: input/packshots
    output: output/packshots
    workflow: %[3]s # background to white, cropped, levelled, PNG
    settle: 500ms
    rescan: 2s
  - name: website
    input: input/website
    output: output/website
    workflow: %[4]s # levelled, at most 1600 pixels, JPEG
    settle: 500ms
    rescan: 2s
polling: {min: 200ms, max: 500ms}
dashboard: {listen: ""}
`
)

// demoSample says which photograph goes into which hot folder.
type demoSample struct{ folder, photo string }

var demoSamples = []demoSample{
	{"packshots", "coffee.jpg"},
	{"packshots", "kitchen/cup.jpg"},
	{"packshots", "lab/retina.jpg"},
	{"packshots", "portraits/Eileen Collins.jpg"},
	{"website", "chelsea.png"},
	{"website", "kitchen/clock.jpg"},
	{"website", "space/hubble.tif"},
	{"website", "space/rocket.webp"},
}

// openDemoFolder makes the folder, or clears what an earlier demo left in it. Any other folder is refused.
func openDemoFolder(dir string) (demoFolder, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	d := demoFolder(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return d, err
	}
	if head, err := os.ReadFile(d.config()); err != nil || !bytes.HasPrefix(head, []byte(demoMark)) {
		return "", usage(fmt.Errorf("%s holds other things than a demo; name another folder with --dir", dir))
	}
	return d, d.clear()
}

// clear removes what an earlier demo made, as far as it is still what the demo made.
func (d demoFolder) clear() error {
	if err := d.clearResults(); err != nil {
		return err
	}
	for _, s := range demoSamples {
		want, err := fs.ReadFile(photos.FS, s.photo)
		if err != nil {
			return err
		}
		if err := removeIf(d.sample(s), sha256.Sum256(want)); err != nil {
			return err
		}
	}
	return os.RemoveAll(d.data())
}

// clearResults removes the results that the earlier demo's ledger knows. Without a ledger they stay.
func (d demoFolder) clearResults() error {
	ledger, err := store.OpenReadOnly(d.ledger())
	switch {
	case errors.Is(err, store.ErrLocked):
		return usage(fmt.Errorf("another demo runs in %s; stop it, or name another folder with --dir", d))
	case err != nil:
		return nil
	}
	defer ledger.Close()
	for job, err := range ledger.Jobs(store.Filter{State: store.Delivered}) {
		if err != nil {
			return err
		}
		var sum [sha256.Size]byte
		if n, err := hex.Decode(sum[:], []byte(job.Result.SHA256)); err != nil || n != len(sum) {
			continue
		}
		if err := removeIf(filepath.Join(d.output(), job.Folder, filepath.FromSlash(job.Output)), sum); err != nil {
			return err
		}
	}
	return nil
}

// removeIf removes a file if its content has that SHA-256.
func removeIf(file string, sum [sha256.Size]byte) error {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	f.Close()
	if err != nil || !bytes.Equal(h.Sum(nil), sum[:]) {
		return err
	}
	return os.Remove(file)
}

// configure writes the configuration, makes the folders that it names and returns it as the agent reads it.
func (d demoFolder) configure(url string) (*config.Config, error) {
	yaml := fmt.Appendf(nil, demoConfig, sandbox.Organization, url, sandbox.PackshotWhite, sandbox.CatalogueJPEG)
	if err := os.WriteFile(d.config(), yaml, 0o644); err != nil {
		return nil, err
	}
	noEnv := func(string) string { return "" }
	cfg, err := config.Parse(d.config(), yaml, noEnv)
	if err != nil {
		return nil, err
	}
	for _, f := range cfg.Folders {
		if err := errors.Join(os.MkdirAll(f.Input, 0o755), os.MkdirAll(f.Output, 0o755)); err != nil {
			return nil, err
		}
	}
	return cfg, os.MkdirAll(d.sandbox(), 0o700)
}

func (d demoFolder) sample(s demoSample) string {
	return filepath.Join(d.input(), s.folder, filepath.FromSlash(s.photo))
}

// drop copies a photograph into its input folder. A picture that a person put there under the same name stays.
func (d demoFolder) drop(s demoSample) error {
	picture, err := fs.ReadFile(photos.FS, s.photo)
	if err != nil {
		return err
	}
	to := d.sample(s)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(picture)
	return errors.Join(err, f.Close())
}
