package main_test

import (
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestRealNetwork: the agent and the API each in a network of its own, with a cable between, and a name server. What can be cut is cut.
// Nothing is lost, the API is not hammered meanwhile, and it goes on soon after.
func TestRealNetwork(t *testing.T) {
	forReal(t, "ip", "nft")
	ip := func(args ...string) func(*cable) {
		return func(c *cable) {
			line := strings.NewReplacer("HERE", c.here, "THERE", c.there).Replace(strings.Join(args, " "))
			run(t, append([]string{"ip"}, strings.Fields(line)...)...)
		}
	}
	for what, f := range map[string]struct{ cut, mend func(*cable) }{
		"the other end is dead": {ip("-n THERE link set cable down"), ip("-n THERE link set cable up")},
		"the own link is down":  {ip("-n HERE link set cable down"), ip("-n HERE link set cable up")},
		"there is no way":       {ip("-n HERE route add blackhole " + apiAddress + "/32"), ip("-n HERE route del blackhole " + apiAddress + "/32")},
		"the API is silent": {ip("netns exec THERE nft add table ip cut; add chain ip cut in { type filter hook input priority 0; policy drop; }"),
			ip("netns exec THERE nft delete table ip cut")},
		"names fail": {func(c *cable) {
			c.dnsFails.Store(true)
			time.Sleep(time.Second) // until the last connection that was to a name found before is there
			c.api.CloseClientConnections()
		}, func(c *cable) { c.dnsFails.Store(false) }},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			c := newCable(t)
			ca := filepath.Join(t.TempDir(), "ca.pem")
			s := newStudio(t, plan{
				under: []string{"ip", "netns", "exec", c.here},
				api:   fmt.Sprintf("create_lookup: 3s, timeout: 5s, ca_file: %q", ca),
				serve: func(h http.Handler) string { return c.serve(t, h) },
			})
			write(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.api.Certificate().Raw})), 0o644)
			agent := s.start()
			s.drop(s.folders[0], 40)
			until(t, "the agent is at it", time.Minute, func() bool { return len(files(filepath.Join(s.folders[0].behind, "out"))) > 0 })
			f.cut(c)
			cut, tries := time.Now(), s.tries()
			s.drop(s.folders[0], 5)
			until(t, "status says so", 3*time.Minute, func() bool { return s.says(`"api_unreachable"`) })
			time.Sleep(5 * time.Second)
			away := time.Since(cut)
			tries = s.tries() - tries
			if most := 60 + int(away.Seconds()); tries > most { // what is in hand fails together, then there is about one a second
				t.Errorf("%d tries in %v", tries, away)
			}
			f.mend(c)
			mended := time.Now()
			until(t, "it is over", 2*time.Minute, func() bool { return !s.says(`"api_unreachable"`) })
			s.waitForResults()
			t.Logf("%d tries in %v, all results there %v after it was over", tries, away.Round(time.Second/10), time.Since(mended).Round(time.Second/10))
			s.stop(agent)
			s.wantPromises()
		})
	}
}

// tries is how often the agent has failed to reach the API, as it says itself: where no packet can leave, nobody else can count.
func (s *studio) tries() int { return strings.Count(s.log(), "will retry") }

// apiAddress is the other end's.
const apiAddress = "10.99.77.2"

// cable is a cable between two networks.
type cable struct {
	here, there string // the names of the networks
	api         *httptest.Server
	dnsFails    atomic.Bool
}

var cables atomic.Int64

func newCable(t *testing.T) *cable {
	t.Helper()
	id := fmt.Sprintf("hotfolder-%d-%d-", os.Getpid(), cables.Add(1))
	c := &cable{here: id + "here", there: id + "there"}
	conf := filepath.Join("/etc/netns", c.here) // where ip looks for what is in /etc there
	t.Cleanup(func() { os.RemoveAll(conf) })
	write(t, filepath.Join(conf, "resolv.conf"), "nameserver "+apiAddress+"\noptions timeout:1 attempts:1\n", 0o644)
	for _, name := range []string{c.here, c.there} {
		t.Cleanup(func() { run(t, "ip", "netns", "del", name) })
		run(t, "ip", "netns", "add", name)
		run(t, "ip", "-n", name, "link", "set", "lo", "up")
	}
	run(t, "ip", "-n", c.here, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", c.there)
	run(t, "ip", "-n", c.here, "addr", "add", "10.99.77.1/24", "dev", "cable")
	run(t, "ip", "-n", c.there, "addr", "add", apiAddress+"/24", "dev", "cable")
	run(t, "ip", "-n", c.here, "link", "set", "cable", "up")
	run(t, "ip", "-n", c.there, "link", "set", "cable", "up")
	return c
}

// serve serves at the other end until the test ends: an HTTPS server, and a name server that knows it.
func (c *cable) serve(t *testing.T, h http.Handler) (url string) {
	t.Helper()
	var listener net.Listener
	var dns net.PacketConn
	var err, dnsErr error
	c.in(t, func() {
		listener, err = net.Listen("tcp", apiAddress+":0")
		dns, dnsErr = net.ListenPacket("udp", apiAddress+":53")
	})
	if err != nil || dnsErr != nil {
		t.Fatal(err, dnsErr)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.answerNames(dns)
	}()
	c.api = httptest.NewUnstartedServer(h)
	c.api.Listener.Close()
	c.api.Listener = listener
	c.api.StartTLS()
	t.Cleanup(func() {
		c.api.Close()
		dns.Close()
		<-ended
	})
	return fmt.Sprintf("https://api.example.com:%d", listener.Addr().(*net.TCPAddr).Port)
}

// in does something in the other end's network. A socket stays in the one where it was made.
func (c *cable) in(t *testing.T, do func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with the goroutine, and nobody else gets lost in that network
		ns, err := os.Open("/run/netns/" + c.there)
		if err == nil {
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
			ns.Close()
		}
		if err == nil {
			do()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// answerNames answers every question for an IPv4 address with the other end's, or with SERVFAIL.
func (c *cable) answerNames(dns net.PacketConn) {
	packet := make([]byte, 512)
	for {
		n, from, err := dns.ReadFrom(packet)
		if err != nil {
			return
		}
		if n < 17 {
			continue
		}
		end := 12 + slices.Index(packet[12:n], 0) + 5 // of the question
		answer := append([]byte{}, packet[:end]...)
		copy(answer[2:12], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
		switch {
		case c.dnsFails.Load():
			answer[3] |= 2
		case packet[end-3] == 1: // A
			answer[7] = 1
			answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
			answer = append(answer, net.ParseIP(apiAddress).To4()...)
		}
		_, _ = dns.WriteTo(answer, from)
	}
}
