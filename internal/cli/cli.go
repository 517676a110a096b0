// Package cli is the program: from inputs to exit code, on a runner and by hand.
package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/config"
	"github.com/codacy/codacy-project-tokens/internal/diagnosis"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/match"
	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/provision"
	"github.com/codacy/codacy-project-tokens/internal/redact"
	"github.com/codacy/codacy-project-tokens/internal/report"
	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// GiveUp is how long after an interrupt the process ends, whatever still hangs: a
// pipe that nobody reads, a disk. What was begun is finished or undone by then, in
// at most six seconds; the runner kills after ten.
const GiveUp = 6700 * time.Millisecond

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

// barEvery is how often the bar of a terminal moves.
const barEvery = 200 * time.Millisecond

// Command is the program with all that it takes from outside.
type Command struct {
	Version        string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	// Terminal tells whether somebody can be asked.
	Terminal bool
	// Screen tells whether both Stdout and Stderr are shown on a terminal.
	Screen bool
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
		c.usage()
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
			c.fault(rep, f)
		}
		rep.Abort()
		return ExitUsage
	}
	s := c.session(cfg)
	code := s.run(ctx)
	if !s.begun {
		s.rep.Abort()
		return code
	}
	if s.rep.Finish() != nil {
		code = max(code, ExitFailed)
	}
	return code
}

// usage prints the text of --help, for a screen of 24 lines. Who asks for it can do
// nothing about an error.
func (c *Command) usage() {
	var codes []string
	for _, e := range Exits() {
		codes = append(codes, fmt.Sprintf("%d %s", e.Code, e.Short))
	}
	_, _ = fmt.Fprintf(c.Stdout, "%sExit codes: %s\n", config.Usage(), strings.Join(codes, "; "))
}

// fault tells what is wrong with an input.
func (c *Command) fault(rep *report.Report, f config.Fault) {
	if f.Case == "" {
		rep.Error(f.Error())
		return
	}
	server := cmp.Or(c.Getenv("GITHUB_SERVER_URL"), "https://github.com")
	rep.Problem(diagnosis.Tell(f.Case, nil, diagnosis.Values{
		"fault": f.Error(), "web": server, "repository": cmp.Or(c.Getenv("GITHUB_REPOSITORY"), "OWNER/REPOSITORY"),
	}))
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
	found                    findings
	// private counts the repositories that not everybody may see.
	private struct{ onCodacy, onGitHub int }
	// expires is when the account token does, on Codacy's clock; zero if never or
	// not known.
	expires time.Time
}

func (c *Command) session(cfg *config.Config) *session {
	s := &session{
		Config: cfg, cmd: c, until: time.Now().Add(cfg.MaxDuration),
		codacyClock: &wire.Clock{}, githubClock: &wire.Clock{},
	}
	s.found = findings{s, map[diagnosis.ID]*finding{}}
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
		Web: web(cfg.GitHubAPIURL), File: cfg.ReportFile, Version: c.Version, Debug: cfg.Debug,
		Bar: c.Screen && !cfg.Runner, Colour: c.Screen && !cfg.Runner && c.Getenv("NO_COLOR") == "" && c.Getenv("TERM") != "dumb",
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
	every := progressEvery
	if s.cmd.Screen && !s.Runner {
		every = barEvery
	}
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
		Mask:            s.rep.Mask, Rand: s.cmd.Rand,
		Done: func(res provision.Result) {
			s.rep.Add(res)
			s.found.note(res)
		},
		Progress: s.rep.Progress, ProgressEvery: every,
	}, targets)

	if s.cmd.Terminal && !s.Runner {
		defer context.AfterFunc(ctx, func() {
			s.rep.Info("Interrupted: what was begun is finished; another Ctrl-C ends it at once.")
		})()
	}
	if s.DryRun || !s.Runner {
		err := run.Look(ctx)
		s.rep.Rest()
		if err != nil {
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
			if !s.DryRun {
				s.rep.Declined(len(plan))
			}
			return s.ended(ctx, nil)
		}
	}
	err := run.Finish(ctx)
	s.rep.Rest()
	return s.ended(ctx, err)
}

// confirm shows the plan by hand and has it answered. False without an error:
// nothing is to be done.
func (s *session) confirm(ctx context.Context, plan []provision.Result) (bool, error) {
	if s.DryRun || len(plan) == 0 {
		return false, nil
	}
	s.rep.Plan(plan)
	switch {
	case s.Yes:
		return true, nil
	case !s.cmd.Terminal:
		return false, errors.New("nothing was changed: there is no terminal to ask on; --yes answers the plan, --dry-run only shows it")
	}
	word := "repositories"
	if len(plan) == 1 {
		word = "repository"
	}
	_, _ = fmt.Fprintf(s.cmd.Stdout, "Apply this to %d %s? [y/N] ", len(plan), word) // the answer will be no
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
	if ctx.Err() != nil {
		s.rep.Warning("the run was interrupted; what was not reached is deferred, the next run does it")
		return ExitInterrupted
	}
	if !errors.As(err, &stopped) {
		s.found.tell(ctx, "")
		if !s.rep.Healthy() {
			return ExitFailed
		}
		return ExitOK
	}
	why := fmt.Errorf("the run ended early, and what was left is deferred: %w", stopped)
	switch {
	case stopped.Cause == provision.Permission:
		id, values := s.refusal(stopped.Err)
		values["first"], values["hidden"] = "the repositories", "three in a row"
		s.found.tell(ctx, id)
		s.rep.Problem(s.lines(&problem{id, values, fmt.Errorf("three repositories in a row refused the write, so nothing further was tried: "+
			"GitHub wants %q: %w", cmp.Or(stopped.Err.Permission, "secrets=write"), stopped.Err)}))
		return ExitUsage
	case stopped.Cause == provision.Credentials && stopped.Err.Service == codacy.Name:
		s.rep.Problem(s.lines(&problem{s.accountToken(stopped.Err), nil, why}))
	case stopped.Cause == provision.Credentials:
		id, values := s.refusal(stopped.Err)
		s.rep.Problem(s.lines(&problem{id, values, why}))
	default:
		s.rep.Error(why.Error())
	}
	return ExitFailed
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
	var unknown, codacyErr error
	codacySide := make(chan struct{})
	go func() {
		defer close(codacySide)
		unknown, codacyErr = s.listCodacy(ctx, func(r codacy.Repository) {
			fromCodacy = append(fromCodacy, r)
			if r.Private && r.Added {
				s.private.onCodacy++
			}
		})
	}()
	var only string // the one repository that GitHub shows, if it is one
	owner, err := s.listGitHub(ctx, func(r github.Repository) {
		m.AddGitHub(r)
		only = r.Owner + "/" + r.Name
		if r.Private {
			s.private.onGitHub++
		}
	})
	<-codacySide
	if ctx.Err() != nil {
		s.rep.Warning("interrupted before anything was changed")
		return nil, ExitInterrupted
	}
	if unknown != nil {
		codacyErr = s.noOrganization(ctx, unknown, owner.Login)
	}
	code := ExitOK
	for _, err := range []error{codacyErr, err} {
		if err != nil {
			code = max(code, s.fail(err))
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
	s.warnAhead(owner)
	unseen, closed := 0, 0
	for _, t := range targets {
		switch {
		case t.Unseen:
			unseen++
		case t.Skip != "":
			closed++
		}
	}
	counts := func(n int) diagnosis.Values {
		return diagnosis.Values{"hidden": fmt.Sprint(n), "selected": fmt.Sprint(len(targets))}
	}
	switch {
	case len(targets) == 0 && left.OtherShards > 0:
		s.begun = true
		return nil, ExitOK
	case len(targets) == 0 && left.LeftOut > 0:
		return nil, s.fail(&problem{diagnosis.NoMatch, counts(left.LeftOut), nil})
	case len(targets) == 0:
		return nil, s.fail(&problem{diagnosis.NothingAdded, counts(left.NotAdded), nil})
	case unseen == len(targets) && s.isInstallationToken() && m.GitHub() <= 1 && strings.EqualFold(only, s.cmd.Getenv("GITHUB_REPOSITORY")):
		return nil, s.fail(&problem{diagnosis.WorkflowToken, nil, nil})
	case m.GitHub() == 0 && s.private.onCodacy > 0 && owner.Scope == github.Organization && !owner.Classic:
		return nil, s.fail(&problem{diagnosis.TokenForeign, nil, nil})
	case m.GitHub() == 0:
		return nil, s.fail(&problem{diagnosis.TokenSeesNothing, nil, nil})
	case unseen > 0 && s.app != nil && s.app.Installed().Selection == "selected":
		s.rep.Caution(s.lines(&problem{diagnosis.AppSelected, counts(unseen), nil}))
	case closed == len(targets):
		first := counts(closed)
		first["first"] = targets[0].GitHub.Owner + "/" + targets[0].GitHub.Name
		s.rep.Caution(s.lines(&problem{diagnosis.AllArchived, first, nil}))
	}
	return targets, ExitOK
}

// listCodacy lists Codacy's repositories. Where it does not know the
// organization, unknown is the error.
func (s *session) listCodacy(ctx context.Context, yield func(codacy.Repository)) (unknown, err error) {
	if err := s.codacy.User(ctx); err != nil {
		return nil, s.noCodacy(err)
	}
	err = s.codacy.Repositories(ctx, yield)
	switch {
	case err == nil:
		// Only for a warning: a run does without it.
		s.expires, _ = s.codacy.Expiry(ctx, s.CodacyAPIToken)
		return nil, nil
	case wire.IsNotFound(err):
		return err, nil
	case refused(err):
		return nil, &problem{diagnosis.AccountTokenRefused, nil, err}
	}
	return nil, s.unreachable(err, s.CodacyAPIURL, "codacy-api-url")
}

// listGitHub lists GitHub's repositories; owner is empty where an installation's
// token is used.
func (s *session) listGitHub(ctx context.Context, yield func(github.Repository)) (owner github.Owner, err error) {
	owner.Scope = github.Installation
	switch {
	case s.app != nil:
		if err := s.app.Start(ctx); err != nil {
			return owner, s.noApp(err)
		}
		if p := s.missing(); p != nil && s.DryRun {
			s.rep.Caution(s.lines(p))
		} else if p != nil {
			return owner, p
		}
	case !s.isInstallationToken():
		owner, err = s.github.Owner(ctx, s.Organization)
		switch {
		case wire.IsNotFound(err) && !asWire(err).Page:
			return owner, &problem{diagnosis.GitHubOwner, nil, err}
		case err != nil:
			return owner, s.noGitHub(err)
		case owner.Classic && !slices.Contains(owner.Scopes, "repo"):
			found := cmp.Or(strings.Join(owner.Scopes, ", "), "none")
			return owner, &problem{diagnosis.TokenScope, diagnosis.Values{"found": found}, nil}
		}
	}
	err = s.github.Repositories(ctx, owner.Scope, s.Organization, yield)
	switch {
	case err == nil:
		return owner, nil
	case wire.IsNotFound(err) && !asWire(err).Page:
		return owner, &problem{diagnosis.TokenSeesNothing, nil, err}
	}
	return owner, s.noGitHub(err)
}
