// Package config reads the YAML file that says which folders are hot and how the agent treats them. Read this file (what
// there is to say, and the defaults), then parse.go (a file becomes a Config or a list of problems), decode.go (YAML to
// the structs below, led by their tags), check.go and overlap.go (what one value cannot tell), find.go (where the file is);
// then new.go and edit.go (a file is written, or changed).
package config

import (
	"path/filepath"
	"time"
)

// Config is one configuration file, checked, with defaults filled in and every path absolute.
//
// The tags are the one description of the file: yaml is the key; min and max bound a number, a size or a duration; is
// tells what a text must be: a path, a url, a listen address, …, or one of the words between the bars.
type Config struct {
	File string `yaml:"-"` // the file it came from, absolute

	Account      Account   `yaml:"account"`
	API          API       `yaml:"api"`
	DataDir      string    `yaml:"data_dir" is:"path"` // ledger, credentials, logs
	Folders      []Folder  `yaml:"folders"`
	Limits       Limits    `yaml:"limits"`
	Polling      Polling   `yaml:"polling"`
	Webhook      Webhook   `yaml:"webhook"`
	Notify       Notify    `yaml:"notify"`
	Mail         Mail      `yaml:"mail"`
	Report       Report    `yaml:"report"`
	EveningCheck Clock     `yaml:"evening_check" is:"clock"` // when the night is looked at beforehand; empty: never
	Dashboard    Dashboard `yaml:"dashboard"`
	Log          Log       `yaml:"log"`

	noOrganization Errors   `yaml:"-"` // see RequireOrganization
	noWorkflow     Errors   `yaml:"-"` // see RequireFolders
	silent         []string `yaml:"-"` // see Silent
}

// Silent lists the folders and files that are named and did not answer when the configuration was read: the shares that they are on hang.
func (c *Config) Silent() []string { return c.silent }

// Account says whose credits are spent.
type Account struct {
	Organization    string `yaml:"organization"` // may be empty: see Config.RequireOrganization
	CredentialsFile string `yaml:"credentials_file" is:"path"`
}

// API says where AutoRetouch is and how long it may take.
type API struct {
	URL      string        `yaml:"url" is:"url"`
	AuthURL  string        `yaml:"auth_url" is:"url"`
	ClientID string        `yaml:"client_id"`
	Timeout  time.Duration `yaml:"timeout" min:"1ms"` // of a call without a body
	CAFile   string        `yaml:"ca_file" is:"path"` // PEM, in addition to the system's; empty: none

	// CreateLookup is how long an execution whose create call got no answer is looked for in the account before it is
	// created again. It must exceed the lag of the API's list: too short means paying twice.
	CreateLookup time.Duration `yaml:"create_lookup" min:"1s"`
}

// Folder is one hot folder.
type Folder struct {
	Name            string `yaml:"name"` // unique; the key of its jobs
	Input           string `yaml:"input" is:"path"`
	Output          string `yaml:"output" is:"path"`
	Workflow        string `yaml:"workflow"`         // may be empty: see Config.RequireFolders
	WorkflowVersion string `yaml:"workflow_version"` // empty: the latest

	Recursive bool          `yaml:"recursive"`
	Include   []string      `yaml:"include"` // doublestar patterns with /, case-insensitive
	Exclude   []string      `yaml:"exclude"`
	Settle    time.Duration `yaml:"settle" min:"0s"`
	Rescan    time.Duration `yaml:"rescan" min:"0s"` // 0: at start only

	Batch    Batch             `yaml:"batch" is:"none|subfolder|day"`
	Labels   map[string]string `yaml:"labels"`
	Settings map[string]any    `yaml:"settings"` // can be written as JSON

	OutputName   string       `yaml:"output_name"` // see Placeholders; / makes subfolders, it never leads out of Output
	OnConflict   Conflict     `yaml:"on_conflict" is:"rename|overwrite|skip"`
	Duplicates   Duplicates   `yaml:"duplicates" is:"reuse|process"`
	AfterSuccess AfterSuccess `yaml:"after_success" is:"keep|move|delete"`
	Processed    string       `yaml:"processed" is:"path"` // set when AfterSuccess is Move
	Failed       string       `yaml:"failed" is:"path"`    // empty: failed inputs stay where they are
	Retries      int          `yaml:"retries" min:"0"`     // of an execution that the API reports FAILED

	Oversize     Oversize      `yaml:"oversize" is:"warn|fail|process"`
	Unchanged    Unchanged     `yaml:"unchanged" is:"review|deliver"`
	Review       string        `yaml:"review" is:"path"` // empty: see ReviewFolder
	Versions     Versions      `yaml:"versions" is:"replace|keep"`
	Deliver      Deliver       `yaml:"deliver" is:"each|order"`
	DeliverAfter time.Duration `yaml:"deliver_after" min:"1m"` // an order that is not whole by then is delivered as it is
	Hours        Hours         `yaml:"hours" is:"hours"`       // of uploads; empty: all day
	Priority     int           `yaml:"priority" min:"-100" max:"100"`
	StatusFile   bool          `yaml:"status_file"`
}

// ReviewFolder is where results go that the guard holds back.
func (f Folder) ReviewFolder() string {
	if f.Review != "" || f.Output == "" {
		return f.Review
	}
	return filepath.Join(filepath.Dir(f.Output), "review")
}

// Batch says how pictures are grouped into orders.
type Batch string

// The ways to group pictures.
const (
	BatchNone      Batch = "none"
	BatchSubfolder Batch = "subfolder"
	BatchDay       Batch = "day"
)

// Conflict says what to do when something else already has the result's name.
type Conflict string

// The ways out of a conflict.
const (
	Rename    Conflict = "rename"
	Overwrite Conflict = "overwrite"
	Skip      Conflict = "skip"
)

// Duplicates says what to do with content that the same workflow version has already processed.
type Duplicates string

// The ways to treat identical content.
const (
	Reuse   Duplicates = "reuse"
	Process Duplicates = "process"
)

// AfterSuccess says what becomes of an input once its result is durable.
type AfterSuccess string

// The fates of an input.
const (
	Keep   AfterSuccess = "keep"
	Move   AfterSuccess = "move"
	Delete AfterSuccess = "delete"
)

// Oversize says what to do with a picture that the API scales down (API.md, Images).
type Oversize string

// The ways to treat a picture that is too large.
const (
	OversizeWarn    Oversize = "warn"
	OversizeFail    Oversize = "fail"
	OversizeProcess Oversize = "process"
)

// Unchanged says where a result goes that is the input again.
type Unchanged string

// The ways to treat an unchanged picture.
const (
	UnchangedReview  Unchanged = "review"
	UnchangedDeliver Unchanged = "deliver"
)

// Versions says what becomes of the older result when an input has changed.
type Versions string

// The fates of an older result.
const (
	VersionsReplace Versions = "replace"
	VersionsKeep    Versions = "keep"
)

// Deliver says when results appear.
type Deliver string

// The ways to deliver.
const (
	DeliverEach  Deliver = "each"
	DeliverOrder Deliver = "order"
)

// Limits bound what the agent does at once.
type Limits struct {
	Uploads       int   `yaml:"uploads" min:"1" max:"256"`
	Downloads     int   `yaml:"downloads" min:"1" max:"256"`
	InFlight      int   `yaml:"in_flight" min:"1"`       // executions created and not yet finished
	UploadRate    int64 `yaml:"upload_rate" min:"0"`     // bytes a second over all uploads; 0: none
	CreditsPerDay int   `yaml:"credits_per_day" min:"0"` // until local midnight; 0: none
	Nice          int   `yaml:"nice" min:"0" max:"19"`   // how far the process stands back behind others; 0: not at all
}

// Polling bounds the adaptive interval between two looks at the API.
type Polling struct {
	Min time.Duration `yaml:"min" min:"1ms"`
	Max time.Duration `yaml:"max" min:"1ms"`
}

// Webhook is where the API announces results; both or neither are set.
type Webhook struct {
	Listen   string `yaml:"listen" is:"listen"`
	URL      string `yaml:"url" is:"url"`
	CertFile string `yaml:"cert_file" is:"path"` // PEM, with KeyFile; empty: plain HTTP, behind a proxy
	KeyFile  string `yaml:"key_file" is:"path"`
}

// Notify says who is told when somebody is needed.
type Notify struct {
	URL       string        `yaml:"url" is:"hook"`       // gets a JSON document by POST; it may hold a secret; empty: none
	To        string        `yaml:"to" is:"mail"`        // mail addresses, with commas between; needs Mail; empty: none
	Failures  int           `yaml:"failures" min:"1"`    // so many pictures failed within an hour
	GoneAfter time.Duration `yaml:"gone_after" min:"0s"` // a folder is away for so long
}

// Mail is the server by which mail is sent. With port 465 TLS comes first, else STARTTLS is required, but on this machine.
type Mail struct {
	Server       string `yaml:"server" is:"server"` // host:port; empty: no mail
	From         string `yaml:"from" is:"mail"`
	User         string `yaml:"user"` // empty: without a login
	PasswordFile string `yaml:"password_file" is:"path"`
}

// Report is the account of the last day that is given each morning.
type Report struct {
	Daily Clock  `yaml:"daily" is:"clock"` // empty: never
	To    string `yaml:"to" is:"target"`   // a folder, or mail addresses; see ToMail
}

// Dashboard is the local page and the control API.
type Dashboard struct {
	Listen       string `yaml:"listen" is:"listen"` // empty: off
	PasswordFile string `yaml:"password_file" is:"path"`
}

// Log says what is logged where.
type Log struct {
	Level      string `yaml:"level" is:"debug|info|warn|error"`
	Format     string `yaml:"format" is:"text|json"`
	File       string `yaml:"file" is:"path"` // empty: stderr, or a file in DataDir when run as a service
	MaxSizeMB  int    `yaml:"max_size_mb" min:"1"`
	MaxBackups int    `yaml:"max_backups" min:"0"`
	MaxAgeDays int    `yaml:"max_age_days" min:"0"`
	Compress   bool   `yaml:"compress"`
}

// Default returns what holds for an empty file, but for DataDir and CredentialsFile, which depend on who runs the agent
// (see Parse), and without folders: DefaultFolder is one.
func Default() Config {
	return Config{
		API: API{
			URL:          "https://api.autoretouch.com",
			AuthURL:      "https://auth.autoretouch.com",
			ClientID:     "V8EkfbxtBi93cAySTVWAecEum4d6pt4J",
			Timeout:      time.Minute,
			CreateLookup: 30 * time.Second,
		},
		Limits:    Limits{Uploads: 8, Downloads: 8, InFlight: 500},
		Polling:   Polling{Min: time.Second, Max: 30 * time.Second},
		Notify:    Notify{Failures: 10, GoneAfter: 5 * time.Minute},
		Dashboard: Dashboard{Listen: "127.0.0.1:8765"},
		Log:       Log{Level: "info", Format: "text", MaxSizeMB: 20, MaxBackups: 5, MaxAgeDays: 30, Compress: true},
	}
}

// DefaultFolder returns what holds for a folder that says nothing; Name, Input, Output and Workflow are left to fill in.
func DefaultFolder() Folder {
	return Folder{
		Recursive:    true,
		Include:      []string{"*.jpg", "*.jpeg", "*.png", "*.tif", "*.tiff", "*.webp"},
		Settle:       2 * time.Second,
		Rescan:       time.Minute,
		Batch:        BatchSubfolder,
		OutputName:   "{name}{ext}",
		OnConflict:   Rename,
		Duplicates:   Reuse,
		AfterSuccess: Keep,
		Retries:      2,
		Oversize:     OversizeWarn,
		Unchanged:    UnchangedReview,
		Versions:     VersionsReplace,
		Deliver:      DeliverEach,
		DeliverAfter: 12 * time.Hour,
	}
}
