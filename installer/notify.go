package installer

import (
	"net"
	"os"
)

// Notify tells systemd how the service is: "READY=1", "STOPPING=1" or "WATCHDOG=1" (sd_notify(3)). It does nothing
// where systemd has not asked for it.
func Notify(state string) error {
	socket := os.Getenv("NOTIFY_SOCKET") // one that begins with @ has no file; package net knows that
	if socket == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte(state))
	return err
}
