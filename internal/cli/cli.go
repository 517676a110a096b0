// Package cli is the program: from inputs to exit code, on a runner and by hand.
package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/config"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/match"
	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/provision"
	"github.com/codacy/codacy-project-tokens/internal/redact"
	"github.com/codacy/codacy-project-tokens/internal/report"
	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// The exit codes.
const (
	// ExitOK: all is well.
	ExitOK = 0
	// ExitFailed: some repository failed or is about to, a service could not be
	// had, or a report or the outputs could not be written.
	ExitFailed = 1
	// ExitUsage: the inputs are wrong, nothing was selected, or the credentials
	// are refused at the start.
	ExitUsage = 2
	// ExitInterrupted: a signal ended the run.
	ExitInterrupted = 3
)

// mostWrites is how many writes a minute GitHub's 900 points allow for: 5 for each,
// and 1 for the public key that it needs.
const mostWrites = 150

// Bounds of what is tried again, beside what a service asks for.
var (
	startRetry = pace.Retry{Within: 16 * time.Second, Most: 29 * time.Second}
	laterRetry = pace.Retry{Within: 45 * time.Second}
)

// progressEvery is how often the log tells the progress.
const progressEvery = 30 * time.Second

// Command is the program with all that it takes from outside.
type Command struct {
	Version        string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	// Terminal tells whether somebody can be asked.
	Terminal bool
	// Transport carries requests out; nil for the network.
	Transport http.RoundTripper
	// Rand shuffles and spreads; nil for a random seed.
	Rand *rand.Rand

	net   *redact.Net // below all that is written
	masks io.Writer   // around it: for the values that the runner is to mask
}

// Run runs the program with the arguments and returns its exit code. An end of
// ctx is an interrupt.
func (c *Command) Run(ctx context.Context, args []string) int {
	net := &redact.Net{}
	for _, v := range config.Credentials(c.Getenv) {
		net.Add(v)
	}
	out, errs := net.Writer(c.Stdout), net.Writer(c.Stderr)
	caught := *c
	caught.net, caught.masks, caught.Stdout, caught.Stderr = net, c.Stdout, out, errs
	code := caught.run(ctx, args)
	_, _ = out.Close(), errs.Close() // to whom to say that it failed?
	return code
}

func (c *Command) run(ctx context.Context, args []string) int {
	cfg, err := config.Parse(args, c.Getenv)
	switch {
	case errors.Is(err, config.ErrHelp):
		config.Usage(c.Stdout)
		return ExitOK
	case errors.Is(err, config.ErrVersion):
		_, _ = fmt.Fprintln(c.Stdout, "codacy-project-tokens "+c.Version) // to whom to say that it failed?
		return ExitOK
	}
	if c.Rand == nil {
		c.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if err != nil {
		rep := report.New(report.Options{
			Runner: c.Getenv("GITHUB_ACTIONS") == "true", Stdout: c.Stdout, Stderr: c.Stderr, Getenv: c.Getenv,
			Net: c.net, Masks: c.masks,
		})
		var faults config.Faults
		if !errors.As(err, &faults) {
			rep.Error(err.Error())
		}
		for _, f := range faults {
			rep.Error(f.Error())
		}
		return ExitUsage
	}
	s := c.session(cfg)
	code := s.run(ctx)
	if s.begun {
		if err := s.rep.Finish(); err != nil {
			s.rep.Error(err.Error())
			code = max(code, ExitFailed)
		}
	}
	return code
}

// session is one run with its clients.
type session struct {
	*config.Config
	cmd    *Command
	rep    *report.Report
	codacy *codacy.Client
	github *github.Client
	app    *github.App // nil where GitHub is given a token

	codacyPace, githubPace   *pace.Service
	codacyClock, githubClock *wire.Clock
	until                    time.Time
	begun                    bool // there is something to report
}

func (c *Command) session(cfg *config.Config) *session {
	s := &session{
		Config: cfg, cmd: c, until: time.Now().Add(cfg.MaxDuration),
		codacyClock: &wire.Clock{}, githubClock: &wire.Clock{},
	}
	// Each service draws numbers of its own, under its own lock.
	spread := func() func() float64 { return rand.New(rand.NewPCG(c.Rand.Uint64(), 0)).Float64 }
	var codacyLimits, githubLimits []pace.Limit
	if !selfHosted(cfg.CodacyAPIURL) {
		codacyLimits = append(codacyLimits, pace.CodacyCloud())
	}
	if cfg.WritesPerMinute > 0 {
		// A POST changes nothing at GitHub: it makes a token of the App, which
		// those wait for who have taken room for their writes.
		puts := func(method string) int {
			if method == http.MethodPut {
				return 1
			}
			return 0
		}
		writes, hourly := pace.Writes(min(cfg.WritesPerMinute, mostWrites)), pace.HourlyWrites()
		writes.Cost, hourly.Cost = puts, puts
		githubLimits = append(githubLimits, writes, pace.Points(), hourly)
	}
	s.codacyPace = pace.NewService(codacy.Name, s.codacyClock, true, spread(), codacyLimits...)
	s.githubPace = pace.NewService(github.Name, s.githubClock, false, spread(), githubLimits...)

	base := c.Transport
	if base == nil {
		base = wire.Base(cfg.Concurrency + 2)
	}
	agent := "codacy-project-tokens/" + c.Version
	codacyHTTP := (&wire.Transport{
		Service: codacy.Name, Origin: cfg.CodacyAPIURL, Base: base, Gate: s.codacyPace, Clock: s.codacyClock,
		UserAgent: agent, Authorize: wire.Bearer("Api-Token", "", cfg.CodacyAPIToken), Redact: c.net.String,
	}).Client()
	toGitHub := &wire.Transport{
		Service: github.Name, Origin: cfg.GitHubAPIURL, Base: base, Gate: s.githubPace, Clock: s.githubClock,
		UserAgent: agent, Authorize: wire.Bearer("Authorization", "Bearer ", cfg.GitHubToken), Redact: c.net.String,
	}
	if cfg.GitHubAppID != "" {
		s.app = github.NewApp(github.AppOptions{
			ID: cfg.GitHubAppID, Key: cfg.GitHubAppPrivateKey, Owner: cfg.Organization,
			Transport: *toGitHub, Pace: s.githubPace, Start: startRetry,
			Learn: c.net.Add,
			Mask:  func(v secret.Value) error { return s.rep.Mask(v) },
		})
		toGitHub = s.app.Transport()
	}
	s.codacy = codacy.New(codacyHTTP, cfg.CodacyAPIURL, cfg.Provider, cfg.Organization, startRetry, laterRetry)
	s.codacy.Learn = c.net.Add
	s.github = github.New(toGitHub.Client(), cfg.GitHubAPIURL, startRetry, laterRetry)
	s.rep = report.New(report.Options{
		Runner: cfg.Runner, Stdout: c.Stdout, Stderr: c.Stderr, Getenv: c.Getenv, Net: c.net, Masks: c.masks,
		Organization: cfg.Organization, SecretName: cfg.SecretName, DryRun: cfg.DryRun,
		Web: web(cfg.GitHubAPIURL), File: cfg.ReportFile, Version: c.Version,
		Now: func() time.Time { return time.Now().Add(s.codacyClock.Offset()) },
	})
	return s
}

// selfHosted tells whether Codacy is none of its cloud's addresses.
func selfHosted(u *url.URL) bool {
	host := strings.ToLower(u.Hostname())
	return host != "app.codacy.com" && host != "api.codacy.com"
}

// web is GitHub's web address that belongs to an API's.
func web(api *url.URL) string {
	if strings.EqualFold(api.Hostname(), "api.github.com") {
		return "https://github.com"
	}
	return api.Scheme + "://" + api.Host
}

// run does the work and returns the exit code, but for what Finish finds.
func (s *session) run(ctx context.Context) int {
	targets, code := s.list(ctx)
	if targets == nil {
		return code
	}
	s.begun = true
	stores := s.SecretStores
	run := provision.New(provision.Options{
		Codacy: s.codacy, GitHub: s.github,
		Policy: provision.Policy{
			SecretName: s.SecretName, Stores: stores, Existing: s.ExistingSecrets, Rotate: s.Rotate,
			Lifetime: s.TokenLifetime, RenewBefore: s.RenewBefore, RevokeAfter: s.RevokeAfter,
			SelfHosted: selfHosted(s.CodacyAPIURL), AskAll: s.DryRun,
		},
		CodacyPace: s.codacyPace, GitHubPace: s.githubPace,
		CodacyClock: s.codacyClock, GitHubClock: s.githubClock,
		Retry: laterRetry, Concurrency: s.Concurrency, Until: s.until,
		WritesPerMinute: min(s.WritesPerMinute, mostWrites),
		Mask:            s.rep.Mask, Rand: s.cmd.Rand, Done: s.rep.Add,
		Progress: s.rep.Progress, ProgressEvery: progressEvery,
	}, targets)

	if s.DryRun || !s.Runner {
		if err := run.Look(ctx); err != nil {
			return s.ended(ctx, err)
		}
		plan := run.Plan()
		answer, err := s.confirm(ctx, plan)
		if s.DryRun || err != nil && ctx.Err() == nil {
			for _, res := range plan {
				s.rep.Add(res)
			}
		}
		switch {
		case err != nil && ctx.Err() == nil:
			s.rep.Error(err.Error())
			return ExitUsage
		case !answer:
			if len(plan) > 0 {
				s.rep.Info("Nothing was changed.")
			}
			return s.ended(ctx, nil)
		}
	}
	return s.ended(ctx, run.Finish(ctx))
}

// confirm shows the plan by hand and has it answered. False without an error:
// nothing is to be done.
func (s *session) confirm(ctx context.Context, plan []provision.Result) (bool, error) {
	if s.DryRun || len(plan) == 0 {
		return false, nil
	}
	s.rep.Info("")
	s.rep.Info("The plan for the secret %s:", s.SecretName)
	for _, res := range plan {
		s.rep.Info("  %-8s %s: %s", res.Outcome, res.Repository, res.Reason)
	}
	switch {
	case s.Yes:
		return true, nil
	case !s.cmd.Terminal:
		return false, errors.New("nothing was changed: there is no terminal to ask on; --yes answers the plan, --dry-run only shows it")
	}
	_, _ = fmt.Fprintf(s.cmd.Stdout, "Apply this to %d repositories? [y/N] ", len(plan)) // the answer will be no
	answer := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(s.cmd.Stdin).ReadString('\n') // no answer is a no
		answer <- text
	}()
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case text := <-answer:
		text = strings.ToLower(strings.TrimSpace(text))
		return text == "y" || text == "yes", nil
	}
}

// ended is the exit code of a run that ended with err.
func (s *session) ended(ctx context.Context, err error) int {
	var stopped *provision.Stopped
	switch {
	case ctx.Err() != nil:
		s.rep.Warning("the run was interrupted; what was not reached is deferred, the next run does it")
		return ExitInterrupted
	case errors.As(err, &stopped) && stopped.Cause == provision.Permission:
		permission := stopped.Err.Permission
		if permission == "" {
			permission = "Secrets: write"
		}
		s.rep.Error(fmt.Sprintf("%s: three repositories in a row refused the write, so nothing further was tried: %v. "+
			"Give the token the permission %q for these repositories, for each store in secret-stores", s.gitHubInput(), stopped.Err, permission))
		return ExitUsage
	case errors.As(err, &stopped):
		s.rep.Error("the run ended early, and what was left is deferred: " + stopped.Error())
		return ExitFailed
	case !s.rep.Healthy():
		return ExitFailed
	}
	return ExitOK
}

// gitHubInput names the input that holds GitHub's credential.
func (s *session) gitHubInput() string {
	if s.app != nil {
		return s.Label("github-app-id")
	}
	return s.Label("github-token")
}

// list proves the credentials, lists both sides and selects. Nil targets: the
// run ends here, with the code.
func (s *session) list(ctx context.Context) ([]match.Target, int) {
	m := match.New(s.Organization)
	var fromCodacy []codacy.Repository
	codacySide := make(chan error, 1)
	go func() {
		codacySide <- s.listCodacy(ctx, func(r codacy.Repository) { fromCodacy = append(fromCodacy, r) })
	}()
	err := s.listGitHub(ctx, m.AddGitHub)
	codacyErr := <-codacySide
	if ctx.Err() != nil {
		s.rep.Warning("interrupted before anything was changed")
		return nil, ExitInterrupted
	}
	code := ExitOK
	for _, err := range []error{codacyErr, err} {
		if err == nil {
			continue
		}
		s.rep.Error(err.Error())
		var wrong *inputError
		if errors.As(err, &wrong) {
			code = max(code, ExitUsage)
		} else {
			code = max(code, ExitFailed)
		}
	}
	if code != ExitOK {
		return nil, code
	}
	for _, r := range fromCodacy {
		m.AddCodacy(r)
	}
	targets, left := m.Select(match.Selection{
		Include: s.Repositories.Match,
		Exclude: s.ExcludeRepositories.Match,
		Index:   s.Shard.Index, Count: s.Shard.Count,
	})
	s.rep.Selected(len(targets), left)
	s.rep.Info("%d repositories on Codacy, %d on GitHub: %d selected; %d not added to Codacy, %d left out by the patterns, %d in other shards",
		len(fromCodacy), m.GitHub(), len(targets), left.NotAdded, left.LeftOut, left.OtherShards)
	switch {
	case len(targets) == 0 && left.OtherShards > 0:
		s.begun = true
		return nil, ExitOK
	case len(targets) == 0 && left.LeftOut > 0:
		s.rep.Error(fmt.Sprintf("%s: the patterns select none of the %d repositories of %s; "+
			"they match GitHub's name without its owner, such as api-*", s.Label("repositories"), left.LeftOut, s.Organization))
		return nil, ExitUsage
	case len(targets) == 0:
		s.rep.Error(fmt.Sprintf("%s: %s has no repositories added to Codacy that this account token sees (%d not added); "+
			"add them at https://app.codacy.com", s.Label("organization"), s.Organization, left.NotAdded))
		return nil, ExitUsage
	case m.GitHub() == 0:
		s.rep.Error(fmt.Sprintf("%s: it sees no repository of %s on GitHub; give it access to the repositories, "+
			"or use one that belongs to %s", s.gitHubInput(), s.Organization, s.Organization))
		return nil, ExitUsage
	}
	return targets, ExitOK
}

// inputError is a failure at the start that an input is the cause of.
type inputError struct {
	input, why string
	err        error
}

func (e *inputError) Error() string { return e.input + ": " + e.why + " (" + e.err.Error() + ")" }

func (e *inputError) Unwrap() error { return e.err }

func (s *session) listCodacy(ctx context.Context, yield func(codacy.Repository)) error {
	if err := s.codacy.User(ctx); err != nil {
		// A dead account token may be answered by a 404, too.
		if wire.FateOf(err) == wire.Refused {
			return &inputError{s.Label("codacy-api-token"), "Codacy does not accept this account API token; " +
				"make one at https://app.codacy.com/account/access-management and check " + s.Label("codacy-api-url"), err}
		}
		return unreachable(err, s.Label("codacy-api-url"))
	}
	err := s.codacy.Repositories(ctx, yield)
	switch {
	case err == nil:
		return nil
	case wire.IsNotFound(err):
		return &inputError{s.Label("organization"), fmt.Sprintf("Codacy knows no organization %q of the provider %q that this account sees; "+
			"compare with its address on Codacy", s.Organization, s.Provider), err}
	case wire.FateOf(err) == wire.Refused:
		return &inputError{s.Label("codacy-api-token"), "Codacy refuses to list the organization's repositories to its owner", err}
	}
	return unreachable(err, s.Label("codacy-api-url"))
}

func (s *session) listGitHub(ctx context.Context, yield func(github.Repository)) error {
	scope := github.Installation
	if s.app != nil {
		if err := s.app.Start(ctx); err != nil {
			return s.appRefused(err)
		}
	} else if !strings.HasPrefix(s.GitHubToken.Reveal(), "ghs_") {
		var err error
		if scope, err = s.github.Owner(ctx, s.Organization); err != nil {
			if wire.IsNotFound(err) {
				return &inputError{s.Label("organization"), fmt.Sprintf("GitHub knows no owner %q", s.Organization), err}
			}
			return s.gitHubRefused(err)
		}
	}
	err := s.github.Repositories(ctx, scope, s.Organization, yield)
	if wire.IsNotFound(err) {
		return &inputError{s.Label("organization"), fmt.Sprintf("GitHub shows this token no repositories of %q", s.Organization), err}
	}
	return s.gitHubRefused(err)
}

// appRefused tells which of the App's inputs is at fault, if one is.
func (s *session) appRefused(err error) error {
	id, key := s.Label("github-app-id"), s.Label("github-app-private-key")
	settings := web(s.GitHubAPIURL) + "/settings/apps"
	switch {
	case github.IsUnknownApp(err):
		return &inputError{id, "GitHub knows no such App; its settings at " + settings + " show its App ID and its client ID " +
			"(an older Enterprise Server takes the App ID only), and " + key + " has to be one of its keys", err}
	case wire.IsNotFound(err):
		return &inputError{id, fmt.Sprintf("the App is not installed for %s; install it there, with Install App in its settings at %s, "+
			"or check %s", s.Organization, settings, s.Label("organization")), err}
	case wire.IsUnauthorized(err), errors.Is(err, github.ErrKey):
		return &inputError{key, fmt.Sprintf("GitHub does not accept this key as one of the App %s; "+
			"generate a private key in its settings at %s, or correct %s", s.GitHubAppID, settings, id), err}
	case wire.FateOf(err) == wire.Refused && wire.StatusOf(err) != 0:
		return &inputError{id, fmt.Sprintf("GitHub gives the App no token for %s; see whether its installation is suspended", s.Organization), err}
	}
	return unreachable(err, s.Label("github-api-url"))
}

func (s *session) gitHubRefused(err error) error {
	switch {
	case err == nil:
		return nil
	case wire.FateOf(err) == wire.Refused && s.app != nil:
		return &inputError{s.gitHubInput(), "GitHub does not accept the App's token; see whether its installation is suspended", err}
	case wire.FateOf(err) == wire.Refused:
		return &inputError{s.gitHubInput(), "GitHub does not accept this credential; " +
			"make a fine-grained token at https://github.com/settings/personal-access-tokens", err}
	}
	return unreachable(err, s.Label("github-api-url"))
}

func unreachable(err error, input string) error {
	return fmt.Errorf("%w; is the service up, and %s its API's address?", err, input)
}
