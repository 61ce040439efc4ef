package autoretouch_test

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hotfolder/autoretouch"
)

// The package's own transport: HTTP/2, and a studio's own certificate only if it is named.
func TestNetworkTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("HTTP/%d", r.ProtoMajor)
		}
		io.WriteString(w, "7")
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = nil
	server.StartTLS()
	defer server.Close()

	o := options(nil)
	o.URL, o.AuthURL = server.URL, server.URL
	o.Credentials = &memory{token: autoretouch.Token{Refresh: "r", Access: "a"}}
	if _, err := newClient(t, o).Balance(t.Context()); err == nil || autoretouch.ClassOf(err) != transient || autoretouch.MaybeHandled(err) {
		t.Errorf("unknown certificate: %v", err)
	}
	o.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	if _, err := autoretouch.New(o); err == nil {
		t.Error("missing CA file taken")
	}
	os.WriteFile(o.CAFile, []byte("no certificate"), 0o600)
	if _, err := autoretouch.New(o); err == nil || !strings.Contains(err.Error(), o.CAFile) {
		t.Errorf("CA file without a certificate: %v", err)
	}
	os.WriteFile(o.CAFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600)
	if n, err := newClient(t, o).Balance(t.Context()); n != 7 || err != nil {
		t.Errorf("named certificate: %d, %v", n, err)
	}
}

func TestOptionsRefused(t *testing.T) {
	for name, spoil := range map[string]func(*autoretouch.Options){
		"no address":     func(o *autoretouch.Options) { o.URL = "" },
		"no scheme":      func(o *autoretouch.Options) { o.AuthURL = "auth.autoretouch.com" },
		"file":           func(o *autoretouch.Options) { o.URL = "file:///etc" },
		"query":          func(o *autoretouch.Options) { o.URL = "https://api.test?x=1" },
		"no client id":   func(o *autoretouch.Options) { o.ClientID = "" },
		"no credentials": func(o *autoretouch.Options) { o.Credentials = nil },
	} {
		o := options(&world{})
		spoil(&o)
		if _, err := autoretouch.New(o); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
