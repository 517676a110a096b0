package cli

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/config"
	"github.com/codacy/codacy-project-tokens/internal/diagnosis"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/provision"
	"github.com/codacy/codacy-project-tokens/internal/report"
	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// session is one run with its clients.
type session struct {
	cfg    *config.Config
	cmd    *Command
	rep    *report.Report
	tally  outcome.Tally
	codacy *codacy.Client
	github *github.Client
	app    *github.App // nil if GitHub's credential is a token

	codacyLimiter, githubLimiter *pace.Limiter
	waits                        *pace.Waits
	startRetry, laterRetry       pace.Retry
	codacyClock, githubClock     *wire.Clock
	startBefore                  time.Time
	scope                        github.Scope // of GitHub's list
	started                      bool         // there are repositories to report
	setup                        diagnosis.Setup
	findings                     *diagnosis.Findings
	accountExpiry                codacy.AccountExpiry
}

func (c *Command) session(cfg *config.Config) *session {
	s := &session{
		cfg: cfg, cmd: c, startBefore: time.Now().Add(cfg.MaxDuration),
		codacyClock: &wire.Clock{}, githubClock: &wire.Clock{}, waits: &pace.Waits{},
	}
	// The first requests are repeated for a shorter time, so that a service that is
	// down is reported soon.
	s.startRetry = pace.Retry{MaxElapsed: 16 * time.Second, MaxTotal: 29 * time.Second, Waits: s.waits}
	s.laterRetry = pace.Retry{MaxElapsed: 45 * time.Second, Waits: s.waits}
	s.setup = diagnosis.Setup{
		Organization: cfg.Organization, Provider: cfg.Provider,
		CodacyAPIURL: cfg.CodacyAPIURL, GitHubURL: cfg.GitHubAPIURL,
		Pages: diagnosis.Pages{GitHub: cfg.GitHubWeb(), Codacy: cfg.CodacyWeb()},
		AppID: cfg.GitHubAppID, Stores: cfg.Policy.Stores, Label: cfg.Label,
		LooksLikeProjectToken: diagnosis.LooksLikeProjectToken(cfg.CodacyAPIToken.Reveal()), // by its form
		WorkflowRepository:    c.Getenv("GITHUB_REPOSITORY"),
		Runner:                cfg.Runner, Traits: cfg.Repositories.NeedTraits() || cfg.ExcludeRepositories.NeedTraits(),
	}
	switch {
	case cfg.GitHubAppID != "":
		s.setup.Credential = diagnosis.App
	case strings.HasPrefix(cfg.GitHubToken.Reveal(), "ghs_"): // by its form
		s.setup.Credential = diagnosis.InstallationToken
	}
	s.findings = s.setup.Findings()
	s.connect()
	s.rep = report.New(report.Options{
		Runner: cfg.Runner, Stdout: c.Stdout, Stderr: c.Stderr, Getenv: c.Getenv, Redactor: c.redactor, MaskWriter: c.masks,
		Organization: cfg.Organization, SecretName: cfg.Policy.SecretName, DryRun: cfg.DryRun,
		Web: cfg.GitHubWeb(), CodacyWeb: cfg.CodacyWeb(), File: cfg.ReportFile, Version: c.Version, Debug: cfg.Debug,
		ProgressBar: c.Screen && !cfg.Runner, Colour: c.Screen && !cfg.Runner && c.Getenv("NO_COLOR") == "" && c.Getenv("TERM") != "dumb",
		Now: s.codacyNow, Tally: &s.tally, RenewBefore: cfg.Policy.RenewBefore,
	})
	return s
}

// connect creates the clients of both services.
func (s *session) connect() {
	cfg, c := s.cfg, s.cmd
	// Each limiter draws its own numbers, under its own lock.
	random := func() func() float64 { return rand.New(rand.NewPCG(c.Rand.Uint64(), 0)).Float64 }
	s.codacyLimiter = pace.NewLimiter(codacy.Name, true, random(), codacy.Limits(cfg.CodacyAPIURL)...)
	s.githubLimiter = pace.NewLimiter(github.Name, false, random(), github.Limits(cfg.WritesPerMinute)...)
	s.waits.Watch(s.codacyLimiter, s.githubLimiter)

	base := c.Transport
	if base == nil {
		base = wire.Base(2*cfg.Concurrency + 2)
	}
	agent := "codacy-project-tokens/" + c.Version
	toCodacy := &wire.Transport{
		Service: codacy.Name, Origin: cfg.CodacyAPIURL, Base: base, Limiter: s.codacyLimiter, Clock: s.codacyClock,
		UserAgent: agent, Authorize: wire.Bearer("Api-Token", "", cfg.CodacyAPIToken), Redact: c.redactor.Redact,
	}
	toGitHub := &wire.Transport{
		Service: github.Name, Origin: cfg.GitHubAPIURL, Base: base, Limiter: s.githubLimiter, Clock: s.githubClock,
		UserAgent: agent, Authorize: wire.Bearer("Authorization", "Bearer ", cfg.GitHubToken), Redact: c.redactor.Redact,
	}
	if s.setup.Credential == diagnosis.InstallationToken {
		connected := time.Now() // it may have been created just before
		toGitHub.CreatedAt = func(*http.Request) time.Time { return connected }
	}
	if s.setup.Credential == diagnosis.App {
		stores := make([]string, len(cfg.Policy.Stores))
		for i, store := range cfg.Policy.Stores {
			stores[i] = string(store)
		}
		s.app = github.NewApp(github.AppOptions{
			ID: cfg.GitHubAppID, Key: cfg.GitHubAppPrivateKey, Owner: cfg.Organization,
			Transport: *toGitHub, Limiter: s.githubLimiter, Start: s.startRetry,
			Permissions: github.StorePermissions(stores, cfg.DryRun),
			OnSecret:    c.redactor.Add,
			Mask:        func(v secret.Value) error { return s.rep.Mask(v) },
		})
		toGitHub = s.app.Transport()
	}
	s.codacy = codacy.New(toCodacy.Client(), cfg.CodacyAPIURL, cfg.Provider, cfg.Organization, s.startRetry, s.laterRetry)
	s.codacy.OnSecret = c.redactor.Add
	s.github = github.New(toGitHub.Client(), cfg.GitHubAPIURL, s.startRetry, s.laterRetry)
	s.github.KeepTraits = s.setup.Traits
}

// codacyNow returns the time on Codacy's clock.
func (s *session) codacyNow() time.Time { return time.Now().Add(s.codacyClock.Offset()) }

// clockSources returns both services' clocks.
func (s *session) clockSources() []provision.ClockSource {
	return []provision.ClockSource{
		{Service: codacy.Name, Clock: s.codacyClock, Request: s.codacy.User},
		{Service: github.Name, Clock: s.githubClock, Request: func(ctx context.Context) error {
			return s.github.Probe(ctx, s.scope, s.cfg.Organization)
		}},
	}
}
