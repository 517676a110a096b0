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
	Short       string // for --help
	Description string // one line of Markdown, for action.yml and the docs
	Fix         string // what to do where it is required, on the command line
	Required    bool
	Credential  bool // never a flag, and never repeated in output

	// Env lists environment variables. The first one that is not blank replaces a
	// blank input: for a credential on the command line only.
	Env []string

	fallback string // replaces a default that is an expression, if Env is blank too
	list     bool   // a list of separators only is blank
	boolean  bool   // as a flag it needs no value
	set      setter
}

// blank returns the value of a blank input.
func (in Input) blank() string {
	if strings.HasPrefix(in.Default, "${{") {
		return in.fallback
	}
	return in.Default
}

// Bounds of the numbers. The ones that the contract leaves open are far above any need.
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
			Short:       "Codacy account API token",
			Fix:         "Set it to an account API token: https://app.codacy.com/account/access-management",
			Description: "Codacy account API token. Its owner needs admin rights on the repositories.",
			set:         token(func(c *Config) *secret.Value { return &c.CodacyAPIToken }),
		},
		{
			Name: "github-token", Credential: true, Env: []string{"GH_TOKEN", "GITHUB_TOKEN"},
			Short:       "token with permission to write secrets",
			Fix:         "Set it to a token with permission to write secrets: https://github.com/settings/personal-access-tokens/new",
			Description: "Token with permission to write secrets; this or the next two. A workflow's `GITHUB_TOKEN` can't write secrets.",
			set:         token(func(c *Config) *secret.Value { return &c.GitHubToken }),
		},
		{
			Name:        "github-app-id",
			Short:       "ID or client ID of a GitHub App",
			Fix:         "Copy the App ID or client ID from the App's settings: https://github.com/settings/apps",
			Description: "App ID or client ID of a GitHub App with permission to write secrets. The action creates and renews its installation tokens.",
			set:         matching(appID, "an App ID (digits) or a client ID (such as Iv23liAbCdEf)", func(c *Config) *string { return &c.GitHubAppID }),
		},
		{
			Name: "github-app-private-key", Credential: true, Env: []string{"GITHUB_APP_PRIVATE_KEY"},
			Short:       "private key (PEM) of the GitHub App",
			Fix:         "Set it to the content of the App's PEM file: https://github.com/settings/apps",
			Description: "Private key of that GitHub App: the content of the PEM file from GitHub.",
			set:         privateKey,
		},
		{
			Name: "organization", Default: "${{ github.repository_owner }}", Env: []string{"GITHUB_REPOSITORY_OWNER"},
			Short:       "owner of the repositories",
			Fix:         "Set it to the login in the address of the owner's page",
			Description: "Owner of the repositories: an organization or a user.",
			set: matching(login, "the owner's login, such as acme, without a URL or a repository",
				func(c *Config) *string { return &c.Organization }),
		},
		{
			Name: "provider", Default: "gh",
			Short:       "gh (GitHub.com) or ghe (Enterprise Server)",
			Description: "Git provider in Codacy: `gh` (GitHub.com) or `ghe` (GitHub Enterprise Server).",
			set:         oneOf(func(c *Config) *string { return &c.Provider }, "gh", "ghe"),
		},
		{
			Name: "codacy-api-url", Default: "https://app.codacy.com/api/v3",
			Short:       "Codacy's API",
			Description: "URL of Codacy's API. Self-hosted: `https://HOST/api/v3`.",
			set:         apiURL(func(c *Config) **url.URL { return &c.CodacyAPIURL }),
		},
		{
			Name: "github-api-url", Default: "${{ github.api_url }}", Env: []string{"GITHUB_API_URL"}, fallback: "https://api.github.com",
			Short:       "GitHub's API",
			Description: "URL of GitHub's API. Enterprise Server: `https://HOST/api/v3`.",
			set:         apiURL(func(c *Config) **url.URL { return &c.GitHubAPIURL }),
		},
		{
			Name: "repositories", Default: "*", list: true,
			Short:       "include globs, topic:GLOB, visibility:private",
			Description: "Repositories to include: globs on the name without the owner, `topic:GLOB`, or `visibility:public`, `private` or `internal`. Case-insensitive, separated by commas or newlines.",
			set:         patterns(func(c *Config, p Patterns) { c.Repositories = p }),
		},
		{
			Name: "exclude-repositories", list: true,
			Short:       "exclude patterns, in the same form",
			Description: "Repositories to exclude, in the same form.",
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
			Short:       storeNames(""),
			Description: "Stores of the secret: any of " + storeNames("`") + ", separated by commas or newlines.",
			set:         stores,
		},
		{
			Name: "existing-secrets", Default: "replace",
			Short:       "replace, keep, or only",
			Description: "What to do with a secret that this action did not create. `replace`: overwrite it. `keep`: leave it. `only`: overwrite it, but never add a missing secret. Applied per store.",
			set:         oneOf(func(c *Config) *rotation.Existing { return &c.Policy.Existing }, rotation.ExistingReplace, rotation.ExistingKeep, rotation.ExistingOnly),
		},
		{
			Name: "rotate", Default: "expiring",
			Short:       "renew expiring tokens, or always",
			Description: "Renew tokens that are `expiring`, or `always` all of them.",
			set:         oneOf(func(c *Config) *rotation.Rotate { return &c.Policy.Rotate }, rotation.RotateExpiring, rotation.RotateAlways),
		},
		{
			Name: "token-lifetime-days", Default: "365",
			Short:       "lifetime of new tokens, 2 to 365",
			Description: "Lifetime of new tokens in days, 2 to 365.",
			set:         number(2, maxLifetime, func(c *Config, n int) { c.Policy.Lifetime = time.Duration(n) * day }),
		},
		{
			Name: "renew-before-days", Default: "90",
			Short:       "days before the expiry to renew",
			Description: "Renew a token this many days before it expires: 1 or more, less than the lifetime. If the schedule stops, tokens stay valid for at least this long.",
			set:         number(1, maxLifetime-1, func(c *Config, n int) { c.Policy.RenewBefore = time.Duration(n) * day }),
		},
		{
			Name: "revoke-after-hours", Default: "864",
			Short:       "hours that replaced tokens stay valid",
			Description: "Minimum number of hours that a replaced token stays valid. A workflow run reads its secrets when it is queued, and may wait and run for 35 days. `0`: revoke it as soon as the new token is stored.",
			set:         number(0, maxRevokeAfter, func(c *Config, n int) { c.Policy.RevokeAfter = time.Duration(n) * time.Hour }),
		},
		{
			Name: "dry-run", Default: "false", boolean: true,
			Short:       "read and decide, change nothing",
			Description: "`true`: read and decide, change nothing.",
			set:         boolean(func(c *Config) *bool { return &c.DryRun }),
		},
		{
			Name: "concurrency", Default: "16",
			Short:       "repositories at a time, 1 to 100",
			Description: "Number of repositories at a time, 1 to 100.",
			set:         number(1, maxConcurrency, func(c *Config, n int) { c.Concurrency = n }),
		},
		{
			Name: "writes-per-minute", Default: "80",
			Short:       "writes per 60 s; 0 disables the limit",
			Description: "Maximum number of writes to GitHub per 60 seconds, not less than the number of stores. The default is GitHub's published limit. `0` disables the limit (GitHub Enterprise Server). Rate-limit responses are always respected.",
			set:         number(0, maxWrites, func(c *Config, n int) { c.WritesPerMinute = n }),
		},
		{
			Name: "max-duration", Default: "5h30m",
			Short:       "start no repository after it, 1s to 120h",
			Description: "Start no repository after this time, 1s to 120h, such as `90m`. A job on a GitHub-hosted runner ends after 6 hours.",
			set:         duration(time.Second, 120*time.Hour, func(c *Config) *time.Duration { return &c.MaxDuration }),
		},
		{
			Name: "shard", Default: "1/1",
			Short:       "this job's share, i/n",
			Description: "This job's share, `i/n`, for a matrix whose jobs have a credential each.",
			set:         shard,
		},
		{
			Name:        "report-file",
			Short:       "path of a .json or .csv report; -: stdout",
			Description: "Path of a `.json` or `.csv` report with each selected repository. On the command line, `-` prints JSON to standard output.",
			set:         reportFile,
		},
	}
}
