package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/rotation"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/codacy/codacy-project-tokens/internal/config"
	"github.com/codacy/codacy-project-tokens/internal/secret"
)

const (
	codacyToken = "codacy-account-token"
	githubToken = "github_pat_11ABCDEFG"
)

type env map[string]string

func (e env) get(name string) string { return e[name] }

// runner returns the environment of a runner with what every run needs, and
// with inputs by their names on top.
func runner(inputs env) env {
	e := env{
		"GITHUB_ACTIONS":          "true",
		"GITHUB_REPOSITORY_OWNER": "acme",
		"INPUT_CODACY-API-TOKEN":  codacyToken,
		"INPUT_GITHUB-TOKEN":      githubToken,
	}
	for name, value := range inputs {
		e["INPUT_"+strings.ToUpper(name)] = value
	}
	return e
}

// byHand returns a terminal's environment with what every run needs.
func byHand(more env) env {
	return with(env{"CODACY_API_TOKEN": codacyToken, "GH_TOKEN": githubToken, "GITHUB_REPOSITORY_OWNER": "acme"}, more)
}

func with(e, more env) env {
	maps.Copy(e, more)
	return e
}

func mustURL(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return u
}

func defaults() *config.Config {
	return &config.Config{
		CodacyAPIToken: secret.New(codacyToken),
		GitHubToken:    secret.New(githubToken),
		Organization:   "acme",
		Provider:       "gh",
		CodacyAPIURL:   mustURL("https://app.codacy.com/api/v3"),
		GitHubAPIURL:   mustURL("https://api.github.com"),
		Repositories:   config.Patterns{"*"},
		Policy: rotation.Policy{
			SecretName: "CODACY_PROJECT_TOKEN", Stores: []rotation.Store{"actions"}, Existing: "replace", Rotate: "expiring",
			Lifetime: 365 * 24 * time.Hour, RenewBefore: 90 * 24 * time.Hour, RevokeAfter: 864 * time.Hour,
		},
		Concurrency:     16,
		WritesPerMinute: 80,
		MaxDuration:     5*time.Hour + 30*time.Minute,
		Shard:           config.Shard{Index: 1, Count: 1},
	}
}

func diff(want, got *config.Config) string {
	return cmp.Diff(want, got, cmpopts.IgnoreUnexported(config.Config{}))
}

func parseErrors(t *testing.T, args []string, e env) config.InputErrors {
	t.Helper()
	c, err := config.Parse(args, e.get)
	if err == nil {
		t.Fatalf("got %+v and no error, want faults", c)
	}
	if c != nil {
		t.Error("got a config with an error")
	}
	faults, ok := errors.AsType[config.InputErrors](err)
	if !ok {
		t.Fatalf("got error %v, want faults", err)
	}
	return faults
}

func TestParse(t *testing.T) {
	t.Parallel()

	blanks := env{}
	for _, in := range config.Inputs() {
		if in.Required || in.Name == "github-token" {
			continue
		}
		blanks[in.Name] = " \t\r\n"
	}
	keys := rsaKeys()
	app := func(id, key string) env {
		return env{"github-token": "", "github-app-id": id, "github-app-private-key": key}
	}
	appConfig := func(id, key string) func(*config.Config) {
		return func(c *config.Config) {
			c.GitHubToken, c.GitHubAppID, c.GitHubAppPrivateKey = secret.Value{}, id, secret.New(key)
		}
	}

	tests := []struct {
		name string
		args []string
		env  env
		want func(*config.Config) // what differs from the defaults
	}{
		{name: "runner, defaults", env: runner(nil), want: func(c *config.Config) { c.Runner = true }},
		{name: "runner, all blank", env: runner(blanks), want: func(c *config.Config) { c.Runner = true }},
		{
			name: "runner, lists of separators only",
			env:  runner(env{"repositories": " ,\n, ", "exclude-repositories": ",", "secret-stores": "\r\n,"}),
			want: func(c *config.Config) { c.Runner = true },
		},
		{
			name: "runner, GitHub's URL from the environment",
			env:  with(runner(nil), env{"GITHUB_API_URL": "https://ghe.example/api/v3"}),
			want: func(c *config.Config) { c.Runner, c.GitHubAPIURL = true, mustURL("https://ghe.example/api/v3") },
		},
		{
			name: "runner, every input",
			env: runner(env{
				"codacy-api-token":     " c0d \n",
				"github-token":         "\tghs_1\r\n",
				"organization":         " other_corp ",
				"provider":             "ghe",
				"codacy-api-url":       "https://codacy.example:8443/api/v3//",
				"github-api-url":       "http://127.0.0.9:80/",
				"repositories":         "API-*, web-?\r\n\n [a-f]* ,",
				"exclude-repositories": "api-old",
				"secret-name":          "_Token_2",
				"secret-stores":        "actions, dependabot\nagents,actions",
				"existing-secrets":     "only",
				"rotate":               "always",
				"token-lifetime-days":  "2",
				"renew-before-days":    "1",
				"revoke-after-hours":   "0",
				"dry-run":              "True",
				"concurrency":          "100",
				"writes-per-minute":    "0",
				"max-duration":         "120h",
				"shard":                "3/3",
				"report-file":          "report.CSV",
			}),
			want: func(c *config.Config) {
				*c = config.Config{
					Runner:              true,
					CodacyAPIToken:      secret.New("c0d"),
					GitHubToken:         secret.New("ghs_1"),
					Organization:        "other_corp",
					Provider:            "ghe",
					CodacyAPIURL:        mustURL("https://codacy.example:8443/api/v3"),
					GitHubAPIURL:        mustURL("http://127.0.0.9:80"),
					Repositories:        config.Patterns{"api-*", "web-?", "[a-f]*"},
					ExcludeRepositories: config.Patterns{"api-old"},
					Policy: rotation.Policy{
						SecretName: "_Token_2", Stores: []rotation.Store{"agents", "dependabot", "actions"},
						Existing: rotation.ExistingOnly, Rotate: rotation.RotateAlways,
						Lifetime: 48 * time.Hour, RenewBefore: 24 * time.Hour,
					},
					DryRun:      true,
					Concurrency: 100,
					MaxDuration: 120 * time.Hour,
					Shard:       config.Shard{Index: 3, Count: 3},
					ReportFile:  "report.CSV",
				}
			},
		},
		{
			name: "runner, all stores",
			env:  runner(env{"secret-stores": "actions\ncodespaces\ndependabot\nagents"}),
			want: func(c *config.Config) {
				c.Runner, c.Policy.Stores = true, []rotation.Store{"agents", "codespaces", "dependabot", "actions"}
			},
		},
		{
			name: "runner, only the inputs count",
			env: with(runner(app("7", keys.pkcs1)), env{
				"CODACY_API_TOKEN": "no", "GH_TOKEN": "no", "GITHUB_TOKEN": "no", "GITHUB_APP_PRIVATE_KEY": "no",
			}),
			want: func(c *config.Config) { c.Runner = true; appConfig("7", keys.pkcs1)(c) },
		},
		{
			name: "runner, underscores for hyphens do not count",
			env:  with(runner(nil), env{"INPUT_DRY_RUN": "true"}),
			want: func(c *config.Config) { c.Runner = true },
		},
		{
			name: "App, client ID, PKCS #8",
			env:  runner(app("Iv1.8a61f9b3a7aba766", "\n"+keys.pkcs8+"\n\n")),
			want: func(c *config.Config) { c.Runner = true; appConfig("Iv1.8a61f9b3a7aba766", keys.pkcs8)(c) },
		},
		{
			name: `App, line ends written as \n`,
			env:  runner(app("Iv23liAbC", strings.ReplaceAll(keys.pkcs1, "\n", `\n`))),
			want: func(c *config.Config) { c.Runner = true; appConfig("Iv23liAbC", keys.pkcs1)(c) },
		},
		{
			name: `App, line ends written as \r\n, and CRLF`,
			env:  runner(app("1", strings.Replace(strings.ReplaceAll(keys.pkcs1, "\n", "\r\n"), "\r\n", `\r\n`, 3))),
			want: func(c *config.Config) { c.Runner = true; appConfig("1", keys.pkcs1)(c) },
		},
		{name: "debug", env: with(runner(nil), env{"RUNNER_DEBUG": "1"}), want: func(c *config.Config) { c.Runner, c.Debug = true, true }},
		{name: "debug of steps", env: byHand(env{"ACTIONS_STEP_DEBUG": "true"}), want: func(c *config.Config) { c.Debug = true }},
		{name: "on the command line, defaults", env: byHand(nil)},
		{name: "on the command line, inputs do not count", env: byHand(env{"INPUT_DRY-RUN": "true", "INPUT_GITHUB-APP-ID": "1"})},
		{name: "no runner but for the word true", env: byHand(env{"GITHUB_ACTIONS": "1"})},
		{
			name: "on the command line, GITHUB_TOKEN where there is no GH_TOKEN",
			env:  byHand(env{"GH_TOKEN": " ", "GITHUB_TOKEN": "ghp_2"}),
			want: func(c *config.Config) { c.GitHubToken = secret.New("ghp_2") },
		},
		{
			name: "on the command line, GH_TOKEN before GITHUB_TOKEN",
			env:  byHand(env{"GITHUB_TOKEN": "ghp_2"}),
		},
		{
			name: "on the command line, flags",
			args: []string{
				"--organization", "octo-org", "--dry-run", "--yes", "--repositories=a*,b", "--concurrency", "1",
				"--github-api-url=http://[::1]:8080/api/v3", "--codacy-api-url", "http://LOCALHOST:9",
			},
			env: byHand(env{"GITHUB_API_URL": "https://ghe.example"}),
			want: func(c *config.Config) {
				c.Organization, c.DryRun, c.Yes, c.Concurrency = "octo-org", true, true, 1
				c.Repositories = config.Patterns{"a*", "b"}
				c.GitHubAPIURL, c.CodacyAPIURL = mustURL("http://[::1]:8080/api/v3"), mustURL("http://LOCALHOST:9")
			},
		},
		{
			name: "on the command line, booleans with a value",
			args: []string{"--dry-run=TRUE", "--yes=false"},
			env:  byHand(nil),
			want: func(c *config.Config) { c.DryRun = true },
		},
		{
			name: "on the command line, blank flags",
			args: []string{"--organization=", "--concurrency", "", "--dry-run=", "--repositories=,"},
			env:  byHand(nil),
		},
		{
			name: "on the command line, the App",
			args: []string{"--github-app-id=12"},
			env:  byHand(env{"GH_TOKEN": "", "GITHUB_APP_PRIVATE_KEY": keys.pkcs1}),
			want: appConfig("12", keys.pkcs1),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			want := defaults()
			if tt.want != nil {
				tt.want(want)
			}
			want.Policy.CheckAllSecrets = !want.Runner || want.DryRun
			want.Policy.SelfHosted = want.CodacyAPIURL.Host != "app.codacy.com" && want.CodacyAPIURL.Host != "api.codacy.com"
			got, err := config.Parse(tt.args, tt.env.get)
			if err != nil {
				t.Fatal(err)
			}
			if d := diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()

	for _, e := range []env{nil, runner(nil)} {
		for _, tt := range []struct {
			args string
			want error
		}{
			{"--help", config.ErrHelp},
			{"-h", config.ErrHelp},
			{"--version", config.ErrVersion},
			{"--organization --help", config.ErrHelp},
			{"stray --unknown --concurrency 0 --version", config.ErrVersion},
		} {
			c, err := config.Parse(strings.Fields(tt.args), e.get)
			if !errors.Is(err, tt.want) || c != nil {
				t.Errorf("%s: got %v and %v, want %v", tt.args, c, err, tt.want)
			}
		}
	}
}

// TestInvalid gives each input one invalid value at a time.
func TestInvalid(t *testing.T) {
	t.Parallel()

	const (
		wantLogin    = "the owner's login, such as acme, without a URL or a repository"
		wantApp      = "an App ID (digits) or a client ID (such as Iv23liAbCdEf)"
		wantURL      = "https://HOST/PATH (http on a loopback address only)"
		foundURL     = "a URL with a user, a query or a fragment"
		wantGlob     = "globs such as api-*, web-?, [a-f]*, topic:backend-*, separated by commas or newlines"
		wantName     = "a pattern for the repository's name without its owner"
		wantSecret   = "at most 80 letters, digits and underscores, without a digit at the start"
		wantStore    = "any of actions, dependabot, codespaces, agents, separated by commas or newlines"
		wantDuration = "a duration from 1s to 120h, such as 90m or 5h30m"
		wantShard    = "i/n, such as 2/4, with i from 1 to n and n at most 10000"
		wantReport   = "a path that ends in .json or .csv"
		wantToken    = "only the token"
		unexpanded   = "a value, because expressions are not expanded here"
	)
	number := func(lo, hi int) string { return fmt.Sprintf("a whole number from %d to %d", lo, hi) }

	tests := []struct{ input, value, found, want string }{
		{"codacy-api-token", "Bearer 0123456789", "a value of 17 characters with a blank in it", wantToken},
		{"codacy-api-token", "012345\n0123456789", "a value of 17 characters with a blank in it", wantToken},
		{"codacy-api-token", "0123\x00", "a value of 5 characters with a control character in it", wantToken},
		{"codacy-api-token", "0123\u200b", "a value of 5 characters with a character that is not ASCII in it", wantToken},
		{"codacy-api-token", "${{ secrets.CODACY }}", "a value of 21 characters", unexpanded},
		{"codacy-api-token", "${{secrets.CODACY}}", "a value of 19 characters", unexpanded},
		{"github-token", "ghp_a b", "a value of 7 characters with a blank in it", wantToken},
		{"organization", "acme/api", `"acme/api"`, wantLogin},
		{"organization", "https://github.com/acme", `"https://github.com/acme"`, wantLogin},
		{"organization", "acme.com", `"acme.com"`, wantLogin},
		{"organization", "a b", `"a b"`, wantLogin},
		{"organization", "ac\u202eme", `"ac\u202eme"`, wantLogin},
		{"organization", "a\x1b[2J::error::", `"a\x1b[2J::error::"`, wantLogin},
		{"organization", strings.Repeat("é", 101), `"` + strings.Repeat("é", 60) + `"…`, wantLogin},
		{"organization", strings.Repeat("a", 101), `"` + strings.Repeat("a", 60) + `"…`, wantLogin},
		{"organization", "${{ github.repository_owner }}", `"${{ github.repository_owner }}"`, unexpanded},
		{"organization", "x " + codacyToken, "a value of 22 characters that looks like a credential", wantLogin},
		{"organization", "ghp_0123/4", "a value of 10 characters that looks like a credential", wantLogin},
		{"provider", "GH", `"GH"`, `"gh" or "ghe"`},
		{"provider", "gl", `"gl"`, `"gh" or "ghe"`},
		{"codacy-api-url", "app.codacy.com/api/v3", `"app.codacy.com/api/v3"`, wantURL},
		{"codacy-api-url", "http://app.codacy.com", `"http://app.codacy.com"`, wantURL},
		{"codacy-api-url", "http://localhost.example", `"http://localhost.example"`, wantURL},
		{"codacy-api-url", "http://128.0.0.1", `"http://128.0.0.1"`, wantURL},
		{"codacy-api-url", "https://", `"https://"`, wantURL},
		{"codacy-api-url", "https://:443/api", `"https://:443/api"`, wantURL},
		{"codacy-api-url", "https://host:/api", `"https://host:/api"`, wantURL},
		{"codacy-api-url", "https://host:70000", `"https://host:70000"`, wantURL},
		{"codacy-api-url", "https://host:0", `"https://host:0"`, wantURL},
		{"codacy-api-url", "https:host/api", `"https:host/api"`, wantURL},
		{"codacy-api-url", "ftp://host", `"ftp://host"`, wantURL},
		{"codacy-api-url", "https://host/a b", `"https://host/a b"`, wantURL},
		{"codacy-api-url", "https://me:pw@host/api", foundURL, wantURL},
		{"codacy-api-url", "https://host/api?token=1", foundURL, wantURL},
		{"codacy-api-url", "https://host/api?", foundURL, wantURL},
		{"github-api-url", "https://host/#x", foundURL, wantURL},
		{"github-api-url", "file:///etc", `"file:///etc"`, wantURL},
		{"repositories", "api-*,acme/web", `"acme/web"`, wantName},
		{"repositories", "api-[", `"api-["`, wantGlob},
		{"repositories", `api\`, `"api\\"`, wantGlob},
		{"repositories", "api web", `"api web"`, wantGlob},
		{"exclude-repositories", "!api", `"!api"`, wantGlob},
		{"exclude-repositories", "[b-]", `"[b-]"`, wantGlob},
		{"secret-name", "2FA", `"2FA"`, wantSecret},
		{"secret-name", "A-B", `"A-B"`, wantSecret},
		{"secret-name", "Ä", `"Ä"`, wantSecret},
		{"secret-name", strings.Repeat("A", 81), `"` + strings.Repeat("A", 60) + `"…`, wantSecret},
		{"secret-name", "GitHub_X", `"GitHub_X"`, "a name that does not start with GITHUB_, which GitHub reserves"},
		{"secret-stores", "actions,secrets", `"secrets"`, wantStore},
		{"secret-stores", "Actions", `"Actions"`, wantStore},
		{"existing-secrets", "overwrite", `"overwrite"`, `"replace", "keep" or "only"`},
		{"rotate", "never", `"never"`, `"expiring" or "always"`},
		{"token-lifetime-days", "1", `"1"`, number(2, 365)},
		{"token-lifetime-days", "366", `"366"`, number(2, 365)},
		{"token-lifetime-days", "90d", `"90d"`, number(2, 365)},
		{"renew-before-days", "0", `"0"`, number(1, 364)},
		{"renew-before-days", "365", `"365"`, number(1, 364)},
		{"revoke-after-hours", "-1", `"-1"`, number(0, 8760)},
		{"revoke-after-hours", "8761", `"8761"`, number(0, 8760)},
		{"revoke-after-hours", "24h", `"24h"`, number(0, 8760)},
		{"dry-run", "yes", `"yes"`, `"true" or "false"`},
		{"dry-run", "tRUE", `"tRUE"`, `"true" or "false"`},
		{"concurrency", "0", `"0"`, number(1, 100)},
		{"concurrency", "101", `"101"`, number(1, 100)},
		{"concurrency", "99999999999999999999", `"99999999999999999999"`, number(1, 100)},
		{"writes-per-minute", "-1", `"-1"`, number(0, 100000)},
		{"writes-per-minute", "100001", `"100001"`, number(0, 100000)},
		{"max-duration", "999ms", `"999ms"`, wantDuration},
		{"max-duration", "120h1s", `"120h1s"`, wantDuration},
		{"max-duration", "90", `"90"`, wantDuration},
		{"shard", "0/2", `"0/2"`, wantShard},
		{"shard", "3/2", `"3/2"`, wantShard},
		{"shard", "1", `"1"`, wantShard},
		{"shard", "1/2/3", `"1/2/3"`, wantShard},
		{"shard", "1/10001", `"1/10001"`, wantShard},
		{"report-file", "report.xml", `"report.xml"`, wantReport},
		{"report-file", "json", `"json"`, wantReport},
		{"report-file", "a\x00.json", `"a\x00.json"`, wantReport},
		{"report-file", "-", `"-"`, wantReport},
	}
	for _, tt := range tests {
		t.Run(tt.input+" "+tt.value, func(t *testing.T) {
			t.Parallel()

			got := parseErrors(t, nil, runner(env{tt.input: tt.value}))
			want := config.InputErrors{{Input: tt.input, Got: tt.found, Requirement: tt.want, Kind: map[string]config.Kind{
				`"GitHub_X"`: config.Reserved,
			}[tt.found]}}
			if d := cmp.Diff(want, got, cmpopts.IgnoreFields(config.InputError{}, "Hint")); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestErrors: errors of several inputs, and of the command line.
func TestErrors(t *testing.T) {
	t.Parallel()

	keys := rsaKeys()
	const noSecret = "is required; a secret that doesn't exist, or is hidden from this run, is empty"
	wholePEM := "the whole PEM file from GitHub, from -----BEGIN to END-----, with its line breaks"
	tests := []struct {
		name string
		args []string
		env  env
		want []string
	}{
		{
			name: "nothing at all, on a runner",
			env:  env{"GITHUB_ACTIONS": "true"},
			want: []string{
				"codacy-api-token: " + noSecret,
				"organization: is required",
				"github-token: is required, or else github-app-id and github-app-private-key" + strings.TrimPrefix(noSecret, "is required"),
			},
		},
		{
			name: "nothing at all, on the command line",
			want: []string{
				"CODACY_API_TOKEN: is required",
				"--organization: is required",
				"GH_TOKEN: is required, or else --github-app-id and GITHUB_APP_PRIVATE_KEY",
			},
		},
		{
			name: "token and App",
			env:  runner(env{"github-app-id": "1", "github-app-private-key": keys.pkcs1}),
			want: []string{"github-token: must not be set together with github-app-id and github-app-private-key"},
		},
		{
			name: "token and half an App, on the command line",
			args: []string{"--github-app-id=1"},
			env:  byHand(env{"GH_TOKEN": "", "GITHUB_TOKEN": "ghp_1"}),
			want: []string{"GITHUB_TOKEN: must not be set together with --github-app-id and GITHUB_APP_PRIVATE_KEY"},
		},
		{
			name: "App without key",
			env:  runner(env{"github-token": "", "github-app-id": "1"}),
			want: []string{"github-app-private-key: is required with github-app-id" + strings.TrimPrefix(noSecret, "is required")},
		},
		{
			name: "App without ID",
			env:  runner(env{"github-token": "", "github-app-private-key": keys.pkcs1}),
			want: []string{"github-app-id: is required with github-app-private-key"},
		},
		{
			name: "App ID and key mixed up",
			env:  runner(env{"github-token": "", "github-app-private-key": "12345", "github-app-id": keys.ec}),
			want: []string{
				fmt.Sprintf("github-app-id: must be an App ID (digits) or a client ID (such as Iv23liAbCdEf), not a value of %d characters that looks like a credential", len(keys.ec)-1),
				"github-app-private-key: must be " + wholePEM + ", not a value of 5 characters that is not one RSA private key",
			},
		},
		{
			name: "a key of another kind",
			env:  runner(env{"github-token": "", "github-app-private-key": keys.ec, "github-app-id": "my-app"}),
			want: []string{
				`github-app-id: must be an App ID (digits) or a client ID (such as Iv23liAbCdEf), not "my-app"`,
				fmt.Sprintf("github-app-private-key: must be %s, not a value of %d characters that is not one RSA private key", wholePEM, len(keys.ec)-1),
			},
		},
		{
			name: "two keys",
			env:  runner(env{"github-token": "", "github-app-private-key": keys.pkcs1 + keys.pkcs8, "github-app-id": "1"}),
			want: []string{fmt.Sprintf("github-app-private-key: must be %s, not a value of %d characters that is not one RSA private key", wholePEM, len(keys.pkcs1+keys.pkcs8)-1)},
		},
		{
			name: "half a key",
			env:  runner(env{"github-token": "", "github-app-private-key": keys.pkcs1[:600], "github-app-id": "1"}),
			want: []string{"github-app-private-key: must be " + wholePEM + ", not a value of 600 characters that is not one RSA private key"},
		},
		{
			name: "a certificate for a key",
			env:  runner(env{"github-token": "", "github-app-private-key": "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----", "github-app-id": "1"}),
			want: []string{"github-app-private-key: must be " + wholePEM + ", not a value of 62 characters that is not one RSA private key"},
		},
		{
			name: "something else in the PEM",
			env:  runner(env{"github-token": "", "github-app-private-key": "-----BEGIN RSA PRIVATE KEY-----\naGVsbG8=\n-----END RSA PRIVATE KEY-----", "github-app-id": "1"}),
			want: []string{"github-app-private-key: must be " + wholePEM + ", not a value of 70 characters that is not one RSA private key"},
		},
		{
			name: "renewal as long as the lifetime",
			env:  runner(env{"token-lifetime-days": "90"}),
			want: []string{`renew-before-days: must be less than token-lifetime-days (90), not 90`},
		},
		{
			name: "renewal longer than the lifetime, on the command line",
			args: []string{"--token-lifetime-days=30"},
			env:  byHand(nil),
			want: []string{`--renew-before-days: must be less than --token-lifetime-days (30), not 90`},
		},
		{
			name: "no fault that follows from another",
			env:  runner(env{"token-lifetime-days": "0", "renew-before-days": "90"}),
			want: []string{`token-lifetime-days: must be a whole number from 2 to 365, not "0"`},
		},
		{
			name: "several in one list",
			env:  runner(env{"secret-stores": "actions,a,b"}),
			want: []string{
				`secret-stores: must be any of actions, dependabot, codespaces, agents, separated by commas or newlines, not "a"`,
				`secret-stores: must be any of actions, dependabot, codespaces, agents, separated by commas or newlines, not "b"`,
			},
		},
		{
			name: "a list that holds a credential",
			env:  runner(env{"repositories": "a b," + githubToken}),
			want: []string{"repositories: must be globs such as api-*, web-?, [a-f]*, topic:backend-*, separated by commas or newlines, not a value of 3 characters that looks like a credential"},
		},
		{
			name: "arguments on a runner",
			args: []string{"--dry-run", "x"},
			env:  runner(env{"concurrency": "0"}),
			want: []string{
				"argument 1: arguments are not used on a runner; set the inputs",
				`concurrency: must be a whole number from 1 to 100, not "0"`,
			},
		},
		{
			name: "flags and values, all together",
			args: []string{
				"stray", "--repos", "x", "-n", "--github-token", "sesame", "--codacy-api-token=sesame", "--concurrency", "-5",
				"--dry-run", "false", "--yes=1", "--shard", "--organization=a", "--organization=b", "--",
			},
			env: byHand(nil),
			want: []string{
				"argument 1: is neither a flag nor the value of one",
				`--repos: unknown flag; did you mean --repositories?`,
				`-n: unknown flag; --help lists the flags`,
				"--github-token: credentials are not flags; set GH_TOKEN or GITHUB_TOKEN in the environment",
				"--codacy-api-token: credentials are not flags; set CODACY_API_TOKEN in the environment",
				"--shard: a value is required: this job's share, i/n",
				"--organization: set it only once",
				`--: unknown flag; --help lists the flags`,
				`--concurrency: must be a whole number from 1 to 100, not "-5"`,
				`--yes: must be "true" or "false", not "1"`,
			},
		},
		{
			name: "a credential for a flag's name",
			args: []string{"--" + codacyToken, "-ghp_1"},
			env:  byHand(nil),
			want: []string{
				"a value of 22 characters that looks like a credential: unknown flag; --help lists the flags",
				"a value of 6 characters that looks like a credential: unknown flag; --help lists the flags",
			},
		},
		{
			name: "a default of the environment, on the command line",
			env:  byHand(env{"GITHUB_REPOSITORY_OWNER": "a/b", "GITHUB_API_URL": "x", "CODACY_API_TOKEN": "a b"}),
			want: []string{
				"CODACY_API_TOKEN: must be only the token, not a value of 3 characters with a blank in it",
				`GITHUB_REPOSITORY_OWNER: must be the owner's login, such as acme, without a URL or a repository, not "a/b"`,
				`GITHUB_API_URL: must be https://HOST/PATH (http on a loopback address only), not "x"`,
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			got := parseErrors(t, tt.args, tt.env)
			if d := cmp.Diff(tt.want, strings.Split(got.Error(), "\n")); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestFlags holds that each input but the credentials is a flag.
func TestFlags(t *testing.T) {
	t.Parallel()

	for _, in := range config.Inputs() {
		_, err := config.Parse([]string{"--" + in.Name + "="}, byHand(nil).get)
		if (err != nil) != in.Credential {
			t.Errorf("--%s: got error %v, and it is a credential: %v", in.Name, err, in.Credential)
		}
	}
}

func TestLabel(t *testing.T) {
	t.Parallel()

	labels := func(args []string, e env) string {
		c, err := config.Parse(args, e.get)
		if err != nil {
			t.Fatal(err)
		}
		return c.Label("codacy-api-token") + " " + c.Label("github-token") + " " + c.Label("organization") + " " + c.Label("shard") + " " + c.Label("?")
	}
	for _, tt := range []struct {
		got, want string
	}{
		{labels(nil, runner(nil)), "codacy-api-token github-token organization shard ?"},
		{labels(nil, byHand(nil)), "CODACY_API_TOKEN GH_TOKEN GITHUB_REPOSITORY_OWNER --shard ?"},
		{
			labels([]string{"--organization=a"}, byHand(env{"GH_TOKEN": "", "GITHUB_TOKEN": "x"})),
			"CODACY_API_TOKEN GITHUB_TOKEN --organization --shard ?",
		},
		{(&config.Config{}).Label("shard"), "shard"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

type keyTexts struct{ pkcs1, pkcs8, ec string }

var rsaKeys = sync.OnceValue(func() keyTexts {
	must := func(b []byte, err error) []byte {
		if err != nil {
			panic(err)
		}
		return b
	}
	text := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return keyTexts{
		pkcs1: text("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)),
		pkcs8: text("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))),
		ec:    text("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(curve))),
	}
})

// TestCredentials: all that stands where a credential belongs, fit or not.
func TestCredentials(t *testing.T) {
	t.Parallel()

	env := map[string]string{
		"INPUT_CODACY-API-TOKEN": " not fit \n", "GH_TOKEN": "ghp_1", "INPUT_GITHUB-APP-PRIVATE-KEY": `a\nb`,
		"INPUT_ORGANIZATION": "acme", "GITHUB_SHA": "x",
	}
	var got []string
	for _, v := range config.Credentials(func(k string) string { return env[k] }) {
		got = append(got, v.Reveal())
	}
	want := []string{"not fit", "ghp_1", `a\nb`, "a\nb"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestHints: a near miss gets a suggestion, and other mistakes a fix.
func TestHints(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name       string
		args       []string
		env        env
		want, hint string
	}{
		{"a short flag", []string{"--org", "acme"}, byHand(nil), "--org: unknown flag; did you mean --organization?", ""},
		{"a typing error", []string{"--concurency=5"}, byHand(nil), "--concurency: unknown flag; did you mean --concurrency?", ""},
		{"a flag that nothing is near", []string{"--verbose"}, byHand(nil), "--verbose: unknown flag; --help lists the flags", ""},
		{"a value", nil, runner(env{"rotate": "alway"}), `rotate: must be "expiring" or "always", not "alway"`, "Did you mean always?"},
		{"a store", nil, runner(env{"secret-stores": "action"}), `secret-stores: must be any of actions, dependabot, codespaces, agents, separated by commas or newlines, not "action"`, "Did you mean actions?"},
		{"swapped tokens", nil, runner(env{"codacy-api-token": githubToken}), fmt.Sprintf("codacy-api-token: must be a Codacy account API token, not a value of %d characters that looks like a credential for GitHub", len(githubToken)), "Check that the two tokens are not in each other's place"},
		{"Codacy's token twice", nil, runner(env{"codacy-api-token": "codacy-token", "github-token": "codacy-token"}), "github-token: must be a token for GitHub, not the value of codacy-api-token", "Check that the two tokens are not in each other's place"},
		{"a project token for GitHub", nil, byHand(env{"GH_TOKEN": strings.Repeat("0123456789abcdef", 2)}), "GH_TOKEN: must be a token for GitHub, not a value of 32 characters that looks like a Codacy token", "Check that the two tokens are not in each other's place"},
		{"fewer writes than stores", nil, runner(env{"writes-per-minute": "1", "secret-stores": "actions,agents"}), "writes-per-minute: must be 0, or at least 2, the number of stores in secret-stores, not 1", ""},
		{"a byte order mark", nil, runner(env{"github-token": "", "github-app-id": "1", "github-app-private-key": "\ufeff" + rsaKeys().pkcs1}), "github-app-private-key: must be the PEM file without changes, not a file that starts with a byte order mark", "Save the file as UTF-8 without a byte order mark, and set the secret to it"},
		{"a typing error in a required flag", []string{"--organisation", "acme"}, byHand(env{"GITHUB_REPOSITORY_OWNER": ""}), "--organisation: unknown flag; did you mean --organization?", ""},
		{"a required flag without its value", []string{"--organization"}, byHand(env{"GITHUB_REPOSITORY_OWNER": ""}), "--organization: a value is required: owner of the repositories", ""},
		{"a typing error in the flag of the App's ID", []string{"--github-app-di=1"}, byHand(env{"GH_TOKEN": "", "GITHUB_APP_PRIVATE_KEY": rsaKeys().pkcs1}), "--github-app-di: unknown flag; did you mean --github-app-id?", ""},
		{"a credential as a flag only", []string{"--github-token=x"}, byHand(env{"GH_TOKEN": ""}), "--github-token: credentials are not flags; set GH_TOKEN or GITHUB_TOKEN in the environment", ""},
		{"a word without its flag", []string{"--dry-run", "acme"}, byHand(nil), "argument 2: is neither a flag nor the value of one", "Write its flag before it (--organization acme), and a list in quotes ('api-*, web-*'); --help lists the flags"},
		{"a report's path that holds a token", nil, runner(env{"report-file": "no/such/" + githubToken + ".json"}), fmt.Sprintf("report-file: can't create a value of %d characters that looks like a credential: no such file or directory", len("no/such/.json"+githubToken)), "Create its folder first, or choose a path that can be written"},
		{"no token on the command line", nil, byHand(env{"CODACY_API_TOKEN": ""}), "CODACY_API_TOKEN: is required", "Set it to an account API token: https://app.codacy.com/account/access-management"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			errs := parseErrors(t, tt.args, tt.env)
			if len(errs) != 1 || errs[0].Error() != tt.want || errs[0].Hint != tt.hint {
				t.Errorf("got %d errors: %v\n  %s\nwant %s\n  %s", len(errs), errs, errs[0].Hint, tt.want, tt.hint)
			}
		})
	}
}

// TestReportFile: a report file that can't be created is an error, and the check
// leaves nothing behind.
func TestReportFile(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "folder.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	existing := filepath.Join(dir, "existing.json")
	if err := os.WriteFile(existing, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "new.csv"):         "",
		existing:                              "",
		"-":                                   "",
		"report.txt":                          `--report-file: must be a path that ends in .json or .csv, or - for standard output, not "report.txt"`,
		filepath.Join(dir, "folder.json"):     "--report-file: can't create " + strconv.Quote(filepath.Join(dir, "folder.json")) + ": it is a folder",
		filepath.Join(dir, "no", "such.json"): "--report-file: can't create " + strconv.Quote(filepath.Join(dir, "no", "such.json")) + ": no such file or directory",
		filepath.Join(existing, "below-a-file.csv"): "--report-file: can't create " + strconv.Quote(filepath.Join(existing, "below-a-file.csv")) + ": not a directory",
	} {
		c, err := config.Parse([]string{"--report-file", path}, byHand(nil).get)
		switch {
		case want == "" && (err != nil || c.ReportFile != path):
			t.Errorf("%s: %v", path, err)
		case want != "" && (err == nil || err.Error() != want):
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("the folder contains %v (%v), want two entries", entries, err)
	}
	if b, err := os.ReadFile(existing); string(b) != "old" {
		t.Errorf("the existing report is %q (%v)", b, err)
	}
}
