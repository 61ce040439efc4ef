package cli

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/dustin/go-humanize"

	"hotfolder/autoretouch"
	"hotfolder/config"
)

// account asks the API, each call for a short while only.
func (k *checker) account(ctx context.Context, c *config.Config) {
	hurried := *c
	hurried.API.Timeout = min(c.API.Timeout, 15*time.Second)
	api, err := newClient(&hurried)
	if err != nil {
		k.fail(exitUsage, "", "%s", plain(err))
		k.skip("AutoRetouch, login, balance and workflows", "mend the configuration")
		return
	}
	defer api.Close()
	if err := api.Reach(ctx); err != nil {
		k.fail(exitUnreachable, mendOf(err), "%s: %s", c.API.URL, plain(err))
		k.skip("clock, login, balance and workflows", "AutoRetouch must be reached first")
		return
	}
	k.ok("AutoRetouch answers at %s", c.API.URL)
	k.clock(api.Skew())
	organizations, err := api.Organizations(ctx)
	if err != nil {
		k.fail(exitCode(err), mendOf(err), "login: %s", plain(err))
		k.skip("organization, balance and workflows", "log in first")
		return
	}
	k.ok("login is accepted")
	if c.Account.Organization == "" {
		k.skip("balance and workflows", "choose the organization first")
		return
	}
	i := slices.IndexFunc(organizations, func(o autoretouch.Organization) bool { return o.ID == c.Account.Organization })
	if i < 0 {
		k.fail(exitUsage, "choose one of 'hotfolder organizations'", "the account does not belong to the organization %s", c.Account.Organization)
		k.skip("balance and workflows", "correct account.organization first")
		return
	}
	k.ok("organization %s", organizations[i].Name)
	k.prices(ctx, api, c)
}

// mostSkew is what clocks may differ by: less is of no consequence.
const mostSkew = time.Minute

func (k *checker) clock(ahead time.Duration) {
	if ahead.Abs() < mostSkew {
		k.ok("this machine's clock agrees with AutoRetouch's")
		return
	}
	way := "ahead of"
	if ahead > 0 {
		way = "behind"
	}
	k.warn("set this machine's clock; a login may be refused, and times in reports are wrong", "this machine's clock is %s %s AutoRetouch's", roughly(ahead.Abs()), way)
}

// prices holds what a picture costs against what there is.
func (k *checker) prices(ctx context.Context, api *autoretouch.Client, c *config.Config) {
	balance, err := api.Balance(ctx)
	switch {
	case err != nil:
		k.fail(exitCode(err), mendOf(err), "balance: %s", plain(err))
	case balance <= 0:
		k.fail(exitFailed, "buy credits; the agent waits for them", "the account is out of credits")
	default:
		k.ok("balance: %s", plural(balance, "credit"))
	}
	for _, f := range c.Folders {
		if f.Workflow == "" {
			continue // said already
		}
		price, ok := k.workflow(ctx, api, f)
		switch limit := c.Limits.CreditsPerDay; {
		case !ok:
		case err == nil && balance > 0 && price > balance:
			k.warn("buy credits", "%s: the balance does not pay for one picture: %s, and a picture costs %s", f.Name, plural(balance, "credit"), humanize.Comma(int64(price)))
		case limit > 0 && price > limit:
			k.warn("raise limits.credits_per_day", "%s: limits.credits_per_day, %d, does not allow for one picture, which costs %d", f.Name, limit, price)
		}
	}
}

func (k *checker) workflow(ctx context.Context, api *autoretouch.Client, f config.Folder) (price int, ok bool) {
	w, err := api.Workflow(ctx, f.Workflow)
	switch {
	case errors.Is(err, autoretouch.ErrNotFound):
		k.fail(exitUsage, "choose one of 'hotfolder workflows'", "%s: there is no workflow %s", f.Name, f.Workflow)
	case err != nil:
		k.fail(exitCode(err), mendOf(err), "%s: workflow: %s", f.Name, plain(err))
	default:
		k.ok("%s: workflow %s", f.Name, workflowLine(w))
	}
	return w.ExecutionPrice, err == nil
}
