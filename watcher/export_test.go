package watcher

import (
	"io/fs"
	"time"
)

// Fault has every call to the file system first go through fault, which may hold it up or fail it. op is root, open, stat,
// read or watch.
func (f *Folder) Fault(fault func(op, path string) error) { f.fault = fault }

// Network has the root be on a network share of a kind; "": on none.
func (f *Folder) Network(kind string) { f.network = func(string) string { return kind } }

// Wall has the time of day be what wall says.
func (f *Folder) Wall(wall func() time.Time) { f.wall = wall }

// InCloud has files be in the cloud.
func (f *Folder) InCloud(is func(fs.DirEntry) bool) { f.inCloud = is }

// Away is where an abandoned lock goes for a moment.
func (c *Claim) Away() string { return c.away }
