// Package config parses the inputs of the action: the inputs on a runner, flags and
// environment variables on the command line. Everything is validated before the
// first request, and all errors are reported together.
//
// Inputs is the one list of inputs; action.yml, the docs and the help text are
// generated from it or tested against it.
package config

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"github.com/codacy/codacy-project-tokens/internal/secret"
)

// Config holds the parsed inputs, within the bounds that they state. It shows no
// credential under any verb.
type Config struct {
	// Runner reports whether the program runs on a runner of GitHub Actions. Workflow
	// commands are printed only there.
	Runner bool

	CodacyAPIToken secret.Value
	// Either the token, or the App's ID and key, never both.
	GitHubToken         secret.Value
	GitHubAppID         string       // App ID or client ID
	GitHubAppPrivateKey secret.Value // PEM of an RSA key, PKCS #1 or PKCS #8

	Organization string
	Provider     string   // gh or ghe
	CodacyAPIURL *url.URL // without a slash at the end, as is GitHubAPIURL
	GitHubAPIURL *url.URL

	Repositories        Patterns // at least one
	ExcludeRepositories Patterns // may be empty

	// Policy holds the inputs that the rules read.
	Policy rotation.Policy

	DryRun          bool
	Concurrency     int
	WritesPerMinute int // 0: no limit
	MaxDuration     time.Duration
	Shard           Shard
	ReportFile      string // ends in .json or .csv; empty: none

	Yes   bool // skips the prompt on the command line
	Debug bool

	labels    map[string]string
	serverURL string // of the pages of the runner's GitHub; empty off a runner
}

// Label returns the name by which the user knows an input: the input on a runner; on
// the command line its flag, or the environment variable that it came from.
func (c *Config) Label(input string) string {
	if l := c.labels[input]; l != "" {
		return l
	}
	return input
}

// Shard is this job's share of the repositories: the Index-th of Count, counted from
// 1.
type Shard struct{ Index, Count int }

// String returns the shard as in the input.
func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.Index, s.Count) }

// Credentials returns the values of all variables that may hold a credential, valid
// or not. None of them may be printed.
func Credentials(getenv func(string) string) []secret.Value {
	var all []secret.Value
	add := func(text string) {
		if text = strings.TrimSpace(text); text != "" {
			all = append(all, secret.New(text))
		}
	}
	for _, in := range Inputs() {
		if !in.Credential {
			continue
		}
		for _, name := range append([]string{inputVariable(in.Name)}, in.Env...) {
			text := getenv(name)
			add(text)
			if lines := keyLines(text); lines != text {
				add(lines)
			}
		}
	}
	return all
}

// SelfHosted reports whether Codacy's API is not on a Codacy Cloud host.
func (c *Config) SelfHosted() bool {
	host := strings.ToLower(c.CodacyAPIURL.Hostname())
	return host != "app.codacy.com" && host != "api.codacy.com"
}

// CodacyWeb returns the address of Codacy's pages.
func (c *Config) CodacyWeb() string {
	if !c.SelfHosted() {
		return "https://app.codacy.com"
	}
	return c.CodacyAPIURL.Scheme + "://" + c.CodacyAPIURL.Host
}

// GitHubWeb returns the address of GitHub's pages, such as https://github.com: on a
// runner its own server's, otherwise the API's host without the "api." that
// github.com and GHE.com have.
func (c *Config) GitHubWeb() string {
	if c.serverURL != "" {
		return c.serverURL
	}
	host := c.GitHubAPIURL.Host
	if name := strings.ToLower(c.GitHubAPIURL.Hostname()); name == "api.github.com" || strings.HasPrefix(name, "api.") && strings.HasSuffix(name, ".ghe.com") {
		host = host[len("api."):]
	}
	return c.GitHubAPIURL.Scheme + "://" + host
}
