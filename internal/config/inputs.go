package config

import (
	"net/url"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"github.com/codacy/codacy-project-tokens/internal/secret"
)

// Input describes one input of the action.
type Input struct {
	Name        string
	Default     string // as in action.yml; may be an expression there
	Short       string // for --help and for errors
	Description string // one line of Markdown, for action.yml and the docs
	Required    bool
	Credential  bool // never a flag, never echoed

	// Env are variables of the environment, of which the first that is not
	// blank stands in for a blank input: for a credential by hand only, for
	// others everywhere.
	Env []string

	fallback string // in place of a default that is an expression, if Env is blank too
	list     bool   // of nothing but separators it is blank
	boolean  bool   // as a flag it needs no value
	set      setter
}

// blank returns what stands in for a blank input.
func (in Input) blank() string {
	if strings.HasPrefix(in.Default, "${{") {
		return in.fallback
	}
	return in.Default
}

// Bounds of the numbers. Those that the contract leaves open are far above
// what anybody needs, and keep nonsense out.
const (
	day            = 24 * time.Hour
	maxLifetime    = 365 // days, Codacy's limit
	maxRevokeAfter = 365 * 24
	maxConcurrency = 100 // GitHub's limit of concurrent requests
	maxWrites      = 100_000
	maxShards      = 10_000
)

// Inputs lists all inputs in the order of action.yml.
func Inputs() []Input {
	return []Input{
		{
			Name: "codacy-api-token", Required: true, Credential: true, Env: []string{"CODACY_API_TOKEN"},
			Short:       "account API token of Codacy",
			Description: "Account API token of Codacy; its owner needs admin rights on the repositories.",
			set:         token(func(c *Config) *secret.Value { return &c.CodacyAPIToken }),
		},
		{
			Name: "github-token", Credential: true, Env: []string{"GH_TOKEN", "GITHUB_TOKEN"},
			Short:       "token that may write secrets",
			Description: "Token that may write the repositories' secrets; this, or the two below. A workflow's own `GITHUB_TOKEN` may not.",
			set:         token(func(c *Config) *secret.Value { return &c.GitHubToken }),
		},
		{
			Name:        "github-app-id",
			Short:       "ID or client ID of a GitHub App",
			Description: "App ID or client ID of a GitHub App that may write secrets; the action renews its installation tokens itself.",
			set:         matching(appID, "an App ID (digits) or a client ID (such as Iv23liAbCdEf)", func(c *Config) *string { return &c.GitHubAppID }),
		},
		{
			Name: "github-app-private-key", Credential: true, Env: []string{"GITHUB_APP_PRIVATE_KEY"},
			Short:       "private key (PEM) of the GitHub App",
			Description: "Private key of that GitHub App, as the PEM file that GitHub gave.",
			set:         privateKey,
		},
		{
			Name: "organization", Default: "${{ github.repository_owner }}", Env: []string{"GITHUB_REPOSITORY_OWNER"},
			Short:       "owner of the repositories",
			Description: "Owner of the repositories, an organization or a user.",
			set: matching(login, "the owner's login alone, such as acme (no URL, no repository)",
				func(c *Config) *string { return &c.Organization }),
		},
		{
			Name: "provider", Default: "gh",
			Short:       "gh (GitHub) or ghe (GitHub Enterprise)",
			Description: "Where Codacy has the repositories from: `gh` (GitHub) or `ghe` (GitHub Enterprise).",
			set:         oneOf(func(c *Config) *string { return &c.Provider }, "gh", "ghe"),
		},
		{
			Name: "codacy-api-url", Default: "https://app.codacy.com/api/v3",
			Short:       "Codacy's API",
			Description: "URL of Codacy's API; where it is self-hosted, `https://HOST/api/v3`.",
			set:         apiURL(func(c *Config) **url.URL { return &c.CodacyAPIURL }),
		},
		{
			Name: "github-api-url", Default: "${{ github.api_url }}", Env: []string{"GITHUB_API_URL"}, fallback: "https://api.github.com",
			Short:       "GitHub's API",
			Description: "URL of GitHub's API; of an Enterprise Server, `https://HOST/api/v3`.",
			set:         apiURL(func(c *Config) **url.URL { return &c.GitHubAPIURL }),
		},
		{
			Name: "repositories", Default: "*", list: true,
			Short:       "globs of names, by comma or line",
			Description: "Globs on GitHub's name of a repository (without its owner), in any case of letters, by comma or line.",
			set:         patterns(func(c *Config, p Patterns) { c.Repositories = p }),
		},
		{
			Name: "exclude-repositories", list: true,
			Short:       "globs of names that are left out",
			Description: "Globs of the same kind; what they match is left out.",
			set:         patterns(func(c *Config, p Patterns) { c.ExcludeRepositories = p }),
		},
		{
			Name: "secret-name", Default: "CODACY_PROJECT_TOKEN",
			Short:       "name of the secret",
			Description: "Name of the secret that holds the project token.",
			set:         secretName,
		},
		{
			Name: "secret-stores", Default: "actions", list: true,
			Short:       "actions, dependabot, codespaces, agents",
			Description: "Where the secret is stored: any of `actions`, `dependabot`, `codespaces`, `agents`, by comma or line.",
			set:         stores,
		},
		{
			Name: "existing-secrets", Default: "replace",
			Short:       "others' secrets: replace, keep, or only",
			Description: "What is done about a secret that this action did not make: `replace` it, `keep` it, or `only`: like `replace`, but never create one where there is none. It counts for each store by itself.",
			set:         oneOf(func(c *Config) *rotation.Existing { return &c.Policy.Existing }, rotation.ExistingReplace, rotation.ExistingKeep, rotation.ExistingOnly),
		},
		{
			Name: "rotate", Default: "expiring",
			Short:       "renew what is expiring, or always",
			Description: "Which tokens are renewed: those that are `expiring`, or `always` all.",
			set:         oneOf(func(c *Config) *rotation.Rotate { return &c.Policy.Rotate }, rotation.RotateExpiring, rotation.RotateAlways),
		},
		{
			Name: "token-lifetime-days", Default: "365",
			Short:       "days that a new token lives, 2 to 365",
			Description: "Lifetime of a new token in days, 2 to 365, counted on Codacy's clock.",
			set:         number(2, maxLifetime, func(c *Config, n int) { c.Policy.Lifetime = time.Duration(n) * day }),
		},
		{
			Name: "renew-before-days", Default: "90",
			Short:       "days before its expiry that it is renewed",
			Description: "How many days before its expiry a token is renewed: 1 or more, less than the lifetime. So long can the schedule be silent before anything breaks.",
			set:         number(1, maxLifetime-1, func(c *Config, n int) { c.Policy.RenewBefore = time.Duration(n) * day }),
		},
		{
			Name: "revoke-after-hours", Default: "24",
			Short:       "hours that a replaced token lives on",
			Description: "How many hours, at least, a replaced token lives on for jobs that have read it; `0`: it is revoked as soon as the new one is stored.",
			set:         number(0, maxRevokeAfter, func(c *Config, n int) { c.Policy.RevokeAfter = time.Duration(n) * time.Hour }),
		},
		{
			Name: "dry-run", Default: "false", boolean: true,
			Short:       "change nothing",
			Description: "`true`: read and decide, but change nothing.",
			set:         boolean(func(c *Config) *bool { return &c.DryRun }),
		},
		{
			Name: "concurrency", Default: "16",
			Short:       "repositories at once, 1 to 100",
			Description: "How many repositories are worked on at once, 1 to 100.",
			set:         number(1, maxConcurrency, func(c *Config, n int) { c.Concurrency = n }),
		},
		{
			Name: "writes-per-minute", Default: "80",
			Short:       "writes to GitHub in any 60 s; 0: no limit",
			Description: "At most so many writes to GitHub in any 60 seconds, by default its published limit; `0`: no limit of ours (GitHub Enterprise Server without limits). What a service answers is always heeded.",
			set:         number(0, maxWrites, func(c *Config, n int) { c.WritesPerMinute = n }),
		},
		{
			Name: "max-duration", Default: "5h30m",
			Short:       "begin nothing further after it, 1s to 120h",
			Description: "Time after which no further repository is begun, 1s to 120h, such as `90m`. A job of GitHub Actions ends at 6 h.",
			set:         duration(time.Second, 120*time.Hour, func(c *Config) *time.Duration { return &c.MaxDuration }),
		},
		{
			Name: "shard", Default: "1/1",
			Short:       "this job's part, i/n",
			Description: "This job's part, `i/n`, for a matrix whose jobs have a credential each.",
			set:         shard,
		},
		{
			Name:        "report-file",
			Short:       "path of a .json or .csv report",
			Description: "Path of a `.json` or `.csv` report on each selected repository, in the workspace.",
			set:         reportFile,
		},
	}
}
