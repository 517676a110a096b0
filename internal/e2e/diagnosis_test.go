package e2e

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/diagnosis"
	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// misconfiguration is a World with one error in its setup.
type misconfiguration struct {
	id           diagnosis.ID
	options      sandbox.Options
	repositories []sandbox.Repository // three by default
	in           harness.Inputs
	env          []string // as well as the inputs
	hook         func(sandbox.Request) sandbox.Effect
	prepare      func(*harness.Fixture) harness.Inputs
	// undone reports whether only a write shows the error. Then some tokens are
	// created, and all of them deleted.
	undone bool
	// served are the repositories in whose actions store the secret is written.
	served []string
	// exit is the exit code, 0 for the usual one of the case.
	exit int
}

// wrong are the misconfigurations, each case of the catalogue at least once.
func wrong() map[string]misconfiguration {
	token := func(value string, c sandbox.Credential) misconfiguration {
		c.Value = value
		return misconfiguration{options: sandbox.Options{Credentials: []sandbox.Credential{c}}, in: harness.Inputs{"github-token": value}}
	}
	app := func(change func(*sandbox.App), in harness.Inputs) misconfiguration {
		o := harness.AppOptions()
		change(o.App)
		return misconfiguration{options: o, in: appInputs(in)}
	}
	responds := func(kind sandbox.Kind, status int, contentType, body string) func(sandbox.Request) sandbox.Effect {
		return func(r sandbox.Request) sandbox.Effect {
			if r.Kind != kind {
				return sandbox.Effect{}
			}
			return sandbox.Effect{Skip: true, Status: status, Body: []byte(body), Header: http.Header{"Content-Type": {contentType}}}
		}
	}
	says := func(kind sandbox.Kind, status int, message string) func(sandbox.Request) sandbox.Effect {
		return responds(kind, status, "application/json", fmt.Sprintf(`{"message":%q}`, message))
	}
	const pat = "github_pat_sandbox_0123456789"
	soon := time.Now().Add(12*24*time.Hour + time.Hour)

	all := map[string]misconfiguration{
		"workflow-token":                          token("ghs_workflow_0123456789", sandbox.Credential{Kind: sandbox.Workflow}),
		"workflow-token-that-lists-its-own":       token("ghs_workflow_0123456789", sandbox.Credential{Kind: sandbox.Workflow, Repositories: []string{"infra"}}),
		"workflow-token-of-a-selected-repository": token("ghs_workflow_0123456789", sandbox.Credential{Kind: sandbox.Workflow, Repositories: []string{"service-000"}}),
		"github-token-rejected":                   {in: harness.Inputs{"github-token": "ghp_another_token"}},
		"token-without-permission":                token(pat, sandbox.Credential{Kind: sandbox.FineGrained, Access: map[string]sandbox.Access{}}),
		"token-that-may-read-only":                token(pat, sandbox.Credential{Kind: sandbox.FineGrained, Access: map[string]sandbox.Access{"actions": sandbox.Read}}),
		"token-without-the-permission-of-a-store": token(pat, sandbox.Credential{Kind: sandbox.FineGrained, Access: map[string]sandbox.Access{"actions": sandbox.Write}}),
		"token-not-approved-or-of-another-owner":  token(pat, sandbox.Credential{Kind: sandbox.FineGrained, PublicOnly: true}),
		"token-not-approved-and-nothing-public":   token(pat, sandbox.Credential{Kind: sandbox.FineGrained, PublicOnly: true}),
		"token-sees-no-repository":                token(pat, sandbox.Credential{Kind: sandbox.FineGrained, Repositories: []string{}}),
		"classic-token-without-repo":              token("ghp_classic_0123456789", sandbox.Credential{Kind: sandbox.Classic, Scopes: []string{"public_repo", "read:org"}}),
		"single-sign-on-not-authorized":           token("ghp_classic_0123456789", sandbox.Credential{Kind: sandbox.Classic, NoSSO: true}),
		"kind-of-token-forbidden": {hook: says(sandbox.KindGitHubRepositories, 403,
			"`acme` forbids access via a personal access token (classic). Please use a GitHub App, OAuth App, or a personal access token with fine-grained permissions.")},
		"ip-allow-list": {hook: says(sandbox.KindGitHubRepositories, 403,
			"Although you appear to have the correct authorization credentials, the `acme` organization has an IP allow list enabled, and your IP address is not permitted to access this resource.")},
		"oauth-app-not-approved": {hook: says(sandbox.KindGitHubRepositories, 403,
			"Although you appear to have the correct authorization credentials, the `acme` organization has enabled OAuth App access restrictions, meaning that data access to third-parties is limited.")},
		"another-permission-missing": {hook: func(r sandbox.Request) sandbox.Effect {
			e := says(sandbox.KindGitHubRepositories, 403, "Resource not accessible by personal access token")(r)
			if e.Skip {
				e.Header.Set("X-Accepted-GitHub-Permissions", "administration=read")
			}
			return e
		}},
		"saml-without-header": {hook: says(sandbox.KindGitHubRepositories, 403,
			"Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.")},
		"not-an-admin-on-github":             {undone: true, repositories: []sandbox.Repository{{Name: "api", Role: "write"}, {Name: "web", Role: "write"}}},
		"access-denied-to-some-repositories": token(pat, sandbox.Credential{Kind: sandbox.FineGrained, Selected: []string{"service-000"}}),
		"owner-unknown-to-github":            {hook: says(sandbox.KindGitHubOwner, 404, "Not Found")},

		"app-unknown":                            app(func(*sandbox.App) {}, harness.Inputs{"github-app-id": "7654321"}),
		"key-of-another-app":                     app(func(*sandbox.App) {}, harness.Inputs{"github-app-private-key": harness.AppPEM(harness.AppKeys()[1])}),
		"clock-off":                              app(func(*sandbox.App) {}, nil),
		"app-not-installed":                      app(func(*sandbox.App) {}, nil),
		"app-suspended":                          app(func(a *sandbox.App) { a.Suspended = true }, nil),
		"app-installed-on-selected-repositories": app(func(a *sandbox.App) { a.Repositories = []string{"service-000"} }, nil),
		"app-without-permission":                 app(func(a *sandbox.App) { a.Access = map[string]sandbox.Access{"actions": sandbox.Read} }, nil),
		"app-without-permission-in-a-dry-run": app(func(a *sandbox.App) { a.Access = map[string]sandbox.Access{"actions": sandbox.Read} },
			harness.Inputs{"dry-run": "true"}),
		"app-without-dependabot": app(func(a *sandbox.App) { a.Access = map[string]sandbox.Access{"actions": sandbox.Write} },
			harness.Inputs{"secret-stores": "actions, dependabot"}),

		"account-token-rejected":          {in: harness.Inputs{"codacy-api-token": "another-account-token"}},
		"account-token-expired":           {options: sandbox.Options{CodacyTokenExpires: time.Now().Add(-time.Hour)}},
		"project-token-for-account-token": {in: harness.Inputs{"codacy-api-token": "0123456789abcdef0123456789abcdef"}},
		"not-an-admin-on-codacy":          {repositories: []sandbox.Repository{{Name: "api", CodacyRole: "write"}, {Name: "web", CodacyRole: "read"}}},
		"organization-not-on-codacy":      {hook: says(sandbox.KindListRepositories, 404, "Organization not found")},
		"organization-case":               {options: sandbox.Options{Organization: "Acme", CaseSensitive: true}},
		"wrong-provider":                  {options: sandbox.Options{Provider: "ghe"}},
		"no-repository-added-to-codacy":   {repositories: []sandbox.Repository{{Name: "api", State: sandbox.NotAdded}, {Name: "web", State: sandbox.NotAdded}}},

		"codacy-api-url-without-api-v3": {options: sandbox.Options{WebPages: true}, prepare: func(f *harness.Fixture) harness.Inputs {
			return harness.Inputs{"codacy-api-url": strings.TrimSuffix(f.Codacy, "/api/v3"), "github-api-url": f.GitHub + "/api/v3"}
		}},
		"github-api-url-is-not-the-api": {options: sandbox.Options{WebPages: true}},
		"web-page-instead-of-the-api":   {hook: responds(sandbox.KindUser, 403, "text/html", "<html>Sign in to the guest network</html>")},
		"tls-inspection": {prepare: func(f *harness.Fixture) harness.Inputs {
			codacy, github, _, shut := f.ServeTLS()
			f.T.Cleanup(shut)
			f.Codacy, f.GitHub = codacy, github
			return nil
		}},

		"credential-is-empty":    {in: harness.Inputs{"codacy-api-token": ""}, env: []string{"GITHUB_REPOSITORY=acme/infra"}},
		"secret-name-reserved":   {in: harness.Inputs{"secret-name": "GITHUB_CODACY"}},
		"patterns-match-nothing": {in: harness.Inputs{"repositories": "nothing-like-*"}},
		"topics-or-visibility-match-nothing": {
			repositories: []sandbox.Repository{{Name: "api", Topics: []string{"backend"}}},
			in:           harness.Inputs{"repositories": "topic:backnd, visibility:internal"},
		},
		"organization-unknown-to-both": {in: harness.Inputs{"organization": "acmee"}},
		"all-repositories-archived":    {repositories: []sandbox.Repository{{Name: "api", Archived: true}, {Name: "web", Disabled: true}}},
		"100-secrets-reached": {undone: true, prepare: func(f *harness.Fixture) harness.Inputs {
			for i := range 100 {
				f.SetSecret("service-001", "actions", fmt.Sprintf("SECRET_%d", i), "x")
			}
			return harness.Inputs{"repositories": "service-001"}
		}},

		"account-token-expires-soon": {options: sandbox.Options{CodacyTokenExpires: soon}},
		"github-token-expires-soon":  token(pat, sandbox.Credential{Kind: sandbox.FineGrained, Expires: soon}),
		"repositories-that-cant-be-renewed": {prepare: func(f *harness.Fixture) harness.Inputs {
			for i, name := range []string{"gone", "moved"} {
				f.Add(sandbox.Repository{Name: name, Hidden: true})
				f.Provision(name, harness.Aged(f.World, 1, 300, 30-i), "actions")
			}
			return nil
		}},
		"schedule-too-rare":  {prepare: scheduled("17 4 1 */3 *", nil)},
		"old-tokens-pile-up": {prepare: scheduled("17 4 * * *", harness.Inputs{"rotate": "always", "revoke-after-hours": "24"})},
	}
	change := func(name string, change func(*misconfiguration)) {
		c := all[name]
		change(&c)
		all[name] = c
	}
	change("saml-without-header", func(c *misconfiguration) { c.id = diagnosis.SingleSignOn })
	change("workflow-token-that-lists-its-own", func(c *misconfiguration) {
		c.id, c.env = diagnosis.WorkflowToken, []string{"GITHUB_REPOSITORY=acme/infra"}
		c.repositories = []sandbox.Repository{{Name: "infra", NotOnCodacy: true}, {Name: "api"}, {Name: "web"}}
	})
	change("workflow-token-of-a-selected-repository", func(c *misconfiguration) { c.id = diagnosis.WorkflowToken })
	change("token-that-may-read-only", func(c *misconfiguration) { c.id, c.undone = diagnosis.TokenPermission, true })
	change("token-without-the-permission-of-a-store", func(c *misconfiguration) {
		c.in["secret-stores"], c.exit, c.served = "actions, dependabot", 1, harness.Names(3)
	})
	change("access-denied-to-some-repositories", func(c *misconfiguration) { c.served = harness.Names(1) })
	public := []sandbox.Repository{{Name: "docs"}, {Name: "site"}, {Name: "sdk"}}
	private := []sandbox.Repository{{Name: "api", Private: true}, {Name: "web", Private: true}}
	change("token-not-approved-or-of-another-owner", func(c *misconfiguration) { c.repositories = append(public, private...) })
	change("token-not-approved-and-nothing-public", func(c *misconfiguration) { c.id, c.repositories = diagnosis.TokenOtherOwner, private })
	change("clock-off", func(c *misconfiguration) {
		c.hook = says(sandbox.KindInstallation, 401, "'Expiration time' claim ('exp') is too far in the future")
	})
	change("app-not-installed", func(c *misconfiguration) { c.hook = says(sandbox.KindInstallation, 404, "Not Found") })
	change("app-without-permission-in-a-dry-run", func(c *misconfiguration) { c.id, c.exit = diagnosis.AppPermission, -1 })
	change("app-without-dependabot", func(c *misconfiguration) { c.id = diagnosis.AppPermission })
	return all
}

// scheduled has a schedule start the run, with the inputs.
func scheduled(cron string, in harness.Inputs) func(*harness.Fixture) harness.Inputs {
	return func(f *harness.Fixture) harness.Inputs {
		event := fmt.Appendf(nil, `{"schedule":%q,"repository":{"name":"infra"}}`, cron)
		if err := os.WriteFile(filepath.Join(f.Dir, "event.json"), event, 0o600); err != nil {
			f.T.Fatal(err)
		}
		return in
	}
}

// TestMaskedAccountTokens has Codacy mask the account's tokens. The warning is about
// the one that expires first, and says that it may be another one.
func TestMaskedAccountTokens(t *testing.T) {
	t.Parallel()

	in := func(days int) time.Time { return time.Now().Add(time.Duration(days)*24*time.Hour + time.Hour) }
	for name, tt := range map[string]struct {
		shown sandbox.AccountValues
		own   int // days to the expiry of the used token
		other int
		want  string // empty for no warning
	}{
		"shown":                   {sandbox.ShowValues, 12, 5, "the account API token expires on " + in(12).UTC().Format(time.DateOnly)},
		"shown, another expires":  {sandbox.ShowValues, 200, 5, ""},
		"masked":                  {sandbox.MaskValues, 200, 5, "one of the account's API tokens expires on " + in(5).UTC().Format(time.DateOnly)},
		"masked, one has expired": {sandbox.MaskValues, 12, -5, "one of the account's API tokens expires on " + in(12).UTC().Format(time.DateOnly)},
		"masked, none soon":       {sandbox.MaskValues, 200, 100, ""},
		"omitted":                 {sandbox.OmitValues, 200, 5, "one of the account's API tokens expires on " + in(5).UTC().Format(time.DateOnly)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := harness.Serve(t, sandbox.Options{
				AccountTokenValues: tt.shown, CodacyTokens: []string{sandbox.CodacyToken, "another-account-token"},
				CodacyTokenExpiries: map[string]time.Time{sandbox.CodacyToken: in(tt.own), "another-account-token": in(tt.other)},
			}, sandbox.Repository{Name: "api"})
			r := f.Run(nil)
			f.Want(r, 0, "created=1")
			if got := r.Annotations("warning"); !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
				t.Errorf("the warnings are %q, want %q", got, tt.want)
			}
		})
	}
}

// TestDiagnosis runs the program with every misconfiguration. Exit code and the two
// lines are golden, the wrong input is named, and nothing is written.
func TestDiagnosis(t *testing.T) {
	t.Parallel()

	for name, c := range wrong() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			f := harness.Serve(t, c.options, c.repositories...)
			if c.repositories == nil {
				for _, n := range harness.Names(3) {
					f.Add(sandbox.Repository{Name: n})
				}
			}
			in := harness.Inputs{}
			if c.prepare != nil {
				for k, v := range c.prepare(f) {
					in[k] = v
				}
			}
			for k, v := range c.in {
				in[k] = v
			}
			if c.hook != nil {
				f.Hook(c.hook)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd, finish := f.Start(ctx, in)
			cmd.Env = append(cmd.Env, append(c.env, "GITHUB_EVENT_NAME=schedule", "GITHUB_EVENT_PATH="+filepath.Join(f.Dir, "event.json"))...)
			if err := harness.IgnoreExit(cmd.Run()); err != nil {
				t.Fatal(err)
			}
			r := finish()
			f.Check(t)

			found := diagnosis.Lookup(cmp.Or(c.id, diagnosis.ID(name)))
			compareDiagnosis(f, r.Code, name, found, c.exit, r.Stdout)
			switch writes := f.Writes(); {
			case c.served != nil:
				for _, n := range c.served {
					f.Provisioned(n, "actions")
				}
			case c.undone:
				if f.Count(sandbox.KindCreateToken) != f.Count(sandbox.KindDeleteToken) {
					t.Errorf("%d tokens were created, %d deleted", f.Count(sandbox.KindCreateToken), f.Count(sandbox.KindDeleteToken))
				}
			case r.Code != 0 && writes != 0:
				t.Errorf("%d writes were sent", writes)
			}
		})
	}
}

// compareDiagnosis compares the printed diagnosis with the golden file and the
// catalogue.
func compareDiagnosis(f *harness.Fixture, code int, name string, c diagnosis.Case, exit int, stdout string) {
	f.T.Helper()
	host := regexp.MustCompile(`https?://127\.0\.0\.1:\d+`)
	got := fmt.Sprintf("exit code %d\n", code)
	for _, kind := range []string{"error", "warning"} {
		for _, note := range twoLines(stdout, kind) {
			note = strings.NewReplacer(f.Codacy, "https://codacy.test/api/v3", f.GitHub, "https://github.test").Replace(note)
			note = host.ReplaceAllString(note, "https://host.test")
			note = regexp.MustCompile(` of acme/\S+ \(`).ReplaceAllString(note, " of acme/NAME (") // the first one is random
			note = regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(note, "host.test")
			got += kind + ": " + regexp.MustCompile(`\d{4}-\d\d-\d\d(T[\d:]+Z)?`).ReplaceAllString(note, "DATE") + "\n"
		}
	}
	harness.Golden(f.T, filepath.Join("testdata", "diagnosis", name+".txt"), got)

	if want := max(0, cmp.Or(exit, c.Exit)); code != want {
		f.T.Errorf("exit code %d, want %d\n%s", code, want, stdout)
	}
	if c.Input != "" && !strings.Contains(got, ": "+c.Input+": ") && !strings.Contains(got, ": github-app-id: ") {
		f.T.Errorf("%s is not named in\n%s", c.Input, got)
	}
	if !strings.Contains(got, "https://") || strings.Contains(got, "{") || strings.Contains(got, "}") {
		f.T.Errorf("no address, or a placeholder, in\n%s", got)
	}
	// The lines are the catalogue's, word for word between its placeholders.
	for _, line := range []string{c.Message, c.Hint} {
		words := regexp.QuoteMeta(line)
		words = regexp.MustCompile(`\\\{:?[a-z-]+\\\}`).ReplaceAllString(words, ".*")
		if !regexp.MustCompile(words).MatchString(got) {
			f.T.Errorf("%q is not in\n%s", line, got)
		}
	}
}

// twoLines are the annotations that have a hint in their second line.
func twoLines(stdout, kind string) []string {
	var all []string
	for l := range strings.Lines(stdout) {
		if _, message, ok := strings.Cut(l, "::"+kind+"::"); ok && strings.Contains(message, "%0A") {
			all = append(all, strings.NewReplacer("%0A", "\n", "%25", "%").Replace(strings.TrimSuffix(message, "\n")))
		}
	}
	return all
}

// unreachable fails each request as a net/http.Transport does.
type unreachable struct{ err error }

func (u unreachable) RoundTrip(*http.Request) (*http.Response, error) { return nil, u.err }

// TestDiagnosisOfTheNetwork: errors that prevent requests from being sent. In virtual
// time, because they are retried for a while.
func TestDiagnosisOfTheNetwork(t *testing.T) {
	t.Parallel()

	for name, err := range map[string]error{
		"host-unknown": &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "codacy.test", IsNotFound: true}},
		"proxy":        &net.OpError{Op: "proxyconnect", Net: "tcp", Err: fmt.Errorf("dial tcp: lookup proxy.test: no such host")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := bubble(t, sandbox.Options{}, harness.Names(3)...)
				code, out := v.start(t.Context(), nil, nil, unreachable{err})
				f := &harness.Fixture{T: t, Codacy: "https://codacy.test/api/v3", GitHub: "https://github.test"}
				compareDiagnosis(f, code, name, diagnosis.Lookup(diagnosis.ID(name)), 0, out)
			})
		})
	}
}

// TestDiagnosisIsComplete: each case of the catalogue has a test, and no golden file
// is left over.
func TestDiagnosisIsComplete(t *testing.T) {
	t.Parallel()

	driven := map[diagnosis.ID]bool{diagnosis.Proxy: true, diagnosis.HostUnknown: true}
	for name, c := range wrong() {
		driven[cmp.Or(c.id, diagnosis.ID(name))] = true
	}
	for _, c := range diagnosis.Cases() {
		if !driven[c.ID] {
			t.Errorf("the case %s has no test", c.ID)
		}
	}
	files, err := filepath.Glob("testdata/diagnosis/*.txt")
	if err != nil || len(files) != len(wrong())+2 {
		t.Errorf("%d golden files, want %d: %v", len(files), len(wrong())+2, err)
	}
	var all bytes.Buffer
	for _, file := range files {
		all.WriteString(harness.Read(t, file))
	}
	if strings.Contains(all.String(), "127.0.0.1") {
		t.Error("a golden file holds an address that is another one in each run")
	}
}

// TestScheduleBound: a schedule is too rare if one dropped run makes the next one too
// late. That is the case from half of renew-before-days on, which is 90.
func TestScheduleBound(t *testing.T) {
	t.Parallel()

	for cron, rare := range map[string]bool{"0 4 1 * *": false, "0 4 1 */2 *": true} { // 31 days, and 62
		f := harness.Serve(t, sandbox.Options{}, sandbox.Repository{Name: "api"})
		event := filepath.Join(f.Dir, "event.json")
		if err := os.WriteFile(event, fmt.Appendf(nil, `{"schedule": %q}`, cron), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd, finish := f.Start(t.Context(), nil)
		cmd.Env = append(cmd.Env, "GITHUB_EVENT_NAME=schedule", "GITHUB_EVENT_PATH="+event)
		_ = cmd.Run() // the test compares the exit code
		r := finish()
		f.Want(r, 0, "created=1")
		if warnings := r.Log.Annotations["warning"]; (len(warnings) == 1 && strings.Contains(warnings[0], cron)) != rare || !rare && len(warnings) > 0 {
			t.Errorf("%q: the warnings %q, want one: %v", cron, warnings, rare)
		}
	}
}
