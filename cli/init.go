package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hotfolder/autoretouch"
	"hotfolder/config"
)

func (a *app) init() *cobra.Command {
	i := &initiation{app: a}
	c := &cobra.Command{
		Use:   "init",
		Short: "Write a configuration, asking for what it needs",
		Long: `Init asks for the folder that pictures are dropped into, the folder for the results, the workflow, subfolders and what becomes
of the originals, writes a commented configuration and creates the folders. Each question has a flag; with --yes, or without a
terminal, nothing is asked. It never overwrites a file; --add adds one more hot folder to the one that is there.

Without --config the file is the user's own, or with --system, or as root, that of this machine, for a service. The workflow can be
chosen from a list once you are logged in; before, it is left to 'hotfolder login'.`,
		Example: `  hotfolder init
  hotfolder init --input D:\photos\in --output D:\photos\out --yes
  hotfolder init --add --name shoes --input /srv/shoes/in --output /srv/shoes/out --after-success move --yes`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !i.yes {
				i.ask = a.dialogue()
			}
			i.given = c.Flags().Changed
			return i.run(c.Context())
		},
	}
	f := c.Flags()
	f.StringVar(&i.folder.Input, "input", "", "the `FOLDER` that pictures are dropped into")
	f.StringVar(&i.folder.Output, "output", "", "the `FOLDER` for the results (default: beside the input)")
	f.StringVar(&i.folder.Name, "name", "", "the hot folder's `NAME` (default: that of the input folder)")
	f.StringVar(&i.folder.Workflow, "workflow", "", "the `ID` of the workflow; 'hotfolder login' lets you choose it later")
	f.BoolVar(&i.folder.Recursive, "recursive", true, "take pictures in subfolders, too")
	f.StringVar(&i.after, "after-success", string(config.Keep), "what becomes of the original: `keep, move or delete`")
	f.StringVar(&i.folder.Processed, "processed", "", "the `FOLDER` that originals move to (default: beside the input)")
	f.StringVar(&i.organization, "organization", "", "the `ID` of the organization that pays; 'hotfolder login' lets you choose it later")
	f.StringVar(&i.api, "api", "", "another `URL` for the API and the login: that of 'hotfolder sandbox'")
	f.StringVar(&i.dataDir, "data-dir", "", "the `FOLDER` for the ledger, the login and logs (default: the system's place for it)")
	f.BoolVar(&i.system, "system", false, "write this machine's configuration, for a service, rather than the user's")
	f.BoolVar(&i.add, "add", false, "add a hot folder to the configuration that is there")
	f.BoolVarP(&i.yes, "yes", "y", false, "ask nothing: take the flags, and create the folders")
	for _, dir := range []string{"input", "output", "processed", "data-dir"} {
		_ = c.MarkFlagDirname(dir) // fails only for a flag that there is not
	}
	_ = c.RegisterFlagCompletionFunc("after-success", cobra.FixedCompletions([]string{"keep", "move", "delete"}, cobra.ShellCompDirectiveNoFileComp))
	c.MarkFlagsMutuallyExclusive("add", "system")
	c.MarkFlagsMutuallyExclusive("add", "api")
	c.MarkFlagsMutuallyExclusive("add", "data-dir")
	c.MarkFlagsMutuallyExclusive("add", "organization")
	return c
}

// initiation is a run of the command init.
type initiation struct {
	*app
	ask   *dialogue // nil: nothing is asked
	given func(flag string) bool

	folder                            config.NewFolder
	after, organization, api, dataDir string
	system, add, yes                  bool
	file                              string
	before                            *config.Config // with add: what is there
	loggedIn                          bool
	organizationName                  string
}

func (i *initiation) run(ctx context.Context) error {
	if err := i.chooseFile(); err != nil {
		return err
	}
	if err := i.fill(ctx); err != nil {
		return err
	}
	cfg, data, err := i.write()
	if err != nil {
		return err
	}
	if err := i.createFolders(ctx, cfg); err != nil {
		return err
	}
	if i.add {
		err = replaceFile(cfg.File, data)
	} else {
		err = createFile(cfg.File, data)
	}
	if err != nil {
		return fmt.Errorf("the configuration cannot be written: %s", plain(err))
	}
	fmt.Fprintf(i.out, "\nWritten: %s\n", cfg.File)
	next := "check"
	if cfg.RequireOrganization() != nil || cfg.RequireFolders() != nil || !i.loggedIn {
		next = "login"
	}
	_, err = fmt.Fprintf(i.out, "Next: %s\n", i.command(next))
	return err
}

// chooseFile says where the configuration is, or is to be.
func (i *initiation) chooseFile() error {
	found, err := config.Find(i.configFile, os.Getenv)
	switch {
	case i.add && err != nil:
		return usage(err)
	case i.add:
		i.file = found
		i.before, err = config.Load(found, os.Getenv)
		if err != nil {
			return usage(err)
		}
		return nil
	case i.system && i.configFile == "":
		i.file = config.Home(true, os.Getenv)
	case errors.Is(err, config.ErrNone):
		i.file = config.Home(false, os.Getenv)
	case err != nil:
		return usage(err)
	default:
		i.file = found
	}
	if i.file, err = filepath.Abs(i.file); err != nil {
		return err
	}
	if _, err := os.Lstat(i.file); !errors.Is(err, fs.ErrNotExist) {
		return usage(fmt.Errorf("there is a configuration already, %s; add a hot folder with 'hotfolder init --add', or write another one with --config FILE", i.file))
	}
	return nil
}

// fill completes the flags: by asking, or else by what goes without saying.
func (i *initiation) fill(ctx context.Context) error {
	i.folder.AfterSuccess = config.Keep // until askOriginals
	if !slices.Contains(fates, config.AfterSuccess(i.after)) {
		return usage(fmt.Errorf("--after-success: %q is not one of keep, move, delete", i.after))
	}
	if i.dataDir != "" {
		dir, err := wholePath(i.dataDir)
		if err != nil {
			return usage(err)
		}
		i.dataDir = dir
	} else if i.api != "" {
		i.dataDir = "hotfolder-data" // what is played with stays apart, beside its configuration
	}
	for _, question := range []func(context.Context) error{i.askInput, i.askName, i.askOutput, i.askRecursive, i.askOriginals, i.askWorkflow} {
		if err := question(ctx); err != nil {
			return err
		}
	}
	return nil
}

// fates are what may become of an original.
var fates = []config.AfterSuccess{config.Keep, config.Move, config.Delete}

// want asks for a text unless its flag gave it; where nobody is asked it is preset.
func (i *initiation) want(ctx context.Context, flag, question, preset string, into *string) (err error) {
	if *into != "" {
		return nil
	}
	for i.ask != nil && *into == "" && err == nil {
		*into, err = i.ask.line(ctx, question, preset)
	}
	if i.ask == nil {
		*into = preset
	}
	if err == nil && *into == "" {
		err = usage(fmt.Errorf("--%s is missing", flag))
	}
	return err
}

// wantFolder asks for a folder until it is one that can be used.
func (i *initiation) wantFolder(ctx context.Context, flag, question, preset string, into *string) error {
	asked := i.ask != nil && *into == ""
	for {
		if err := i.want(ctx, flag, question, preset, into); err != nil {
			return err
		}
		dir, err := wholePath(*into)
		if err != nil {
			return usage(err)
		}
		if *into = dir; isFile(dir) {
			err = usage(fmt.Errorf("%s is a file, not a folder; name another one", dir))
		} else if flag != "input" { // which has nothing to clash with yet
			_, _, err = i.write()
		}
		if err == nil || !asked {
			return err
		}
		fmt.Fprintf(i.out, "That cannot be: %s\n", visible(err.Error()))
		*into = ""
	}
}

// wholePath is a path as a person at a shell means it.
func wholePath(path string) (string, error) {
	path = strings.Trim(path, `"`) // as Windows' "Copy as path" has it
	if home, err := os.UserHomeDir(); err == nil && (path == "~" || strings.HasPrefix(path, "~/") || strings.HasPrefix(path, `~\`)) {
		path = filepath.Join(home, path[1:])
	}
	return filepath.Abs(path)
}

func (i *initiation) askInput(ctx context.Context) error {
	return i.wantFolder(ctx, "input", "Which folder are pictures dropped into?", i.usualInput(), &i.folder.Input)
}

// usualInput is where a person would look for it; where nobody is asked a person has to say.
func (i *initiation) usualInput() string {
	home, err := os.UserHomeDir()
	if err != nil || i.ask == nil || i.add || os.Geteuid() == 0 {
		return ""
	}
	if pictures := filepath.Join(home, "Pictures"); isFolder(pictures) {
		home = pictures
	}
	return filepath.Join(home, "hotfolder", "in")
}

func (i *initiation) askOutput(ctx context.Context) error {
	return i.wantFolder(ctx, "output", "Which folder do the results go to?", beside(i.folder.Input, "out", "retouched"), &i.folder.Output)
}

// beside is a folder beside an input folder: its brother by a short name if the input has one, too, or else its name with suffix.
func beside(input, short, suffix string) string {
	switch {
	case isNameless(input):
		return filepath.Join(filepath.Dir(input), short)
	case filepath.Dir(input) == input: // a drive
		return filepath.Join(input, suffix)
	}
	return input + "-" + suffix
}

// isNameless tells an input that is called in, so that the folder above says what it is for.
func isNameless(input string) bool {
	return slices.Contains([]string{"in", "input", "inbox"}, strings.ToLower(filepath.Base(input)))
}

// askName asks only when the name that goes without saying is taken.
func (i *initiation) askName(ctx context.Context) error {
	name := filepath.Base(i.folder.Input)
	if up := filepath.Base(filepath.Dir(i.folder.Input)); isNameless(i.folder.Input) && !strings.ContainsAny(up, `/\:`) {
		name = up
	}
	if i.before != nil && slices.Contains(folderNames(i.before), name) {
		return i.want(ctx, "name", "What is the hot folder called?", "", &i.folder.Name)
	}
	i.folder.Name = cmp.Or(i.folder.Name, strings.Trim(name, `/\:`))
	return nil
}

func (i *initiation) askRecursive(ctx context.Context) (err error) {
	if i.ask != nil && !i.given("recursive") {
		i.folder.Recursive, err = i.ask.yes(ctx, "Take pictures in its subfolders, too?", true)
	}
	return err
}

func (i *initiation) askOriginals(ctx context.Context) error {
	i.folder.AfterSuccess = config.AfterSuccess(i.after)
	if i.ask != nil && !i.given("after-success") {
		fmt.Fprintln(i.out, "What becomes of an original once its result is there?")
		n, err := i.ask.choose(ctx, "Originals", []string{"it stays", "it moves to another folder", "it is deleted"}, 0)
		if err != nil {
			return err
		}
		i.folder.AfterSuccess = fates[n]
	}
	if i.folder.AfterSuccess != config.Move {
		return nil
	}
	return i.wantFolder(ctx, "processed", "Which folder do originals move to?", beside(i.folder.Input, "processed", "processed"), &i.folder.Processed)
}

// askWorkflow lets a person choose if there is a login already. Otherwise login does.
func (i *initiation) askWorkflow(ctx context.Context) error {
	cfg, _, err := i.write()
	if err != nil {
		return err
	}
	api, err := newClient(cfg)
	if err != nil {
		return err
	}
	defer api.Close()
	organizations, err := api.Organizations(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil || len(organizations) == 0 {
		return nil // without a login, or for now without AutoRetouch
	}
	i.loggedIn = true
	if cfg.Account.Organization == "" && i.ask != nil {
		if err := i.askOrganization(ctx, organizations); err != nil {
			return err
		}
	}
	for _, o := range organizations {
		if o.ID == i.organization {
			i.organizationName = o.Name
		}
	}
	cfg.Account.Organization = cmp.Or(i.organization, cfg.Account.Organization)
	if cfg.Account.Organization == "" {
		return nil
	}
	own, err := newClient(cfg)
	if err != nil {
		return err
	}
	defer own.Close()
	list, err := own.Workflows(ctx)
	if err != nil || len(list) == 0 {
		return ctx.Err()
	}
	return i.chooseWorkflow(ctx, list)
}

func (i *initiation) askOrganization(ctx context.Context, list []autoretouch.Organization) error {
	n, err := i.ask.organization(ctx, list)
	if err == nil {
		i.organization = list[n].ID
	}
	return err
}

func (i *initiation) chooseWorkflow(ctx context.Context, list []autoretouch.Workflow) error {
	if i.folder.Workflow == "" && i.ask != nil {
		n, err := i.ask.workflow(ctx, i.folder.Name, list)
		if err != nil {
			return err
		}
		i.folder.Workflow = list[n].ID
	}
	for _, w := range list {
		if w.ID == i.folder.Workflow {
			i.folder.WorkflowNote = workflowLine(w)
			return nil
		}
	}
	if i.folder.Workflow != "" {
		return usage(fmt.Errorf("--workflow: there is no workflow %s; choose one of 'hotfolder workflows'", i.folder.Workflow))
	}
	return nil
}

// write makes the file's content and reads it as every command will.
func (i *initiation) write() (*config.Config, []byte, error) {
	var data []byte
	var err error
	if i.add {
		if data, err = config.Read(i.file); err == nil {
			data, err = config.AddFolder(data, i.folder)
		}
		if errors.Is(err, config.ErrByHand) {
			err = fmt.Errorf("%s is written in a way that nothing can be added to by itself; copy the block of a hot folder in it by hand", i.file)
		}
	} else {
		data = config.New{
			Organization: i.organization, OrganizationName: i.organizationName, API: i.api, DataDir: i.dataDir, Folder: i.folder,
		}.YAML()
	}
	if err != nil {
		return nil, nil, usage(err)
	}
	cfg, err := config.Parse(i.file, data, os.Getenv)
	if problems, ok := errors.AsType[config.Errors](err); ok { // of a file that is not there yet no line helps
		var texts []string
		for _, p := range problems {
			texts = append(texts, p.Text)
		}
		err = errors.New(strings.Join(texts, "; "))
	}
	if err != nil {
		return nil, nil, usage(err)
	}
	return cfg, data, nil
}

// createFolders makes those of the new hot folder that are not there.
func (i *initiation) createFolders(ctx context.Context, c *config.Config) error {
	f := c.Folders[len(c.Folders)-1]
	var missing []string
	for _, dir := range []string{f.Input, f.Output, f.Processed} {
		if _, err := os.Stat(dir); dir != "" && errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, dir)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	create := i.ask == nil
	if i.ask != nil {
		fmt.Fprintln(i.out, "These folders are not there yet:")
		for _, dir := range missing {
			fmt.Fprintf(i.out, "  %s\n", visible(dir))
		}
		var err error
		if create, err = i.ask.yes(ctx, "Create them?", true); err != nil {
			return err
		}
	}
	if !create {
		fmt.Fprintln(i.out, "Create them, or connect their share, before the agent starts.")
		return nil
	}
	for _, dir := range missing {
		if err := os.MkdirAll(dir, 0o777); err != nil { // less the umask, as for any folder of the user's
			return fmt.Errorf("the folder cannot be created: %s", plain(err))
		}
		fmt.Fprintf(i.out, "Created: %s\n", visible(dir))
	}
	return nil
}

// createFile writes a file that must not be there.
func createFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(path)
	}
	return err
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
