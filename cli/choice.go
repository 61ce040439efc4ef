package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"hotfolder/autoretouch"
	"hotfolder/config"
	"hotfolder/private"
	"hotfolder/watcher"
)

// settle sees to it that the configuration names an organization of the account and a workflow for each hot folder, as far as
// there is somebody to choose, and tells the balance.
func (l *login) settle(ctx context.Context, api *autoretouch.Client) error {
	list, err := api.Organizations(ctx)
	if err != nil {
		return err
	}
	chosen, err := l.chooseOrganization(ctx, list)
	if err != nil || chosen.ID == "" {
		return err
	}
	its := *l.config
	its.Account.Organization = chosen.ID
	if api, err = newClientWith(&its, savedLogin(&its)); err != nil {
		return err
	}
	defer api.Close()
	name := visible(cmp.Or(chosen.Name, chosen.ID))
	if balance, err := api.Balance(ctx); err == nil {
		fmt.Fprintf(l.out, "%s has %s credits.\n", name, humanize.Comma(int64(balance)))
	} else {
		fmt.Fprintf(l.err, "hotfolder: the credits of %s are not known now: %s\n", name, visible(plain(err)))
	}
	return l.chooseWorkflows(ctx, api)
}

// chooseOrganization returns the one that counts from now on; none if nobody could choose.
func (l *login) chooseOrganization(ctx context.Context, list []autoretouch.Organization) (none autoretouch.Organization, err error) {
	written := l.config.Account.Organization
	switch {
	case len(list) == 0:
		return none, usage(errors.New("the login is kept, but the account belongs to no organization; have one add you in the AutoRetouch web app"))
	case written != "" && l.organization != "" && l.organization != written:
		return none, usage(fmt.Errorf("%s names another organization, %s; change account.organization there", l.config.File, written))
	case written != "" || l.organization != "":
		id := cmp.Or(l.organization, written)
		i := slices.IndexFunc(list, func(o autoretouch.Organization) bool { return o.ID == id })
		if i < 0 {
			return none, usage(fmt.Errorf("the login is kept, but the account does not belong to the organization %s; choose one of 'hotfolder organizations'", id))
		}
		if written == "" {
			err = l.writeOrganization(list[i])
		}
		return list[i], err
	case l.ask == nil:
		fmt.Fprintf(l.out, "Set account.organization in %s to one of these, or give it with --organization:\n", l.config.File)
		return none, l.printer(false).organizations(list)
	}
	i, err := l.ask.organization(ctx, list)
	if err != nil {
		return none, err
	}
	write, err := l.ask.yes(ctx, fmt.Sprintf("Write %s into %s?", visible(cmp.Or(list[i].Name, list[i].ID)), visible(l.config.File)), true)
	if err != nil {
		return none, err
	}
	if !write {
		fmt.Fprintf(l.out, "Then write it yourself, as account.organization: %s\n", list[i].ID)
		return list[i], nil
	}
	return list[i], l.writeOrganization(list[i])
}

func (l *login) writeOrganization(o autoretouch.Organization) error {
	return l.writeConfig("account.organization: "+o.ID, func(data []byte) ([]byte, error) { return config.SetOrganization(data, o.ID) })
}

// chooseWorkflows asks for the workflow of each hot folder that has none.
func (l *login) chooseWorkflows(ctx context.Context, api *autoretouch.Client) error {
	var list []autoretouch.Workflow
	for i, f := range l.config.Folders {
		if f.Workflow != "" {
			continue
		}
		if list == nil {
			var err error
			if list, err = api.Workflows(ctx); err != nil {
				return err
			}
			if len(list) == 0 {
				return usage(errors.New("the organization has no workflow yet; make one in the AutoRetouch web app, then run 'hotfolder login' again"))
			}
		}
		if l.ask == nil {
			fmt.Fprintf(l.out, "Set the workflow of the hot folder %s in %s to one of these:\n", visible(f.Name), l.config.File)
			return l.printer(false).workflows(list)
		}
		chosen, err := l.ask.workflow(ctx, f.Name, list)
		if err != nil {
			return err
		}
		id := list[chosen].ID
		if err := l.writeConfig(f.Name+": workflow: "+id, func(data []byte) ([]byte, error) { return config.SetWorkflow(data, i, id) }); err != nil {
			return err
		}
	}
	return nil
}

// organization asks which one pays, unless there is only one.
func (d *dialogue) organization(ctx context.Context, list []autoretouch.Organization) (int, error) {
	if len(list) == 1 {
		return 0, nil
	}
	var names []string
	for _, o := range list {
		names = append(names, visible(cmp.Or(o.Name, o.ID)))
	}
	fmt.Fprintln(d.out, "\nThe account belongs to these organizations:")
	return d.choose(ctx, "Which one pays?", names, -1)
}

// workflow asks what is done with the pictures of a hot folder.
func (d *dialogue) workflow(ctx context.Context, folder string, list []autoretouch.Workflow) (int, error) {
	var lines []string
	for _, w := range list {
		lines = append(lines, visible(workflowLine(w)))
	}
	fmt.Fprintln(d.out, "\nThe workflows, with their prices:")
	return d.choose(ctx, fmt.Sprintf("Which one for the hot folder %s?", visible(folder)), lines, -1)
}

func workflowLine(w autoretouch.Workflow) string {
	return fmt.Sprintf("%s, %s a picture", cmp.Or(w.Name, w.ID), plural(w.ExecutionPrice, "credit"))
}

// writeConfig changes the configuration file; by is what a person does where that cannot be done.
func (l *login) writeConfig(by string, change func([]byte) ([]byte, error)) error {
	file := l.config.File
	data, err := config.Read(file)
	if err == nil {
		data, err = change(data)
	}
	if err == nil {
		_, err = config.Parse(file, data, os.Getenv)
	}
	if err == nil {
		err = replaceFile(file, data)
	}
	if err != nil {
		return usage(fmt.Errorf("the login is kept, but %s could not be changed (%s); write into it yourself: %s", file, strings.ReplaceAll(err.Error(), "\n", "; "), by))
	}
	fmt.Fprintf(l.out, "Written into %s\n", file)
	return nil
}

// replaceFile replaces a file, where links lead, in one step. It stays whose it was, and as open to others.
func replaceFile(path string, data []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".hotfolder-*.yaml")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // does nothing after the rename
	_, err = tmp.Write(data)
	if err = errors.Join(err, private.GiveTo(tmp, path), tmp.Chmod(info.Mode()), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return watcher.WhileHeld(func() error { return os.Rename(tmp.Name(), path) })
}
