package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"hotfolder/autoretouch"
	"hotfolder/config"
)

func (a *app) login() *cobra.Command {
	var l login
	var fromStdin bool
	c := &cobra.Command{
		Use:   "login",
		Short: "Connect to an AutoRetouch account",
		Long: `Login shows a code and an address; who opens the address, logs in there and confirms the code connects this machine to the
account. Then it lets you choose the organization, and the workflow of each hot folder that has none, and writes them into the
configuration. For a machine without a person, --refresh-token-stdin takes the token that the web app's profile page shows.
A running agent takes the new login up at once.`,
		Example: `  hotfolder login
  hotfolder login --no-browser
  hotfolder login --refresh-token-stdin --organization 9f5c2d7b-8b21-4a33-9e5f-4e1b7a01c9d4 < token.txt`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := a.glance()
			if err != nil {
				return err
			}
			l.app, l.config, l.ask = a, cfg, a.dialogue()
			if fromStdin {
				l.ask = nil // the input is not a person's
			}
			return l.run(c.Context(), fromStdin)
		},
	}
	c.Flags().BoolVar(&fromStdin, "refresh-token-stdin", false, "read a refresh token from standard input")
	c.Flags().BoolVar(&l.noBrowser, "no-browser", false, "do not open a browser; show a QR code of the address instead")
	c.Flags().StringVar(&l.organization, "organization", "", "the `ID` of the organization, to be written into the configuration if it names none")
	return c
}

// login is a run of the command.
type login struct {
	*app
	config       *config.Config
	ask          *dialogue // nil: there is nobody to ask
	noBrowser    bool
	organization string // asked for on the command line
}

func (l *login) run(ctx context.Context, fromStdin bool) error {
	api, err := newClientWith(l.config, savedLogin(l.config))
	if err != nil {
		return err
	}
	defer api.Close()
	keep, err := l.keepOld(ctx, api)
	switch {
	case err != nil:
		return err
	case keep:
	case fromStdin:
		err = l.withToken(ctx, api)
	default:
		err = l.byDevice(ctx, api)
	}
	if err != nil {
		return err
	}
	if !keep {
		fmt.Fprintf(l.out, "Logged in; kept in %s\n", l.config.Account.CredentialsFile)
	}
	if os.Getenv(refreshTokenVariable) != "" {
		fmt.Fprintf(l.err, "hotfolder: %s is set and comes before this login; remove it\n", refreshTokenVariable)
	}
	if err := l.settle(ctx, api); err != nil {
		return err
	}
	if l.ask != nil {
		fmt.Fprintf(l.out, "\nNext: %s\n", l.command("check"))
	}
	return nil
}

// keepOld asks whether a login that works is to be kept.
func (l *login) keepOld(ctx context.Context, api *autoretouch.Client) (bool, error) {
	if l.ask == nil {
		return false, nil
	}
	if _, err := api.Organizations(ctx); err != nil {
		return false, ctx.Err()
	}
	anew, err := l.ask.yes(ctx, "This machine is logged in already. Log in anew?", false)
	return !anew, err
}

func (l *login) withToken(ctx context.Context, api *autoretouch.Client) error {
	token, err := io.ReadAll(io.LimitReader(l.in, 64<<10))
	if err != nil {
		return fmt.Errorf("the refresh token cannot be read from standard input: %w", err)
	}
	if len(strings.TrimSpace(string(token))) == 0 {
		return usage(errors.New("standard input holds no refresh token; copy it from the profile page of the AutoRetouch web app"))
	}
	err = api.LoginWithRefreshToken(ctx, string(token))
	if autoretouch.ClassOf(err) == autoretouch.Auth {
		return &coded{exitLogin, errors.New("AutoRetouch does not accept this refresh token; copy it anew from the profile page of the web app")}
	}
	return err
}

// savedLogin is where logins are kept.
func savedLogin(c *config.Config) *autoretouch.File {
	return &autoretouch.File{Path: c.Account.CredentialsFile}
}

func (a *app) logout() *cobra.Command {
	return &cobra.Command{
		Use:   "logout",
		Short: "Disconnect this machine from the AutoRetouch account",
		Long: `Logout revokes the login at AutoRetouch and forgets it here, the latter also without a network. A running agent stops
sending, keeps its queue, and goes on after the next login.`,
		Example: "  hotfolder logout",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := a.glance()
			if err != nil {
				return err
			}
			return a.forgetLogin(c.Context(), cfg)
		},
	}
}

func (a *app) forgetLogin(ctx context.Context, c *config.Config) error {
	if os.Getenv(refreshTokenVariable) != "" {
		fmt.Fprintf(a.err, "hotfolder: %s is set and is still a login; remove it, too\n", refreshTokenVariable)
	}
	saved := savedLogin(c)
	if _, err := saved.Load(); errors.Is(err, autoretouch.ErrNoLogin) {
		_, err := fmt.Fprintln(a.out, "There was no login.")
		return err
	}
	api, err := newClientWith(c, saved)
	if err != nil {
		return err
	}
	defer api.Close()
	err = api.Logout(ctx)
	if errors.Is(err, autoretouch.ErrNotRevoked) {
		return &coded{exitCode(err), fmt.Errorf("the login is forgotten here, but could not be revoked: %s; revoke it on the profile page of the AutoRetouch web app", plain(err))}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.out, "Logged out: the login is revoked and forgotten.")
	return err
}
