package installer

import (
	"context"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// tellEvery is how often systemd hears of the service, unless its watchdog wants to hear more often.
const tellEvery = 10 * time.Second

// Alive tells systemd that the service is ready and, until ctx ends, what look says that it does. While look has an error to tell,
// or does not return, the watchdog hears nothing and in the end has the service started again (WatchdogSec in the unit). Where no
// systemd listens it is the watchdog itself, and calls die instead. Its error is that systemd cannot be told.
func Alive(ctx context.Context, look func() (status string, err error), die func(why error)) error {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		guard(ctx, look, die)
		return nil
	}
	t := time.NewTicker(min(tellEvery, watchdog()/4))
	defer t.Stop()
	for first := true; ; first = false {
		status, err := look()
		var lines []string
		if first {
			lines = append(lines, "READY=1")
		}
		if err == nil {
			lines = append(lines, "WATCHDOG=1", "STATUS="+oneLine(status))
		} else {
			lines = append(lines, "STATUS=ill: "+oneLine(err.Error()))
		}
		if err := notify(lines...); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// watchdog is how long systemd waits to hear of the service; an hour if it has no watchdog for it.
func watchdog() time.Duration {
	us, err := strconv.Atoi(os.Getenv("WATCHDOG_USEC"))
	if err != nil || us <= 0 {
		return time.Hour
	}
	return time.Duration(us) * time.Microsecond
}

func oneLine(s string) string { return strings.ReplaceAll(s, "\n", " ") }

// notify sends systemd lines such as "READY=1" (sd_notify(3)), if it listens.
func notify(lines ...string) error {
	socket := os.Getenv("NOTIFY_SOCKET") // one that begins with @ has no file; package net knows that
	if socket == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte(strings.Join(lines, "\n")))
	return err
}
