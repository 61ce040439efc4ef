package autoretouch_test

import (
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hotfolder/autoretouch"
)

// A create that is given up leaves nothing with the system that could still be delivered when the network is back: its connection is reset.
func TestACreateThatIsGivenUpIsCutOff(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			l := tellingListener{accepted: make(chan *tellingConn, 1)}
			silent := make(chan struct{})
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				<-silent
			}))
			l.Listener, server.Listener = server.Listener, &l
			server.EnableHTTP2 = http2
			server.StartTLS()

			o := options(nil)
			o.URL, o.AuthURL, o.Timeout = server.URL, server.URL, 200*time.Millisecond
			o.Credentials = &memory{token: autoretouch.Token{Refresh: "r", Access: "a"}}
			o.CAFile = filepath.Join(t.TempDir(), "ca.pem")
			os.WriteFile(o.CAFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600)
			_, err := newClient(t, o).Create(t.Context(), autoretouch.NewExecution{Workflow: "w", Name: "a.jpg", ContentHash: hash, ContentType: "image/jpeg"})
			if err == nil || !autoretouch.MaybeHandled(err) {
				t.Fatalf("%v, want a call that may have been handled", err)
			}
			conn := <-l.accepted
			io.Copy(io.Discard, conn) // to its end, if the server has not read that far
			close(silent)
			server.Close()
			if !conn.reset.Load() {
				t.Error("the connection was not reset")
			}
		})
	}
}

// tellingListener hands out its connection.
type tellingListener struct {
	net.Listener
	accepted chan *tellingConn
}

func (l *tellingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &tellingConn{Conn: conn}
	l.accepted <- c
	return c, nil
}

// tellingConn tells whether the other side reset it.
type tellingConn struct {
	net.Conn
	reset atomic.Bool
}

func (c *tellingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if errors.Is(err, syscall.ECONNRESET) {
		c.reset.Store(true)
	}
	return n, err
}
