package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"hotfolder/autoretouch"
)

// byDevice logs in by a code that a person confirms in a browser, on this machine or any other.
func (l *login) byDevice(ctx context.Context, api *autoretouch.Client) error {
	for {
		code, err := api.DeviceCode(ctx)
		if err != nil {
			return err
		}
		l.show(code)
		err = l.wait(ctx, api, code)
		switch {
		case errors.Is(err, autoretouch.ErrRefused):
			return &coded{exitLogin, errors.New("the login was refused in the browser; run 'hotfolder login' to try again")}
		case !errors.Is(err, autoretouch.ErrExpired):
			return err
		case l.ask == nil:
			return &coded{exitLogin, errors.New("nobody confirmed the code in time; run 'hotfolder login' for a new one")}
		}
		again, err := l.ask.yes(ctx, "The code has expired. Get a new one?", true)
		if err != nil {
			return err
		}
		if !again {
			return &coded{exitLogin, errors.New("not logged in; run 'hotfolder login' to try again")}
		}
	}
}

// show tells the person what to do: in a browser that it opens, or with a QR code for a telephone.
func (l *login) show(code autoretouch.DeviceCode) {
	address := cmp.Or(code.CompleteURL, code.URL)
	if !isTerminal(l.out) {
		fmt.Fprintf(l.out, "Open     %s\nconfirm  %s\n\nWaiting until %s ...\n", address, code.UserCode, code.Expiry.Local().Format("15:04"))
		return
	}
	opened := !l.noBrowser && openBrowser(address)
	if !opened {
		fmt.Fprintf(l.out, "\n%s", qrCode(address, hasColours(l.out)))
	}
	bold, end := "", ""
	if hasColours(l.out) {
		bold, end = "\x1b[1m", "\x1b[0m"
	}
	if big := bigCode(code.UserCode); big != "" {
		fmt.Fprintf(l.out, "\n%s%s%s", bold, big, end)
	}
	fmt.Fprintf(l.out, "\nConfirm the code %s%s%s ", bold, code.UserCode, end)
	if opened {
		fmt.Fprintf(l.out, "in the browser that has just opened. If none has, open\n  %s\n\n", address)
	} else {
		fmt.Fprintf(l.out, "at\n  %s\n\n", address)
	}
}

// wait shows on a terminal how much time is left.
func (l *login) wait(ctx context.Context, api *autoretouch.Client, code autoretouch.DeviceCode) error {
	ended := make(chan error, 1)
	go func() { ended <- api.WaitForLogin(ctx, code) }() // ends with ctx, which is waited for
	if !obeysEscapes(l.out) {
		return <-ended
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		left := max(0, time.Until(code.Expiry).Round(time.Second))
		fmt.Fprintf(l.out, "\r\x1b[KWaiting for you to confirm it; %d:%02d left ", int(left.Minutes()), int(left.Seconds())%60)
		select {
		case err := <-ended:
			fmt.Fprint(l.out, "\r\x1b[K")
			return err
		case <-tick.C:
		}
	}
}
