package control

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"hotfolder/autoretouch"
	"hotfolder/private"
)

// WebhookOptions say where the API's announcements arrive.
type WebhookOptions struct {
	Listen            string // host:port
	URL               string // by which the API reaches it, perhaps through a proxy
	CertFile, KeyFile string // PEM; empty: plain HTTP
	DataDir           string // where the secret is kept
	Log               *slog.Logger
}

// Webhook is the one server that others than this machine may reach. It says nothing to anybody who does not know its secret.
type Webhook struct {
	Address string // for the API: the URL and the secret

	secret   string
	listener net.Listener
	http     *http.Server
}

// ListenWebhook takes the port. The caller is to call Serve.
func ListenWebhook(o WebhookOptions) (*Webhook, error) {
	secret, err := webhookSecret(filepath.Join(o.DataDir, "webhook-secret"))
	if err != nil {
		return nil, err
	}
	certificate, err := newCertificate(o.CertFile, o.KeyFile)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, err
	}
	l = newBounded(l, maxConnections)
	if certificate != nil {
		l = tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate.get})
	}
	return &Webhook{
		Address: strings.TrimRight(o.URL, "/") + "/" + secret, secret: secret, listener: l,
		http: &http.Server{
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      10 * time.Second,
			IdleTimeout:       time.Minute,
			MaxHeaderBytes:    maxHeader,
			ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
		},
	}, nil
}

// Serve hands on what the API announces until ctx ends, and returns after its last goroutine but those of connections that are
// being cut off.
func (h *Webhook) Serve(ctx context.Context, announced func(autoretouch.Execution) bool) error {
	h.http.Handler = autoretouch.Webhook(h.secret, announced)
	ended := make(chan error, 1)
	go func() { ended <- h.http.Serve(h.listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		err := h.http.Close() // nothing is lost: the API may announce in vain
		if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
			err = cmp.Or(err, served)
		}
		return err
	}
}

// webhookSecret reads the secret, or makes one: executions that were created before a restart are still announced to it.
func webhookSecret(file string) (string, error) {
	secret, err := private.ReadFile(file)
	if err == nil && len(secret) >= 26 {
		return string(secret), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	made := rand.Text()
	return made, private.WriteFile(file, []byte(made))
}

// certificate is read anew when its file changes, as those that are renewed by themselves do.
type certificate struct {
	certFile, keyFile string

	mu   sync.Mutex
	read time.Time // the file's, when it was read
	now  *tls.Certificate
}

func newCertificate(certFile, keyFile string) (*certificate, error) {
	if certFile == "" {
		return nil, nil
	}
	c := &certificate{certFile: certFile, keyFile: keyFile}
	_, err := c.get(nil)
	return c, err
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := os.Stat(c.certFile)
	if err == nil && (c.now == nil || !info.ModTime().Equal(c.read)) {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(c.certFile, c.keyFile); err == nil {
			c.now, c.read = &pair, info.ModTime()
		}
	}
	if c.now != nil { // better than none, while the files are being replaced
		return c.now, nil
	}
	return nil, fmt.Errorf("certificate: %w", err)
}
