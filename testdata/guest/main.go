//go:build linux

// Guest is the init of the virtual machine in TestPowerLoss, and beside hotfolder the only program there. It mounts the disks, brings the
// API to a port of its own, and does what the test asks of it, by net/rpc.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	log.SetFlags(0)
	log.Fatalf("the guest ended: %v", serve()) // an init that ends ends the machine
}

func serve() error {
	for dir, kind := range map[string]string{"/dev": "devtmpfs", "/proc": "proc", "/sys": "sysfs", "/tmp": "tmpfs"} {
		if err := mount(kind, dir, kind, ""); err != nil {
			return err
		}
	}
	modules, err := filepath.Glob("/modules/*") // their names are in the order of loading
	if err != nil {
		return err
	}
	for _, file := range modules {
		if err := load(file); err != nil {
			return fmt.Errorf("load %s: %w", file, err)
		}
	}
	// Whatever nobody asks the kernel to write, it keeps to itself.
	for name, value := range map[string]string{"dirty_writeback_centisecs": "0", "dirty_expire_centisecs": "360000"} {
		if err := os.WriteFile("/proc/sys/vm/"+name, []byte(value), 0); err != nil {
			return err
		}
	}
	for device, dir := range map[string]string{"/dev/vda": "/a", "/dev/vdb": "/b", "/dev/vdc": "/c"} {
		if err := mount(device, dir, "ext4", "commit=900,noauto_da_alloc,data="+os.Getenv("DATA")); err != nil {
			return err
		}
	}
	if err := network(); err != nil {
		return err
	}
	api, err := net.Listen("tcp", "127.0.0.1:8080")
	if err != nil {
		return err
	}
	go forward(api, os.Getenv("API"))
	test, err := net.Dial("tcp", os.Getenv("TEST"))
	if err != nil {
		return err
	}
	if err := rpc.Register(&Guest{}); err != nil {
		return err
	}
	rpc.ServeConn(test)
	return fmt.Errorf("the test is gone")
}

func mount(device, dir, kind, options string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(device, dir, kind, 0, options); err != nil {
		return fmt.Errorf("mount %s: %w", dir, err)
	}
	return nil
}

func load(module string) error {
	f, err := os.Open(module)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.FinitModule(int(f.Fd()), "", 0)
}

// network gives the machine the address that QEMU has for it.
func network() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	for name, ip := range map[string][]byte{"lo": {127, 0, 0, 1}, "eth0": {10, 0, 2, 15}} {
		address, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		if err := address.SetInet4Addr(ip); err != nil {
			return err
		}
		if err := unix.IoctlIfreq(s, unix.SIOCSIFADDR, address); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		up, _ := unix.NewIfreq(name)
		up.SetUint16(unix.IFF_UP)
		if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, up); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// forward brings what connects to a listener to an address.
func forward(from net.Listener, to string) {
	for {
		near, err := from.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer near.Close()
			far, err := net.Dial("tcp", to)
			if err != nil {
				return
			}
			defer far.Close()
			go func() {
				_, _ = io.Copy(far, near)
				far.Close()
			}()
			_, _ = io.Copy(near, far)
		}()
	}
}

// Guest is what the test can ask for.
type Guest struct{ agent *exec.Cmd }

// Drop writes files, durably, and makes folders: names that end with a slash.
func (g *Guest) Drop(contents map[string][]byte, _ *struct{}) error {
	for name, content := range contents {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if strings.HasSuffix(name, "/") {
			continue
		}
		if err := os.WriteFile(name, content, 0o644); err != nil {
			return err
		}
	}
	unix.Sync()
	return nil
}

// Files tells of all files below some folders the hash of their content.
func (g *Guest) Files(dirs []string, sums *map[string]string) error {
	*sums = map[string]string{}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			sum := sha256.Sum256(content)
			(*sums)[path] = hex.EncodeToString(sum[:])
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Start starts the agent, with variables in its environment.
func (g *Guest) Start(env []string, _ *struct{}) error {
	g.agent = exec.Command("/hotfolder", "--config", "/hotfolder.yaml", "run")
	g.agent.Env = env
	g.agent.Stdout, g.agent.Stderr = os.Stderr, os.Stderr
	return g.agent.Start()
}

// Stop ends the agent.
func (g *Guest) Stop(_ struct{}, _ *struct{}) error {
	if err := g.agent.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	return g.agent.Wait()
}

// Run runs another command of hotfolder.
func (g *Guest) Run(args []string, output *string) error {
	out, err := exec.Command("/hotfolder", append([]string{"--config", "/hotfolder.yaml"}, args...)...).CombinedOutput()
	*output = string(out)
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// Read returns the content of a file.
func (g *Guest) Read(file string, text *string) error {
	content, err := os.ReadFile(file)
	*text = string(content)
	return err
}
