package control

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"hotfolder/autoretouch"
)

// listenWebhook serves until stop is called, and sends the ids of what is announced.
func listenWebhook(t *testing.T, o WebhookOptions) (h *Webhook, ids <-chan string, stop func()) {
	t.Helper()
	o.Listen, o.URL, o.Log = "127.0.0.1:0", "https://studio.example/hooks/", discard
	h, err := ListenWebhook(o)
	if err != nil {
		t.Fatal(err)
	}
	heard, ended := make(chan string, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		ended <- h.Serve(ctx, func(e autoretouch.Execution) bool { heard <- e.ID; return true })
	}()
	return h, heard, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func announce(t *testing.T, client *http.Client, url string) int {
	t.Helper()
	resp, err := client.Post(url, "application/json", strings.NewReader(`{"event":"WORKFLOW_EXECUTION_COMPLETED","content":{"id":"e-1","status":"COMPLETED"}}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); len(body) > 0 {
		t.Errorf("answers %q", body)
	}
	return resp.StatusCode
}

// The address stays the same over restarts, only its owner can read it, and it is the only one that answers.
func TestWebhookAddress(t *testing.T) {
	dir, first := t.TempDir(), ""
	for range 2 {
		h, ids, stop := listenWebhook(t, WebhookOptions{DataDir: dir})
		if first == "" {
			first = h.Address
		}
		secret, ours := strings.CutPrefix(h.Address, "https://studio.example/hooks/")
		if !ours || len(secret) < 26 || h.Address != first {
			t.Errorf("address %s, at first %s", h.Address, first)
		}
		at := "http://" + h.listener.Addr().String()
		for path, want := range map[string]int{"/hooks/" + secret: 204, "/" + secret: 204, "/" + secret[1:]: 404, "/": 404, "/" + secret + "/x": 404, "/healthz": 404} {
			if got := announce(t, http.DefaultClient, at+path); got != want {
				t.Errorf("%s is answered with %d, want %d", path, got, want)
			}
			if want == 204 {
				<-ids
			}
		}
		stop()
	}
	info, err := os.Stat(filepath.Join(dir, "webhook-secret"))
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// A certificate that is renewed is served without a restart.
func TestWebhookTLS(t *testing.T) {
	dir := t.TempDir()
	o := WebhookOptions{DataDir: dir, CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	if h, err := ListenWebhook(WebhookOptions{DataDir: dir, Listen: "127.0.0.1:0", CertFile: o.CertFile, KeyFile: o.KeyFile}); err == nil {
		t.Errorf("listens at %s without its certificate", h.Address)
	}
	roots := x509.NewCertPool()
	writeCertificate(t, o, 1, roots)
	h, ids, stop := listenWebhook(t, o)
	defer stop()
	for serial := int64(1); serial <= 3; serial++ {
		switch serial {
		case 2:
			writeCertificate(t, o, serial, roots)
		case 3:
			if err := os.Remove(o.CertFile); err != nil {
				t.Fatal(err)
			}
		}
		var served *big.Int
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, VerifyConnection: func(s tls.ConnectionState) error {
			served = s.PeerCertificates[0].SerialNumber
			return nil
		}}}}
		if got := announce(t, client, "https://"+h.listener.Addr().String()+"/"+h.secret); got != 204 {
			t.Errorf("answered with %d", got)
		}
		if <-ids; served.Int64() != min(serial, 2) {
			t.Errorf("certificate %v is served, want %d", served, min(serial, 2))
		}
		client.CloseIdleConnections()
	}
}

func writeCertificate(t *testing.T, o WebhookOptions, serial int64, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	roots.AppendCertsFromPEM(cert)
	for file, data := range map[string][]byte{o.KeyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), o.CertFile: cert} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := time.Now().Add(time.Duration(serial) * time.Minute) // however coarse the file system's clock is
	if err := os.Chtimes(o.CertFile, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestWebhookHasLimits(t *testing.T) {
	h, _, stop := listenWebhook(t, WebhookOptions{DataDir: t.TempDir()})
	defer stop()
	s := h.http
	if _, bounded := h.listener.(*bounded); !bounded || s.ReadHeaderTimeout == 0 || s.ReadTimeout == 0 || s.WriteTimeout == 0 || s.IdleTimeout == 0 || s.MaxHeaderBytes != maxHeader {
		t.Errorf("%+v", s)
	}
	long := strings.NewReader(`{"content":{"id":"` + strings.Repeat("x", 1<<20))
	resp, err := http.Post("http://"+h.listener.Addr().String()+"/"+h.secret, "application/json", long)
	if err == nil { // it may have been cut off before it was sent
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("a long body is answered with %d", resp.StatusCode)
		}
	}
}
