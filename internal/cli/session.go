package cli

import (
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/config"
	"github.com/codacy/codacy-project-tokens/internal/diagnosis"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/report"
	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// Bounds of what is tried again, beside what a service asks for.
var (
	startRetry = pace.Retry{MaxElapsed: 16 * time.Second, MaxTotal: 29 * time.Second}
	laterRetry = pace.Retry{MaxElapsed: 45 * time.Second}
)

// session is one run with its clients.
type session struct {
	*config.Config
	cmd    *Command
	rep    *report.Report
	tally  outcome.Tally
	codacy *codacy.Client
	github *github.Client
	app    *github.App // nil where GitHub is given a token

	codacyLimiter, githubLimiter *pace.Limiter
	codacyClock, githubClock     *wire.Clock
	startBefore                  time.Time
	owner                        github.Owner
	started                      bool         // there is something to report
	findings                     findings
	// private counts the repositories that not everybody may see.
	private struct{ onCodacy, onGitHub int }
	// expires is when the account token does, on Codacy's clock; zero if never or
	// not known.
	accountTokenExpires time.Time
}

func (c *Command) session(cfg *config.Config) *session {
	s := &session{
		Config: cfg, cmd: c, startBefore: time.Now().Add(cfg.MaxDuration),
		codacyClock: &wire.Clock{}, githubClock: &wire.Clock{},
	}
	s.findings = findings{s, map[diagnosis.ID]*finding{}}
	// Each service draws numbers of its own, under its own lock.
	spread := func() func() float64 { return rand.New(rand.NewPCG(c.Rand.Uint64(), 0)).Float64 }
	s.codacyLimiter = pace.NewLimiter(codacy.Name, true, spread(), codacy.Limits(cfg.CodacyAPIURL)...)
	s.githubLimiter = pace.NewLimiter(github.Name, false, spread(), github.Limits(cfg.WritesPerMinute)...)

	base := c.Transport
	if base == nil {
		base = wire.Base(cfg.Concurrency + 2)
	}
	agent := "codacy-project-tokens/" + c.Version
	codacyHTTP := (&wire.Transport{
		Service: codacy.Name, Origin: cfg.CodacyAPIURL, Base: base, Limiter: s.codacyLimiter, Clock: s.codacyClock,
		UserAgent: agent, Authorize: wire.Bearer("Api-Token", "", cfg.CodacyAPIToken), Redact: c.redactor.Redact,
	}).Client()
	toGitHub := &wire.Transport{
		Service: github.Name, Origin: cfg.GitHubAPIURL, Base: base, Limiter: s.githubLimiter, Clock: s.githubClock,
		UserAgent: agent, Authorize: wire.Bearer("Authorization", "Bearer ", cfg.GitHubToken), Redact: c.redactor.Redact,
	}
	if cfg.GitHubAppID != "" {
		s.app = github.NewApp(github.AppOptions{
			ID: cfg.GitHubAppID, Key: cfg.GitHubAppPrivateKey, Owner: cfg.Organization,
			Transport: *toGitHub, Limiter: s.githubLimiter, Start: startRetry,
			OnSecret: c.redactor.Add,
			Mask:     func(v secret.Value) error { return s.rep.Mask(v) },
		})
		toGitHub = s.app.Transport()
	}
	s.codacy = codacy.New(codacyHTTP, cfg.CodacyAPIURL, cfg.Provider, cfg.Organization, startRetry, laterRetry)
	s.codacy.OnSecret = c.redactor.Add
	s.github = github.New(toGitHub.Client(), cfg.GitHubAPIURL, startRetry, laterRetry)
	s.rep = report.New(report.Options{
		Runner: cfg.Runner, Stdout: c.Stdout, Stderr: c.Stderr, Getenv: c.Getenv, Redactor: c.redactor, MaskWriter: c.masks,
		Organization: cfg.Organization, SecretName: cfg.SecretName, DryRun: cfg.DryRun,
		Web: GitHubWeb(cfg.GitHubAPIURL), File: cfg.ReportFile, Version: c.Version, Debug: cfg.Debug,
		ProgressBar: c.Screen && !cfg.Runner, Colour: c.Screen && !cfg.Runner && c.Getenv("NO_COLOR") == "" && c.Getenv("TERM") != "dumb",
		Now: s.codacyNow, Tally: &s.tally, RenewBefore: cfg.RenewBefore, CodacyWeb: CodacyWeb(cfg.CodacyAPIURL),
	})
	return s
}

// codacyNow returns the time on Codacy's clock.
func (s *session) codacyNow() time.Time { return time.Now().Add(s.codacyClock.Offset()) }

// selfHosted tells whether Codacy is none of its cloud's addresses.
func SelfHosted(u *url.URL) bool {
	host := strings.ToLower(u.Hostname())
	return host != "app.codacy.com" && host != "api.codacy.com"
}

// web is GitHub's web address that belongs to an API's.
func GitHubWeb(api *url.URL) string {
	if strings.EqualFold(api.Hostname(), "api.github.com") {
		return "https://github.com"
	}
	return api.Scheme + "://" + api.Host
}

// gitHubInput names the input that holds GitHub's credential.
func (s *session) gitHubInput() string {
	if s.app != nil {
		return s.Label("github-app-id")
	}
	return s.Label("github-token")
}
