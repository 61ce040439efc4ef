package main_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/rpc"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hotfolder/sandbox"
)

var kernel = flag.String("kernel", "", "the folder of an unpacked linux-image-cloud-amd64 of Debian, for TestPowerLoss")

// TestPowerLoss cuts the power of a virtual machine in which the agent works: what the machine's kernel has not written yet is lost, and
// of what its disks have not flushed any part. It does so until the power was cut often enough, at random moments, mostly while the API
// is called; then it lets the agent finish, and holds the books of the sandbox against the disks. It needs QEMU. A longer run:
// go test -run TestPowerLoss -kernel DIR -kills 200 -timeout 2h .
func TestPowerLoss(t *testing.T) {
	if *kernel == "" {
		t.Skip("no kernel for the virtual machine: -kernel")
	}
	for _, tool := range []string{"qemu-system-x86_64", "mkfs.ext4"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	t.Logf("seed %d: run again with -seed %[1]d", *seed)
	m := newMachine(t, *seed)
	for range *kills {
		m.boot()
		m.wantSafe()
		m.drop(8)
		m.startAgent()
		m.cutAtRandom()
	}
	m.boot()
	m.wantSafe()
	m.startAgent()
	m.waitForResults()
	if log := m.log(); strings.Contains(log, "level=ERROR") {
		m.Errorf("a power cut is over by itself, and yet the agent wants a person:\n%s", log)
	}
	m.ask("Stop", struct{}{}, nil)
	m.wantPromises()
}

// place is a hot folder of the machine: where its parts are, on the disks /a, /b and /c, and what becomes of an original.
type place struct{ name, in, out, after, processed string }

// places have every way between two disks on which something could become durable too early. The ledger is on /a.
var places = []place{
	{name: "kept", in: "/a/kept/in", out: "/a/kept/out", after: "keep"},
	{name: "far", in: "/b/far/in", out: "/c/far/out", after: "keep"},
	{name: "deleted", in: "/b/deleted/in", out: "/c/deleted/out", after: "delete"},
	{name: "moved", in: "/b/moved/in", out: "/c/moved/out", after: "move", processed: "/b/moved/done"},
	{name: "carried", in: "/b/carried/in", out: "/c/carried/out", after: "move", processed: "/a/carried/done"},
}

// picture is one that was dropped.
type picture struct {
	place
	path string // in its folders
	hash string
}

// machine is a virtual one, with three disks. The sandbox is not in it.
type machine struct {
	*testing.T
	dir     string
	random  *rand.Rand
	box     *sandbox.Server
	power   supply
	doors   net.Listener // where the guest calls
	told    []string     // to the guest, on the kernel's command line
	dropped []picture
	done    map[string]bool // results that were seen, by hot folder and path
	boots   int

	// of this boot
	qemu    *exec.Cmd
	console *lockedBuffer
	guest   *rpc.Client
	off     <-chan struct{} // closed when the power is
	ended   <-chan struct{} // closed when the machine has

	mu    sync.Mutex
	plan  cut
	calls time.Time // when the last one of the API came
}

// cut is one of the power: some time after the API has handled the nth call of a kind ("": when it is quiet).
type cut struct {
	call  string
	n     int
	after time.Duration // 0: before the call is answered
	kept  float64       // the chance of what the disks have not flushed
}

func newMachine(t *testing.T, seed uint64) *machine {
	t.Helper()
	box, err := sandbox.New(sandbox.Options{
		Credits: 1 << 30, Processing: 300 * time.Millisecond, PassThrough: true, Seed: seed, Faults: sandbox.Faults{ListLag: time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{T: t, dir: t.TempDir(), random: rand.New(rand.NewPCG(seed, 0)), box: box, done: map[string]bool{}}
	t.Cleanup(func() {
		m.turnOff()
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	m.makeInitramfs()
	for i := range 3 {
		image := filepath.Join(m.dir, "image")
		run(t, "mkfs.ext4", "-q", "-F", "-O", "^metadata_csum", image, "64M") // a torn superblock with a checksum would need e2fsck
		empty, err := os.ReadFile(image)
		if err != nil {
			t.Fatal(err)
		}
		run(t, "rm", image)
		d := &drive{power: &m.power, now: empty, safe: slices.Clone(empty)}
		m.power.drives = append(m.power.drives, d)
		doors := m.listen("unix", m.socket(i))
		go func() {
			for {
				conn, err := doors.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					_ = d.serve(conn) // what is wrong shows in the machine
				}()
			}
		}()
	}
	m.doors = m.listen("tcp", "127.0.0.1:0")
	api := m.listen("tcp", "127.0.0.1:0")
	server := &http.Server{Handler: http.HandlerFunc(m.api)}
	go func() { _ = server.Serve(api) }()
	t.Cleanup(func() { server.Close() })
	for name, l := range map[string]net.Listener{"API": api, "TEST": m.doors} {
		_, port, _ := net.SplitHostPort(l.Addr().String())
		m.told = append(m.told, name+"=10.0.2.2:"+port) // the host, in QEMU's network
	}
	return m
}

func (m *machine) listen(network, address string) net.Listener {
	m.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { l.Close() })
	return l
}

func (m *machine) socket(drive int) string { return filepath.Join(m.dir, fmt.Sprint("disk", drive)) }

// modules are what a kernel needs for the machine's devices, in the order of loading. Those that it has built in are no files.
var modules = []string{"virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio_blk",
	"failover", "net_failover", "virtio_net"}

// makeInitramfs packs all that is in the machine: the guest, the agent with its configuration, modules of the kernel.
func (m *machine) makeInitramfs() {
	m.Helper()
	guest := filepath.Join(m.dir, "guest")
	build := exec.Command("go", "build", "-o", guest, "./testdata/guest")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		m.Fatalf("%v\n%s", err, out)
	}
	config := filepath.Join(m.dir, "hotfolder.yaml")
	text := fmt.Sprintf(`
account: {organization: %s}
api: {url: "http://127.0.0.1:8080", auth_url: "http://127.0.0.1:8080", create_lookup: 3s}
data_dir: /a/data
log: {file: /a/data/log}
polling: {min: 100ms, max: 1s}
dashboard: {listen: ""}
folders:
`, sandbox.Organization)
	for _, p := range places {
		text += fmt.Sprintf("  - {name: %s, input: %s, output: %s, after_success: %s, processed: %q, workflow: %s, settle: 100ms, rescan: 2s, batch: none}\n",
			p.name, p.in, p.out, p.after, p.processed, sandbox.FastCheck)
	}
	write(m.T, config, text, 0o600)

	packed := map[string]string{"init": guest, "hotfolder": buildAgent(m.T), "hotfolder.yaml": config}
	found := map[string]string{}
	for _, file := range files(filepath.Join(*kernel, "lib/modules")) {
		if name, is := strings.CutSuffix(filepath.Base(file), ".ko"); is {
			found[name] = file
		}
	}
	for i, name := range modules {
		if file, is := found[name]; is {
			packed[fmt.Sprintf("modules/%02d-%s", i, name)] = file
		}
	}
	var archive bytes.Buffer // of cpio
	entry := func(name string, mode uint32, content []byte) {
		fmt.Fprintf(&archive, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
			0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name)+1, 0, name)
		pad := func() { archive.Write(make([]byte, -archive.Len()&3)) }
		pad()
		archive.Write(content)
		pad()
	}
	entry("modules", 0o40755, nil)
	for name, file := range packed {
		content, err := os.ReadFile(file)
		if err != nil {
			m.Fatal(err)
		}
		entry(name, 0o100755, content)
	}
	entry("TRAILER!!!", 0, nil)
	write(m.T, m.initramfs(), archive.String(), 0o600)
}

func (m *machine) initramfs() string { return filepath.Join(m.dir, "initramfs") }

// boot turns the power on and waits for the guest.
func (m *machine) boot() {
	m.Helper()
	began := time.Now()
	kernels, _ := filepath.Glob(filepath.Join(*kernel, "boot/vmlinuz-*"))
	if len(kernels) == 0 {
		m.Fatalf("there is no boot/vmlinuz in %s", *kernel)
	}
	line := []string{"-accel", "tcg", "-cpu", "max", "-m", "512", "-no-reboot", "-nodefaults", "-display", "none", "-serial", "stdio",
		"-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile=",
		"-kernel", kernels[len(kernels)-1], "-initrd", m.initramfs(),
		// no_timer_check: on a busy host an emulated timer comes too late for a kernel that looks whether it works
		"-append", strings.Join(append(m.told, "console=ttyS0 quiet panic=-1", "no_timer_check", "DATA="+pick(m.random, "ordered", "writeback")), " ")}
	for i := range m.power.drives {
		line = append(line, "-drive", "if=virtio,format=raw,file=nbd+unix:///?socket="+m.socket(i))
	}
	m.boots++
	m.off = m.power.turnOn()
	m.console = &lockedBuffer{}
	m.qemu = exec.Command("qemu-system-x86_64", line...)
	m.qemu.Stdout, m.qemu.Stderr = m.console, m.console
	if err := m.qemu.Start(); err != nil {
		m.Fatal(err)
	}
	qemu, ended := m.qemu, make(chan struct{})
	m.ended = ended
	go func() {
		_ = qemu.Wait() // says that it was killed
		close(ended)
	}()
	called := make(chan net.Conn, 1)
	go func() {
		if conn, err := m.doors.Accept(); err == nil {
			called <- conn
		}
	}()
	select {
	case conn := <-called:
		m.guest = rpc.NewClient(conn)
	case <-m.ended:
		m.Fatalf("the machine ended; it says:\n%s", tail(m.console.String(), 5000))
	case <-time.After(2 * time.Minute):
		m.Fatalf("the machine did not come up; it says:\n%s", tail(m.console.String(), 5000))
	}
	m.Logf("boot %d took %.1f s", m.boots, time.Since(began).Seconds())
}

func pick[T any](random *rand.Rand, from ...T) T { return from[random.IntN(len(from))] }

// api is the sandbox, as long as there is power.
func (m *machine) api(w http.ResponseWriter, r *http.Request) {
	if !m.power.isOn() {
		panic(http.ErrAbortHandler)
	}
	m.box.Handler().ServeHTTP(w, r)
	m.mu.Lock()
	m.calls = time.Now()
	now := false
	if m.plan.call != "" && strings.HasPrefix(r.Method+" "+r.URL.Path, m.plan.call) {
		m.plan.n--
		now = m.plan.n == 0
	}
	plan := m.plan
	m.mu.Unlock()
	switch {
	case now && plan.after == 0:
		m.power.cut(m.random, plan.kept)
		panic(http.ErrAbortHandler)
	case now:
		time.AfterFunc(plan.after, func() { m.power.cut(m.random, plan.kept) })
	}
}

// cutAtRandom waits for a random moment, mostly when something was just called, and cuts the power.
func (m *machine) cutAtRandom() {
	m.Helper()
	plan := cut{
		call:  pick(m.random, "", "POST /v1/workflow/execution/create", "POST /upload", "GET /v1/image/", "GET /v1/workflow/execution"),
		n:     1 + m.random.IntN(30),
		after: pick(m.random, 0, time.Duration(m.random.IntN(300))*time.Millisecond),
		kept:  pick(m.random, 0, 0.5, 1),
	}
	began := time.Now()
	m.mu.Lock()
	m.plan, m.calls = plan, time.Time{}
	m.mu.Unlock()
	for looks := true; looks; {
		select {
		case <-m.off:
			looks = false
		case <-time.After(100 * time.Millisecond):
			m.mu.Lock()
			calls := m.calls
			m.mu.Unlock()
			switch {
			case calls.IsZero() && time.Since(began) > 2*time.Minute:
				m.Fatalf("the agent does nothing; the machine says:\n%s", tail(m.console.String(), 5000))
			case !calls.IsZero() && time.Since(calls) > 3*time.Second:
				m.power.cut(m.random, plan.kept)
			}
		}
	}
	m.Logf("%s, %.1f s after the agent's start; planned for %v after call %d of %q", m.power.lost, time.Since(began).Seconds(), plan.after, plan.n, plan.call)
	m.turnOff()
}

// turnOff ends the machine, if it runs.
func (m *machine) turnOff() {
	m.power.cut(m.random, 0)
	if m.qemu == nil {
		return
	}
	m.mu.Lock()
	m.plan = cut{}
	m.mu.Unlock()
	_ = m.qemu.Process.Kill()
	<-m.ended
	m.qemu = nil
	if m.guest != nil {
		m.guest.Close()
		m.guest = nil
	}
}

// ask has the guest do something.
func (m *machine) ask(what string, args, answer any) {
	m.Helper()
	call := m.guest.Go("Guest."+what, args, answer, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		if call.Error != nil {
			m.Fatalf("%s: %v; the machine says:\n%s", what, call.Error, tail(m.console.String(), 5000))
		}
	case <-time.After(time.Minute):
		m.Fatalf("%s takes more than a minute; the machine says:\n%s", what, tail(m.console.String(), 5000))
	}
}

// drop puts more pictures into each hot folder, durably.
func (m *machine) drop(n int) {
	m.Helper()
	contents := map[string][]byte{}
	for _, p := range places {
		contents[p.out+"/"] = nil
		for range n {
			n := len(m.dropped)
			name, content := fmt.Sprintf("shoot %d/%04d.jpg", n%3, n), smallPicture(n)
			m.dropped = append(m.dropped, picture{p, name, hashOf(content)})
			contents[path.Join(p.in, name)] = content
		}
	}
	m.ask("Drop", contents, nil)
}

func (m *machine) startAgent() {
	m.Helper()
	m.ask("Start", []string{"AUTORETOUCH_REFRESH_TOKEN=" + m.box.RefreshToken()}, nil)
}

// log is what the agent wrote.
func (m *machine) log() (text string) {
	m.Helper()
	m.ask("Read", "/a/data/log", &text)
	return text
}

// jobs are those of the ledger, by hot folder and path.
func (m *machine) jobs() map[string]job {
	m.Helper()
	var out string
	m.ask("Run", []string{"jobs", "--json"}, &out)
	jobs := map[string]job{}
	for _, j := range parseJobs(m.T, []byte(out)) {
		jobs[j.Folder+"/"+j.Path] = j
	}
	return jobs
}

// files are all files in the hot folders, by their path, with the hash of their content.
func (m *machine) files() map[string]string {
	m.Helper()
	var sums map[string]string
	m.ask("Files", []string{"/a", "/b", "/c"}, &sums)
	maps.DeleteFunc(sums, func(name, _ string) bool { return strings.HasPrefix(name, "/a/data/") })
	return sums
}

// results are the hashes of the results that the API made, by the hash of the input.
func (m *machine) results() map[string]string {
	results := map[string]string{}
	for _, e := range m.box.Books().Executions {
		results[e.InputHash] = e.ResultHash
	}
	return results
}

// wantSafe holds what a power cut left, before the agent sees it, and what was paid till then, against what may be.
func (m *machine) wantSafe() {
	m.Helper()
	if len(m.dropped) == 0 {
		return
	}
	there, jobs, results := m.files(), m.jobs(), m.results()
	if paid := len(m.box.Books().Charges); paid > len(results) {
		m.Errorf("%d charges for %d pictures", paid, len(results))
	}
	for _, p := range m.dropped {
		id := p.name + "/" + p.path
		original, result, moved := there[path.Join(p.in, p.path)], there[path.Join(p.out, p.path)], ""
		if p.processed != "" {
			moved = there[path.Join(p.processed, p.path)]
		}
		switch {
		case result != "" && result != results[p.hash]:
			m.Errorf("%s: the result is not what the API made", id)
		case result == "" && jobs[id].State == "delivered":
			m.Errorf("%s: the ledger says that it was delivered, and there is no result", id)
		case result == "" && m.done[id]:
			m.Errorf("%s: the result was there and is gone", id)
		case original == "" && result == "", moved != "" && result == "":
			m.Errorf("%s: the original was put away, and there is no result", id)
		case original == "" && (p.after == "keep" || p.after == "move" && moved == ""):
			m.Errorf("%s: the original is gone", id)
		case original != "" && original != p.hash, moved != "" && moved != p.hash:
			m.Errorf("%s: the original has changed", id)
		}
		m.done[id] = result != ""
	}
	if m.Failed() {
		m.FailNow()
	}
}

// waitForResults waits until every picture is delivered.
func (m *machine) waitForResults() {
	m.Helper()
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(time.Second) {
		done := 0
		for _, j := range m.jobs() {
			if j.State == "delivered" {
				done++
			}
		}
		if done == len(m.dropped) {
			return
		}
		if time.Now().After(deadline) {
			m.Fatalf("%d of %d pictures delivered; the agent's log ended so:\n%s", done, len(m.dropped), tail(m.log(), 5000))
		}
	}
}

// wantPromises holds the sandbox's books against the disks and the ledger, when all is done.
func (m *machine) wantPromises() {
	m.Helper()
	books, results, jobs := m.box.Books(), m.results(), m.jobs()
	if n := len(m.dropped); len(books.Executions) != n || len(books.Charges) != n || len(jobs) != n {
		m.Errorf("%d executions, %d charges and %d jobs for %d pictures", len(books.Executions), len(books.Charges), len(jobs), n)
	}
	credits := 0
	for _, j := range jobs {
		credits += j.Credits
	}
	if credits != books.Charged() {
		m.Errorf("the ledger says %d credits, the account was charged %d", credits, books.Charged())
	}
	want := map[string]string{}
	for _, p := range m.dropped {
		want[path.Join(p.out, p.path)] = results[p.hash]
		switch p.after {
		case "keep":
			want[path.Join(p.in, p.path)] = p.hash
		case "move":
			want[path.Join(p.processed, p.path)] = p.hash
		}
	}
	got := m.files()
	for name := range got {
		if want[name] == "" {
			m.Errorf("there is %s", name)
		}
	}
	for name, hash := range want {
		if got[name] != hash {
			m.Errorf("%s has the content %q, not %q", name, got[name], hash)
		}
	}
}

// lockedBuffer is written to while it is read.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
