package cli

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"hotfolder/sandbox"
)

func (a *app) sandbox() *cobra.Command {
	var listen string
	var faults []string
	var o sandbox.Options
	c := &cobra.Command{
		Use:   "sandbox",
		Short: "Serve the sandbox API on its own, for tests and integrations",
		Long: `Sandbox serves an AutoRetouch API that works on real pictures, charges play credits and forgets all when it ends.

--fault makes it misbehave: NAME=VALUE with a time, a fraction of the executions, or the probability of a fault of calls, for
which {p: 0.1, count: 3, at: ["GET /v1/workflow/execution"]} says more. The names are
` + strings.Join(faultNames(), ", ") + `.`,
		Example: `  hotfolder sandbox
  hotfolder sandbox --credits 50 --processing 2s
  hotfolder sandbox --fault latency=250ms --fault dropAfter=0.1 --fault fail=0.05`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if o.Faults, err = parseFaults(faults); err != nil {
				return usage(err)
			}
			port, err := net.Listen("tcp", listen)
			if err != nil {
				return usage(fmt.Errorf("cannot serve on %s (%s); choose another address with --listen", listen, reasonOf(err)))
			}
			defer port.Close()
			box, err := sandbox.New(o)
			if err != nil {
				return err
			}
			stop := serve(port, box.Handler())
			introduce(a.out, "http://"+port.Addr().String(), box.RefreshToken())
			<-c.Context().Done()
			stop()
			return box.Close()
		},
	}
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:8799", "`HOST:PORT` to serve on")
	c.Flags().IntVar(&o.Credits, "credits", 10_000, "credits in the account at the start")
	c.Flags().DurationVar(&o.Processing, "processing", time.Second, "the least time that a picture takes")
	c.Flags().StringArrayVar(&faults, "fault", nil, "something that goes wrong, as `NAME=VALUE`; may be given several times")
	return c
}

// reasonOf is what the system said, without the calls that were made.
func reasonOf(err error) string {
	if s, ok := errors.AsType[*os.SyscallError](err); ok {
		return s.Err.Error()
	}
	if o, ok := errors.AsType[*net.OpError](err); ok {
		return o.Err.Error()
	}
	return err.Error()
}

// introduce tells all that a client needs, ready to be pasted.
func introduce(w io.Writer, url, token string) {
	fmt.Fprintf(w, `The sandbox serves %s (API and login) until Ctrl-C.

organization   %s
workflows      %s  Packshot white, 10 credits
               %s  Catalogue JPEG, 5 credits
               %s  Transparent cut-out, 12 credits
               %s  Fast check, 1 credit
refresh token  %s
books          %s/_sandbox/books

hotfolder.yaml:

account: {organization: %s}
api: {url: %s, auth_url: %s}
data_dir: sandbox-data
folders:
  - name: packshots
    input: in
    output: out
    workflow: %s

Then log in and run:

mkdir in out
echo %s | hotfolder login --refresh-token-stdin
hotfolder run
`, url, sandbox.Organization, sandbox.PackshotWhite, sandbox.CatalogueJPEG, sandbox.TransparentCut, sandbox.FastCheck,
		token, url, sandbox.Organization, url, url, sandbox.PackshotWhite, token)
}

// parseFaults reads NAME=VALUE, where VALUE is YAML; a lone number for a fault of calls is its probability.
func parseFaults(list []string) (f sandbox.Faults, err error) {
	for _, fault := range list {
		name, value, ok := strings.Cut(fault, "=")
		if !ok || value == "" || !slices.Contains(faultNames(), name) {
			return f, fmt.Errorf("--fault %s: write NAME=VALUE; the names are %s", fault, strings.Join(faultNames(), ", "))
		}
		if decodeFault(&f, name, value) == nil {
			continue
		}
		if err := decodeFault(&f, name, "{p: "+value+"}"); err != nil {
			return f, fmt.Errorf("--fault %s: %q is no value for it; see 'hotfolder sandbox --help'", name, value)
		}
	}
	return f, nil
}

func decodeFault(f *sandbox.Faults, name, value string) error {
	d := yaml.NewDecoder(strings.NewReader(name + ": " + value))
	d.KnownFields(true)
	return d.Decode(f)
}

func faultNames() (names []string) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[sandbox.Faults]()) {
		name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		names = append(names, name)
	}
	return names
}
