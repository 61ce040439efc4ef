package cli

import (
	"cmp"
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
	var fromStdin bool
	c := &cobra.Command{
		Use:   "login",
		Short: "Connect to an AutoRetouch account",
		Long: `Login shows an address and a code; who opens the address, logs in there and confirms the code connects this machine to the
account. For a machine without a person, --refresh-token-stdin takes the token that the web app's profile page shows.
A running agent takes the new login up at once.`,
		Example: `  hotfolder login
  hotfolder login --refresh-token-stdin < token.txt`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := a.config()
			if err != nil {
				return err
			}
			api, err := newClientWith(cfg, &autoretouch.File{Path: cfg.Account.CredentialsFile})
			if err != nil {
				return err
			}
			defer api.Close()
			if fromStdin {
				err = a.loginWithToken(c.Context(), api)
			} else {
				err = a.loginByDevice(c.Context(), api)
			}
			if err != nil {
				return err
			}
			return a.welcome(c.Context(), api, cfg)
		},
	}
	c.Flags().BoolVar(&fromStdin, "refresh-token-stdin", false, "read a refresh token from standard input")
	return c
}

func (a *app) loginWithToken(ctx context.Context, api *autoretouch.Client) error {
	token, err := io.ReadAll(io.LimitReader(a.in, 64<<10))
	if err != nil {
		return fmt.Errorf("read the refresh token: %w", err)
	}
	if len(strings.TrimSpace(string(token))) == 0 {
		return usage(errors.New("standard input holds no refresh token; copy it from the profile page of the AutoRetouch web app"))
	}
	return api.LoginWithRefreshToken(ctx, string(token))
}

func (a *app) loginByDevice(ctx context.Context, api *autoretouch.Client) error {
	code, err := api.DeviceCode(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "Open     %s\nconfirm  %s\n\nWaiting until %s ...\n",
		cmp.Or(code.CompleteURL, code.URL), code.UserCode, code.Expiry.Local().Format("15:04"))
	return api.WaitForLogin(ctx, code)
}

// welcome shows that the login works, and what the configuration still lacks.
func (a *app) welcome(ctx context.Context, api *autoretouch.Client, c *config.Config) error {
	fmt.Fprintf(a.out, "Logged in; kept in %s\n", c.Account.CredentialsFile)
	if os.Getenv(refreshTokenVariable) != "" {
		fmt.Fprintf(a.err, "hotfolder: %s is set and comes before this login; remove it\n", refreshTokenVariable)
	}
	if c.Account.Organization != "" {
		return nil
	}
	list, err := api.Organizations(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.out, "Set account.organization in the configuration to one of these:")
	return a.printer(false).organizations(list)
}
