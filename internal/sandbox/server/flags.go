package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

const secretName = "CODACY_PROJECT_TOKEN"

// config holds the parsed flags.
type config struct {
	listen, github string
	repositories   int
	addresses      []net.IP
	stores         []string
	options        sandbox.Options
}

// purpose is the start of -help.
const purpose = `Serves a sandbox over HTTPS: the APIs of Codacy and GitHub, in memory, with the
organization acme. For trying the action without credentials, step by step in
docs/sandbox.md.

Example: sandbox -listen 127.0.0.1:8443 >ca.pem
It writes its CA's certificate and its address to standard output.

Set CODACY_API_TOKEN=%s and GH_TOKEN=%s.
GET /state shows the secrets and tokens, POST /clock?forward=24h moves the time.

`

// parse reads the command line. -help writes to help, and returns flag.ErrHelp.
func parse(args []string, help io.Writer) (config, error) {
	c := config{stores: []string{"actions"}, options: sandbox.Options{SecretName: secretName}}
	o := &c.options
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // main prints an error
	flags.Usage = func() {}
	flags.StringVar(&c.listen, "listen", "127.0.0.1:0", "`address` of both services")
	flags.StringVar(&c.github, "github", "", "`address` of GitHub alone, at / and under /api/v3/ as on GitHub Enterprise Server; none by default")
	flags.IntVar(&c.repositories, "repositories", 5, "number of repositories: service-000 and so on, with the topics backend and frontend; every third one is private")
	flags.DurationVar(&o.Latency, "latency", 0, "duration of each request")
	flags.Func("address", "`IP` address in the certificate, as well as the loopback", c.addAddress)
	flags.Func("stores", "comma-separated `stores` that /state checks (default actions)", c.setStores)
	flags.Func("manual-token", "a further GitHub `token`, whose writes count as manual changes", c.addManualToken)
	flags.DurationVar(&o.RevokeAfter, "revoke-after", 0, "minimum time that a replaced token must stay valid; 0 does not check it")
	flags.BoolVar(&o.Legacy, "legacy", false, "Codacy has unnamed tokens without expiry")
	flags.IntVar(&o.NameTaken, "name-taken", 409, "Codacy's `status` if a token's name is taken")
	flags.BoolVar(&o.HideExpired, "hide-expired", false, "Codacy's list omits expired tokens")
	choice(flags, "creation", "Codacy's creation times: exact, midnight or missing", map[string]func(){
		"exact":    func() {},
		"midnight": func() { o.CreationDay = time.UTC },
		"missing":  func() { o.NoCreationDates = true },
	})
	choice(flags, "account-tokens", "the values in Codacy's list of account tokens: shown, masked or missing", map[string]func(){
		"shown":   func() { o.AccountTokenValues = sandbox.ShowValues },
		"masked":  func() { o.AccountTokenValues = sandbox.MaskValues },
		"missing": func() { o.AccountTokenValues = sandbox.OmitValues },
	})
	choice(flags, "rate-headers", "GitHub's rate-limit headers: limited, always or never", map[string]func(){
		"limited": func() { o.RateHeaders = sandbox.RateIfLimited },
		"always":  func() { o.RateHeaders = sandbox.RateAlways },
		"never":   func() { o.RateHeaders = sandbox.RateNever },
	})
	flags.BoolVar(&o.NumericKeyIDs, "numeric-key-ids", false, "GitHub's key_id is a number")
	flags.BoolVar(&o.NoIDAddresses, "no-id-addresses", false, "GitHub has no addresses by a repository's ID")
	flags.StringVar(&o.SecretRole, "secret-role", "admin", "lowest `role` that may write secrets: admin or write")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprintf(help, purpose, sandbox.CodacyToken, sandbox.GitHubToken) // ignore the error: there is nowhere left to report it
		flags.SetOutput(help)
		flags.PrintDefaults()
	}
	if err != nil {
		return config{}, err
	}
	if flags.NArg() > 0 {
		return config{}, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	return c, nil
}

func (c *config) addAddress(s string) error {
	ip := net.ParseIP(s)
	if ip == nil {
		return errors.New("must be an IP address")
	}
	c.addresses = append(c.addresses, ip)
	return nil
}

func (c *config) setStores(s string) error {
	c.stores = strings.Split(s, ",")
	for _, store := range c.stores {
		if !slices.Contains(sandbox.Stores(), store) {
			return fmt.Errorf("unknown store %q", store)
		}
	}
	return nil
}

func (c *config) addManualToken(s string) error {
	c.options.Credentials = []sandbox.Credential{
		{Value: sandbox.GitHubToken, Kind: sandbox.Classic}, {Value: s, Kind: sandbox.Classic, Manual: true},
	}
	return nil
}

// choice defines a flag with named values.
func choice(flags *flag.FlagSet, name, usage string, values map[string]func()) {
	flags.Func(name, usage, func(s string) error {
		set := values[s]
		if set == nil {
			return errors.New("unknown value")
		}
		set()
		return nil
	})
}
