package main_test

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hotfolder/watcher"
)

// share is a folder of another machine, or what the agent takes for one.
type share struct {
	server *daemon
	client *daemon // serves the mount point by FUSE
	mount  string  // the mount point
	at     string  // the folder with in and out, below it
	behind string  // the same folder, at the server
}

// TestRealSSHFS: in and out on a folder that sshfs fetches from an sshd.
func TestRealSSHFS(t *testing.T) {
	forReal(t, "sshd", "ssh-keygen", "sshfs", "umount")
	dir := t.TempDir()
	sh := share{mount: filepath.Join(dir, "mount"), behind: filepath.Join(dir, "behind")}
	sh.at = sh.mount
	key, hostKey := filepath.Join(dir, "key"), filepath.Join(dir, "host_key")
	for _, key := range []string{key, hostKey} {
		run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // where sshd wants to be able to lock itself in
		t.Fatal(err)
	}
	port := freePort(t)
	write(t, filepath.Join(dir, "sshd_config"), fmt.Sprintf(`
ListenAddress 127.0.0.1:%d
HostKey %s
AuthorizedKeysFile %s.pub
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PidFile none
Subsystem sftp internal-sftp
`, port, hostKey, key), 0o600)
	sh.beginBeneath(t)
	sh.server = startDaemon(t, "/usr/sbin/sshd", "-D", "-e", "-f", filepath.Join(dir, "sshd_config"))
	until(t, "sshd listens", 10*time.Second, listens(fmt.Sprintf("127.0.0.1:%d", port)))
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	sh.client = sh.startClient(t, nil, "sshfs", "-f", "-p", fmt.Sprint(port), "-o", "IdentityFile="+key,
		"-o", "StrictHostKeyChecking=no,UserKnownHostsFile=/dev/null,reconnect,ServerAliveInterval=2,ServerAliveCountMax=3,dir_cache=no",
		me.Username+"@127.0.0.1:"+sh.behind, sh.mount)
	sh.test(t)
}

// TestRealSMB: in and out on a folder that smbnetfs fetches from an smbd.
func TestRealSMB(t *testing.T) {
	forReal(t, "smbd", "smbnetfs", "umount")
	dir := t.TempDir()
	host := fmt.Sprintf("127.77.%d.%d", os.Getpid()>>8&255, max(os.Getpid()&255, 1)) // SMB's port can't be chosen
	sh := share{mount: filepath.Join(dir, "mount"), behind: filepath.Join(dir, "behind")}
	sh.at = filepath.Join(sh.mount, host, "photos")
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(dir, "state")
	if err := os.Mkdir(state, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "smbd.conf"), fmt.Sprintf(`
[global]
interfaces = %s/8
bind interfaces only = yes
smb ports = 445
map to guest = bad user
guest account = %s
disable spoolss = yes
load printers = no
private dir = %[3]s
lock directory = %[3]s
state directory = %[3]s
cache directory = %[3]s
pid directory = %[3]s
ncalrpc dir = %[3]s/ncalrpc
log file = %[3]s/log
[photos]
path = %[4]s
guest ok = yes
read only = no
`, host, me.Username, state, sh.behind), 0o600)
	write(t, filepath.Join(dir, "home/.smb/smb.conf"), "[global]\nclient min protocol = SMB2\nclient use spnego = yes\n", 0o600)
	write(t, filepath.Join(dir, "home/.smb/smbnetfs.conf"), fmt.Sprintf("host %s visible=true\nauth \"guest\" \"\"\n", host), 0o600)
	sh.beginBeneath(t)
	sh.server = startDaemon(t, "/usr/sbin/smbd", "-F", "--no-process-group", "-s", filepath.Join(dir, "smbd.conf"))
	until(t, "smbd listens", 10*time.Second, listens(host+":445"))
	sh.client = sh.startClient(t, []string{"HOME=" + filepath.Join(dir, "home")}, "smbnetfs", "-f", "-o", "nonempty", sh.mount)
	sh.test(t)
}

// beginBeneath makes the folders: also on the bare mount point, where nobody is to look for pictures or to leave results.
func (sh *share) beginBeneath(t *testing.T) {
	t.Helper()
	for _, dir := range []string{sh.behind, sh.at} {
		for _, name := range []string{"in", "out"} {
			if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(t, filepath.Join(sh.at, "in/stray.jpg"), string(smallPicture(1<<20)), 0o644)
}

func (sh *share) startClient(t *testing.T, env []string, line ...string) *daemon {
	t.Helper()
	t.Cleanup(func() { _ = unix.Unmount(sh.mount, unix.MNT_DETACH) })
	client := &daemon{T: t, line: line, env: env}
	t.Cleanup(func() {
		client.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", line[0], tail(client.said.String(), 5000))
		}
	})
	client.start()
	until(t, "the share is mounted", 20*time.Second, func() bool { return isMounted(sh.mount) && len(files(sh.at)) == 0 })
	return client
}

// test lets the share be away in every way that there is while the agent works on it. Another hot folder, on the local disk, goes on
// meanwhile.
func (sh *share) test(t *testing.T) {
	onShare := &hotFolder{name: "share", at: sh.at, behind: sh.behind}
	sh.lockOften(t)
	dir := t.TempDir()
	local := &hotFolder{name: "local", at: dir, behind: dir}
	s := newStudio(t, plan{folders: []*hotFolder{onShare, local}})
	agent := s.start()
	s.drop(onShare, 5)
	s.waitForResults()
	if !s.says("on a network share (fuse)") {
		t.Error("status does not tell that the share tells of no changes")
	}
	for _, a := range []struct {
		what       string
		away, back func()
		says       string // in status, while it is away; "": whatever
	}{
		{"the server is killed", sh.server.kill, sh.server.start, ""},
		{"the server hangs", sh.server.hold, sh.server.goOn, ""},
		{"the share hangs", sh.client.hold, sh.client.goOn, "the folder does not answer"},
		{"the share is unmounted", func() { run(t, "umount", "-l", sh.mount) }, func() { sh.client.kill(); sh.remount() }, "nothing is mounted at"},
		{"the client is killed", sh.client.kill, func() { run(t, "umount", "-l", sh.mount); sh.remount() }, "input_offline"},
	} {
		began := time.Now()
		tell := func(what string) { t.Logf("%s: %s after %.1f s", a.what, what, time.Since(began).Seconds()) }
		s.drop(onShare, 60)
		n := len(files(filepath.Join(sh.behind, "out")))
		until(t, "the agent is at it", time.Minute, func() bool { return len(files(filepath.Join(sh.behind, "out"))) >= n+5 })
		tell("away")
		a.away()
		s.drop(local, 30)
		s.drop(onShare, 5)
		s.waitForResults(local)
		tell("the other folder's results are there")
		until(t, "status says: "+a.says, time.Minute, func() bool { return s.says(a.says) })
		a.back()
		tell("back")
		s.waitForResults()
		tell("all results are there")
	}
	// Away once more, and the agent is to stop.
	s.drop(onShare, 20)
	time.Sleep(2500 * time.Millisecond) // it is at it
	sh.client.hold()
	if err := agent.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	until(t, "the agent lets go of its ledger", time.Minute, func() bool { return s.says(`"running":false`) })
	sh.client.goOn() // before which Linux lets no process end that waits for an answer of FUSE
	if err := agent.Wait(); err != nil {
		t.Errorf("the agent ended with %v", err)
	}
	agent = s.start()
	s.drop(onShare, 5) // so that it works on the share before it is to end
	s.waitForResults()
	s.stop(agent)
	sh.client.kill()
	run(t, "umount", "-l", sh.mount)
	s.wantPromises()
	for _, name := range []string{"in", "out"} {
		for file := range files(filepath.Join(sh.at, name)) {
			if file != "stray.jpg" {
				t.Errorf("on the bare mount point: %s/%s", name, file)
			}
		}
	}
}

// lockOften takes over a folder's lock many times, of which nothing may stay: a share may still hold a file that was just closed.
func (sh *share) lockOften(t *testing.T) {
	t.Helper()
	dir := filepath.Join(sh.at, "in")
	for range 300 {
		var claim *watcher.Claim
		for range 2 { // the second takes over what the first left behind
			claim = watcher.NewClaim(dir, "/data")
			if err := claim.Hold(); err != nil {
				t.Fatal(err)
			}
		}
		claim.Release()
		if got := files(filepath.Join(sh.behind, "in")); len(got) > 0 {
			t.Fatalf("what locks left behind: %v", got)
		}
	}
}

func (sh *share) remount() {
	sh.client.start()
	until(sh.client.T, "the share is mounted again", 20*time.Second, func() bool { return isMounted(sh.mount) })
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func listens(address string) func() bool {
	return func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err == nil
	}
}
