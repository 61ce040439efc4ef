package autoretouch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// NewTransport is HTTP/2 where offered; elsewhere it keeps connections for as many uploads and downloads as run at once. It trusts
// the system's certificates and those of a PEM file ("": none), and takes its proxy from the environment.
func NewTransport(caFile string) (*http.Transport, error) {
	roots, err := rootsWith(caFile)
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dial,
		TLSHandshakeTimeout:    20 * time.Second,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second}, // notices a connection dead since sleep
		MaxIdleConnsPerHost:    512,                                                                                 // the most uploads and downloads at once
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}, nil
}

// dial connects such that a connection which is closed is dead at once. Otherwise the system goes on trying to deliver what was written,
// and a call that was given up in an outage would reach the API when the network is back, after it was looked for in vain.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: 20 * time.Second}).DialContext(ctx, network, address)
	if tcp, ok := conn.(*net.TCPConn); ok && err == nil {
		_ = tcp.SetLinger(0)
	}
	return conn, err
}

// rootsWith are the system's certificates and those of a PEM file; nil, the system's alone, without one.
func rootsWith(caFile string) (*x509.CertPool, error) {
	if caFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("read CA file: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read CA file: no PEM certificate in %s", caFile)
	}
	return roots, nil
}

// sameHost follows a redirect only where the token may go and the call stays the same; any other is left as the answer.
func sameHost(req *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) > 5 || req.Method != first.Method || req.URL.Host != first.URL.Host || req.URL.Scheme != first.URL.Scheme {
		return http.ErrUseLastResponse
	}
	return nil
}
