package notify

import (
	"context"
	"net"
)

// Dialing has a Mailer reach its server, whatever it is called, at address.
func (m *Mailer) Dialing(address string) {
	m.dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
}
