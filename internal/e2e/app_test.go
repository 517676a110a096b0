package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/cli"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

const (
	appID     = "1234567"
	appClient = "Iv23liABCDEF"
)

// appKeys are the App's key and another one, made once: it takes its time.
var appKeys = sync.OnceValue(func() [2]*rsa.PrivateKey {
	var keys [2]*rsa.PrivateKey
	for i := range keys {
		var err error
		if keys[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			panic(err)
		}
	}
	return keys
})

func appPEM(key *rsa.PrivateKey) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

// appOptions describe a World with the App installed and no other credential.
func appOptions() sandbox.Options {
	return sandbox.Options{
		Credentials: []sandbox.Credential{},
		App:         &sandbox.App{ID: 1234567, ClientID: appClient, PublicKey: &appKeys()[0].PublicKey, InstallationID: 42},
	}
}

// appInputs are those that differ from a run with a token.
func appInputs(more inputs) inputs {
	in := inputs{"github-token": "", "github-app-id": appID, "github-app-private-key": appPEM(appKeys()[0])}
	maps.Copy(in, more)
	return in
}

// noAppSecret searches what was written for the key, a line of it, a JWT or an
// installation token; the token stands only where it is masked.
func noAppSecret(t *testing.T, written string) {
	t.Helper()
	masked := 0
	for line := range strings.Lines(written) {
		if strings.HasPrefix(line, "::add-mask::ghs_") {
			masked++
			continue
		}
		for what, form := range map[string]string{"an installation token": "ghs_", "a JWT": "eyJ", "a key": "PRIVATE KEY-"} {
			if strings.Contains(line, form) {
				t.Errorf("%s was written: %s", what, line)
			}
		}
		for _, key := range appKeys() {
			for l := range strings.Lines(appPEM(key)) {
				if l = strings.TrimSpace(l); len(l) > 30 && !strings.Contains(l, "RSA") && strings.Contains(line, l) {
					t.Error("a line of a key was written")
				}
			}
		}
	}
}

func (r result) all() string { return r.stdout + r.stderr + r.summary + r.report + fmt.Sprint(r.outputs) }

func TestApp(t *testing.T) {
	t.Parallel()

	encoded, err := x509.MarshalPKCS8PrivateKey(appKeys()[0])
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
	for name, c := range map[string]struct {
		in    inputs
		owner string
		skew  time.Duration
	}{
		"App ID":             {},
		"client ID":          {in: inputs{"github-app-id": appClient}},
		"user":               {owner: "User"},
		"lines written out":  {in: inputs{"github-app-private-key": strings.ReplaceAll(appPEM(appKeys()[0]), "\n", `\n`)}},
		"PKCS #8":            {in: inputs{"github-app-private-key": pkcs8}},
		"GitHub's clock off": {skew: 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			o := appOptions()
			o.OwnerType = c.owner
			f := serve(t, o)
			f.SetSkew(sandbox.GitHub, c.skew)
			for _, n := range names(120) {
				f.Add(sandbox.Repository{Name: n, Private: true})
			}
			first := f.run(appInputs(c.in))
			f.want(first, 0, "created=120")
			each(names(120), func(name string) { f.provisioned(name) })
			second := f.run(appInputs(c.in))
			f.want(second, 0, "current=120")
			for _, r := range []result{first, second} {
				noAppSecret(t, r.all())
				if !strings.HasPrefix(r.stdout, "::add-mask::ghs_") {
					t.Errorf("the first line is not the token's mask:\n%.200s", r.stdout)
				}
			}
			if got := f.Count(sandbox.KindAccessToken); got != 2 {
				t.Errorf("%d tokens were asked for in two runs", got)
			}
			if got := f.Count(sandbox.KindGitHubRepositories) + f.Count(sandbox.KindGitHubOwner); got != 0 {
				t.Errorf("%d requests that are not for an installation", got)
			}
		})
	}
}

// TestAppSeesItsOwn: what the App is not installed for is not visible to it.
func TestAppSeesItsOwn(t *testing.T) {
	t.Parallel()

	o := appOptions()
	o.App.Repositories = []string{"web"}
	o.App.Access = map[string]sandbox.Access{"actions": sandbox.Write}
	f := serve(t, o, sandbox.Repository{Name: "web"}, sandbox.Repository{Name: "hidden", Hidden: true})
	r := f.run(appInputs(nil))
	f.want(r, 0, "created=1 skipped=1")
	f.provisioned("web")

	// And what it may not write is told by its permission.
	r = f.run(appInputs(inputs{"secret-stores": "dependabot", "secret-name": "OTHER"}))
	if r.code != 1 && r.code != 2 {
		t.Errorf("exit code %d\n%s", r.code, r.stdout)
	}
	if f.Count(sandbox.KindPutSecret) != 1 {
		t.Error("a secret was written without the right")
	}
}

func TestAppDryRun(t *testing.T) {
	t.Parallel()

	f := serve(t, appOptions(), sandbox.Repository{Name: "web"})
	f.Record(true)
	r := f.run(appInputs(inputs{"dry-run": "true"}))
	f.want(r, 0, "created=1")
	for _, q := range f.Requests() {
		if q.Method != http.MethodGet && q.Kind != sandbox.KindAccessToken {
			t.Errorf("a dry run sent %s %s", q.Method, q.Path)
		}
	}
	if got := f.Count(sandbox.KindAccessToken); got != 1 {
		t.Errorf("%d tokens were asked for", got)
	}
}

// TestAppByHand: nothing but the log, and no workflow command in it.
func TestAppByHand(t *testing.T) {
	t.Parallel()

	w := sandbox.New(appOptions())
	w.Add(sandbox.Repository{Name: "web"})
	v := virtual{World: w, env: map[string]string{
		"CODACY_API_TOKEN": sandbox.CodacyToken, "GITHUB_APP_PRIVATE_KEY": appPEM(appKeys()[0]),
	}}
	v.run(t.Context(), "--organization", "acme", "--github-app-id", appID, "--yes",
		"--codacy-api-url", sandbox.CodacyURL, "--github-api-url", sandbox.GitHubURL)
	if v.code != 0 || strings.Contains(v.out.String(), "::") {
		t.Errorf("exit code %d\n%s", v.code, &v.out)
	}
	noAppSecret(t, v.out.String())
	if strings.Contains(v.out.String(), "ghs_") {
		t.Error("the token was printed")
	}

	v.env["GITHUB_APP_PRIVATE_KEY"] = appPEM(appKeys()[1])
	v.run(t.Context(), "--organization", "acme", "--github-app-id", appID, "--yes",
		"--codacy-api-url", sandbox.CodacyURL, "--github-api-url", sandbox.GitHubURL)
	if v.code != 2 || !strings.Contains(v.out.String(), "error: GITHUB_APP_PRIVATE_KEY: ") || !strings.Contains(v.out.String(), "--github-app-id") {
		t.Errorf("exit code %d\n%s", v.code, &v.out)
	}
}

func TestAppRefused(t *testing.T) {
	t.Parallel()

	message := func(kind sandbox.Kind, status int, text string) func(sandbox.Request) sandbox.Effect {
		return func(r sandbox.Request) sandbox.Effect {
			if r.Kind == kind {
				return sandbox.Effect{Skip: true, Status: status, Body: []byte(`{"message":"` + text + `"}`)}
			}
			return sandbox.Effect{}
		}
	}
	for name, c := range map[string]struct {
		in   inputs
		hook func(sandbox.Request) sandbox.Effect
		code int
		want []string // what the error says
	}{
		"key of another App": {
			in: inputs{"github-app-private-key": appPEM(appKeys()[1])}, code: 2,
			want: []string{"::error::github-app-private-key: ", "App " + appID, "/settings/apps", "github-app-id"},
		},
		"unknown App": {
			in: inputs{"github-app-id": "7654321"}, code: 2,
			want: []string{"::error::github-app-id: ", "knows no such App"},
		},
		"unknown App, in GitHub's words": {
			hook: message(sandbox.KindInstallation, 404, "Integration not found"), code: 2,
			want: []string{"::error::github-app-id: ", "knows no such App"},
		},
		"not installed": {
			hook: message(sandbox.KindInstallation, 404, "Not Found"), code: 2,
			want: []string{"::error::github-app-id: ", "not installed for acme", "/settings/apps", "organization"},
		},
		"suspended": {
			hook: message(sandbox.KindAccessToken, 403, "This installation has been suspended"), code: 2,
			want: []string{"::error::github-app-id: ", "suspended"},
		},
		"token refused": {
			hook: message(sandbox.KindInstallationRepositories, 401, "Bad credentials"), code: 2,
			want: []string{"::error::github-app-id: ", "Bad credentials"},
		},
		"down": {
			hook: message(sandbox.KindAccessToken, 502, "Bad Gateway"), code: 1,
			want: []string{"::error::GitHub: ", "github-api-url"},
		},
		"key without an App": {in: inputs{"github-app-id": ""}, code: 2, want: []string{"::error::github-app-id: "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			f := serve(t, appOptions(), sandbox.Repository{Name: "web"})
			if c.hook != nil {
				f.Hook(c.hook)
			}
			r := f.run(appInputs(c.in))
			if r.code != c.code || strings.Count(r.stdout, "::error") != 1 {
				t.Errorf("exit code %d, want %d\n%s", r.code, c.code, r.stdout)
			}
			for _, want := range c.want {
				if !strings.Contains(r.stdout, want) {
					t.Errorf("no %q in\n%s", want, r.stdout)
				}
			}
			noAppSecret(t, r.all())
			if got := f.writes(); got != 0 {
				t.Errorf("%d writes", got)
			}
		})
	}
}

// virtual is a World and the program in one process, for a bubble.
type virtual struct {
	*sandbox.World
	env  map[string]string
	out  bytes.Buffer
	code int
}

func (v *virtual) run(ctx context.Context, args ...string) {
	v.out.Reset()
	command := cli.Command{
		Version: "test", Stdin: strings.NewReader(""), Stdout: &v.out, Stderr: &v.out,
		Getenv: func(name string) string { return v.env[name] }, Transport: v.RoundTripper(),
	}
	v.code = command.Run(ctx, args)
}

// onRunner sets the inputs as a runner does.
func (v *virtual) onRunner(dir string, in inputs) {
	v.env = map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": dir + "/output", "GITHUB_STEP_SUMMARY": dir + "/summary"}
	all := inputs{
		"codacy-api-token": sandbox.CodacyToken, "organization": "acme",
		"codacy-api-url": sandbox.CodacyURL, "github-api-url": sandbox.GitHubURL,
	}
	maps.Copy(all, in)
	for k, value := range all {
		v.env["INPUT_"+strings.ToUpper(k)] = value
	}
}

// TestAppRenewal: runs that take longer than a token lives. No request is refused,
// and each life has one renewal.
func TestAppRenewal(t *testing.T) {
	t.Parallel()
	appKeys()

	for name, c := range map[string]struct {
		life, latency time.Duration
		repositories  int
		in            inputs
		limits        sandbox.Limits
		hook          func(sandbox.Request) sandbox.Effect
		least         time.Duration // that the run takes
	}{
		"64 s": {life: 64 * time.Second, latency: 3 * time.Second, repositories: 400, least: 5 * time.Minute,
			limits: sandbox.Limits{Writes: 80, Points: 900}},
		"64 s, all stores, many at once": {life: 64 * time.Second, latency: time.Second, repositories: 150, least: 7 * time.Minute,
			limits: sandbox.Limits{Writes: 80, Points: 900},
			in:     inputs{"secret-stores": "actions, agents, codespaces, dependabot", "concurrency": "100"}},
		"64 s, few writes": {life: 64 * time.Second, latency: time.Second, repositories: 12, least: 10 * time.Minute,
			limits: sandbox.Limits{Writes: 1}, in: inputs{"writes-per-minute": "1"}},
		"an hour": {life: time.Hour, latency: time.Second, repositories: 500, least: 2 * time.Hour,
			limits: sandbox.Limits{Writes: 4}, in: inputs{"writes-per-minute": "4"}},
		"64 s, and GitHub held for minutes": {life: 64 * time.Second, latency: time.Second, repositories: 100, least: 5 * time.Minute,
			hook: func(r sandbox.Request) sandbox.Effect {
				if r.Sequence%150 == 149 && r.Service == sandbox.GitHub {
					return sandbox.SecondaryLimit(403, 2*time.Minute)
				}
				return sandbox.Effect{}
			}},
		"64 s, and a token's POST that fails": {life: 64 * time.Second, latency: 3 * time.Second, repositories: 200, least: 2 * time.Minute,
			hook: func(r sandbox.Request) sandbox.Effect {
				if r.Kind == sandbox.KindAccessToken && r.Attempt%3 == 2 {
					return sandbox.Effect{Skip: true, Status: 502}
				}
				return sandbox.Effect{}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				o := appOptions()
				o.App.TokenLife, o.Latency, o.Limits, o.Record = c.life, c.latency, c.limits, true
				v := virtual{World: sandbox.New(o)}
				if c.hook != nil {
					v.Hook(c.hook)
				}
				for _, n := range names(c.repositories) {
					v.Add(sandbox.Repository{Name: n})
				}
				v.onRunner(dir, appInputs(c.in))
				begin := time.Now()
				v.run(t.Context())
				took := time.Since(begin)
				if v.code != 0 || took < c.least {
					t.Fatalf("exit code %d after %s\n%s", v.code, took, tail(v.out.String()))
				}
				v.Check(t)
				noAppSecret(t, v.out.String())
				for _, n := range names(c.repositories) {
					if value, ok := v.Secret(n, "actions", secretName); !ok || !v.TokenAlive(n, value) || len(v.Orphans(n)) > 0 {
						t.Errorf("%s: secret %t, %d orphans", n, ok, len(v.Orphans(n)))
					}
				}

				var made []time.Time // when the tokens were asked for
				for _, r := range v.Requests() {
					switch {
					case r.Status == http.StatusUnauthorized:
						t.Errorf("%s was refused at %s", r.Path, r.Time)
					case r.Kind == sandbox.KindAccessToken && r.Status == http.StatusCreated:
						made = append(made, r.Time)
					}
				}
				// The next one is asked for when less than a minute remains: in whole
				// seconds, the token is made after it was asked for, and another second is
				// what is not known of GitHub's clock.
				for i, m := range made[1:] {
					if age := m.Sub(made[i]); age < c.life-time.Minute-2*time.Second {
						t.Errorf("token %d was renewed %s after it was asked for", i, age)
					}
				}
				if most := int(took/(c.life-time.Minute)) + 1; len(made) < 2 || len(made) > most {
					t.Errorf("%d tokens in %s, want 2 to %d", len(made), took, most)
				}
				if masks := strings.Count(v.out.String(), "::add-mask::ghs_"); masks != len(made) {
					t.Errorf("%d tokens were made, %d masked", len(made), masks)
				}
			})
		})
	}
}

// TestAppDies: a credential that dies in mid-run. No further repository is begun,
// one error, the rest deferred, exit 1; and no secret is taken for absent.
func TestAppDies(t *testing.T) {
	t.Parallel()
	appKeys()

	for name, status := range map[string]int{"uninstalled": 404, "suspended": 403, "key withdrawn": 401} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				o := appOptions()
				o.App.TokenLife, o.Latency = 64*time.Second, time.Second
				v := virtual{World: sandbox.New(o)}
				for _, n := range names(300) {
					v.Add(sandbox.Repository{Name: n})
				}
				v.onRunner(dir, appInputs(inputs{"report-file": dir + "/report.json"}))
				v.run(t.Context()) // the first generation of tokens
				v.Advance(30 * 24 * time.Hour)
				begin := time.Now()
				v.Hook(func(r sandbox.Request) sandbox.Effect {
					if r.Kind == sandbox.KindAccessToken && time.Since(begin) > 5*time.Second {
						return sandbox.Effect{Skip: true, Status: status}
					}
					return sandbox.Effect{}
				})
				v.run(t.Context(), "--renew-before-days=300")
				if v.code != 1 || time.Since(begin) > 2*time.Minute {
					t.Errorf("exit code %d after %s\n%s", v.code, time.Since(begin), tail(v.out.String()))
				}
				if n := strings.Count(v.out.String(), "::error"); n == 0 || n > 2 {
					t.Errorf("%d errors\n%s", n, tail(v.out.String()))
				}
				if n := strings.Count(v.out.String(), "\ndeferred"); n < 150 {
					t.Errorf("%d deferred\n%s", n, tail(v.out.String()))
				}
				v.Check(t)
				for _, n := range names(300) {
					if value, ok := v.Secret(n, "actions", secretName); !ok || !v.TokenAlive(n, value) {
						t.Errorf("%s has no living token", n)
					}
				}
			})
		})
	}
}

// TestAppRevoked: the token in use dies before its time. It is renewed once, and
// nobody notices.
func TestAppRevoked(t *testing.T) {
	t.Parallel()
	appKeys()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		o := appOptions()
		o.Latency = time.Second
		v := virtual{World: sandbox.New(o)}
		all := names(200)
		for _, n := range all {
			v.Add(sandbox.Repository{Name: n})
		}
		v.onRunner(dir, appInputs(nil))
		time.AfterFunc(20*time.Second, func() {
			for line := range strings.Lines(v.out.String()) {
				if token, ok := strings.CutPrefix(line, "::add-mask::ghs_"); ok {
					v.Revoke("ghs_" + strings.TrimSpace(token))
				}
			}
		})
		v.run(t.Context())
		if v.code != 0 {
			t.Fatalf("exit code %d\n%s", v.code, tail(v.out.String()))
		}
		if got := v.Count(sandbox.KindAccessToken); got != 2 {
			t.Errorf("%d tokens were asked for", got)
		}
		v.Check(t)
		if missing := slices.IndexFunc(all, func(n string) bool {
			value, ok := v.Secret(n, "actions", secretName)
			return !ok || !v.TokenAlive(n, value)
		}); missing >= 0 {
			t.Errorf("%s has no living token", all[missing])
		}
	})
}

// tail is the end of a log.
func tail(s string) string { return s[max(0, len(s)-3000):] }
