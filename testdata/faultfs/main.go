// Faultfs serves a folder at a mount point, by FUSE, with faults that are switched on and off while it runs: a test writes them into the
// file control, each time whole by a rename. It is a module of its own so that hotfolder needs no FUSE.
//
//	faultfs FOLDER MOUNTPOINT CONTROL
//
// control holds the kinds of calls that are struck (read, write, sync, content for reads of what is beyond a file's first 4 KiB, or several), what happens to them (EIO, ENOSPC, a time by which they
// take longer, or hang: no answer until control says something else), and how often (0 to 1): "write sync EIO 0.3". Empty: nothing.
package main

import (
	"bytes"
	"log"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 4 {
		log.Fatal("faultfs FOLDER MOUNTPOINT CONTROL")
	}
	root, err := fs.NewLoopbackRoot(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	faulty := faultyFS{fs.NewNodeFS(root, &fs.Options{}), os.Args[3]} // which caches nothing
	server, err := fuse.NewServer(faulty, os.Args[2], &fuse.MountOptions{DirectMountStrict: true, FsName: "faultfs", Name: "faultfs",
		DisabledCapabilities: fuse.CAP_PASSTHROUGH}) // by which the kernel would read and write past it
	if err != nil {
		log.Fatal(err)
	}
	server.Serve()
}

type faultyFS struct {
	fuse.RawFileSystem
	control string
}

var errnos = map[string]syscall.Errno{"EIO": syscall.EIO, "ENOSPC": syscall.ENOSPC}

// strike does what control says to a call; the call is to be made if that is OK.
func (f faultyFS) strike(kind string) fuse.Status {
	text, err := os.ReadFile(f.control)
	fields := strings.Fields(string(text))
	n := len(fields)
	if err != nil || n < 3 || !slices.Contains(fields[:n-2], kind) {
		return fuse.OK
	}
	if often, err := strconv.ParseFloat(fields[n-1], 64); err != nil || rand.Float64() >= often {
		return fuse.OK
	}
	if fields[n-2] == "hang" {
		for now := text; err == nil && bytes.Equal(now, text); now, err = os.ReadFile(f.control) {
			time.Sleep(20 * time.Millisecond)
		}
		return fuse.OK
	}
	if longer, err := time.ParseDuration(fields[n-2]); err == nil {
		time.Sleep(longer)
		return fuse.OK
	}
	return fuse.Status(errnos[fields[n-2]])
}

func (f faultyFS) Lookup(cancel <-chan struct{}, header *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	if s := f.strike("read"); s != fuse.OK {
		return s
	}
	return f.RawFileSystem.Lookup(cancel, header, name, out)
}

func (f faultyFS) GetAttr(cancel <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	if s := f.strike("read"); s != fuse.OK {
		return s
	}
	return f.RawFileSystem.GetAttr(cancel, in, out)
}

func (f faultyFS) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if s := f.strike("read"); s != fuse.OK {
		return s
	}
	return f.RawFileSystem.Open(cancel, in, out)
}

func (f faultyFS) OpenDir(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if s := f.strike("read"); s != fuse.OK {
		return s
	}
	return f.RawFileSystem.OpenDir(cancel, in, out)
}

func (f faultyFS) Read(cancel <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	s := f.strike("read")
	if s == fuse.OK && in.Offset+uint64(in.Size) > 4096 {
		s = f.strike("content")
	}
	if s != fuse.OK {
		return nil, s
	}
	return f.RawFileSystem.Read(cancel, in, buf)
}

func (f faultyFS) Create(cancel <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	if s := f.strike("write"); s != fuse.OK {
		return s
	}
	return f.RawFileSystem.Create(cancel, in, name, out)
}

func (f faultyFS) Write(cancel <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	if s := f.strike("write"); s != fuse.OK {
		return 0, s
	}
	return f.RawFileSystem.Write(cancel, in, data)
}

func (f faultyFS) Mkdir(cancel <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	if s := f.strike("write"); s != fuse.OK {
		return s
	}
	return f.RawFileSystem.Mkdir(cancel, in, name, out)
}

func (f faultyFS) Rename(cancel <-chan struct{}, in *fuse.RenameIn, from, to string) fuse.Status {
	if s := f.strike("write"); s != fuse.OK {
		return s
	}
	return f.RawFileSystem.Rename(cancel, in, from, to)
}

func (f faultyFS) Link(cancel <-chan struct{}, in *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	if s := f.strike("write"); s != fuse.OK {
		return s
	}
	return f.RawFileSystem.Link(cancel, in, name, out)
}

func (f faultyFS) Unlink(cancel <-chan struct{}, header *fuse.InHeader, name string) fuse.Status {
	if s := f.strike("write"); s != fuse.OK {
		return s
	}
	return f.RawFileSystem.Unlink(cancel, header, name)
}

func (f faultyFS) Flush(cancel <-chan struct{}, in *fuse.FlushIn) fuse.Status {
	if s := f.strike("sync"); s != fuse.OK {
		return s
	}
	return f.RawFileSystem.Flush(cancel, in)
}

func (f faultyFS) Fsync(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	if s := f.strike("sync"); s != fuse.OK {
		return s
	}
	return f.RawFileSystem.Fsync(cancel, in)
}

func (f faultyFS) FsyncDir(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	if s := f.strike("sync"); s != fuse.OK {
		return s
	}
	return f.RawFileSystem.FsyncDir(cancel, in)
}
