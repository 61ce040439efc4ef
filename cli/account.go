package cli

import (
	"context"

	"github.com/spf13/cobra"

	"hotfolder/autoretouch"
	"hotfolder/config"
)

func (a *app) organizations() *cobra.Command {
	return a.ask("organizations", "List the organizations that the account may work for", nil,
		func(ctx context.Context, api *autoretouch.Client, p printer) error {
			list, err := api.Organizations(ctx)
			if err != nil {
				return err
			}
			return p.organizations(list)
		})
}

func (a *app) workflows() *cobra.Command {
	return a.ask("workflows", "List the organization's workflows with their prices", (*config.Config).RequireOrganization,
		func(ctx context.Context, api *autoretouch.Client, p printer) error {
			list, err := api.Workflows(ctx)
			if err != nil {
				return err
			}
			return p.workflows(list)
		})
}

func (a *app) balance() *cobra.Command {
	return a.ask("balance", "Show the organization's credits", (*config.Config).RequireOrganization,
		func(ctx context.Context, api *autoretouch.Client, p printer) error {
			credits, err := api.Balance(ctx)
			if err != nil {
				return err
			}
			return p.balance(credits)
		})
}

// ask is a command that asks the account something; require, unless it is nil, says what the configuration lacks for it.
func (a *app) ask(name, short string, require func(*config.Config) error, do func(context.Context, *autoretouch.Client, printer) error) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     name,
		Short:   short,
		Example: "  hotfolder " + name + "\n  hotfolder " + name + " --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := a.glance()
			if err == nil && require != nil {
				err = require(cfg)
			}
			if err != nil {
				return err
			}
			api, err := newClient(cfg)
			if err != nil {
				return err
			}
			defer api.Close()
			return do(c.Context(), api, a.printer(asJSON))
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return c
}
