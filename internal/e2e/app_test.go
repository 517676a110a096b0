package e2e

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/cli"
	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// appInputs are the inputs of a run with the App in place of a token.
func appInputs(more harness.Inputs) harness.Inputs {
	in := harness.Inputs{"github-token": "", "github-app-id": harness.AppID, "github-app-private-key": harness.AppPEM(harness.AppKeys()[0])}
	maps.Copy(in, more)
	return in
}

// noAppSecret searches what was written for the key, a line of it, a JWT or an
// installation token. An installation token may appear only in the command that masks
// it.
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
		for _, key := range harness.AppKeys() {
			for l := range strings.Lines(harness.AppPEM(key)) {
				if l = strings.TrimSpace(l); len(l) > 30 && !strings.Contains(l, "RSA") && strings.Contains(line, l) {
					t.Error("a line of a key was written")
				}
			}
		}
	}
}

func TestApp(t *testing.T) {
	t.Parallel()

	encoded, err := x509.MarshalPKCS8PrivateKey(harness.AppKeys()[0])
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
	for name, c := range map[string]struct {
		in    harness.Inputs
		owner string
		skew  time.Duration
		more  int // more repositories
	}{
		"App ID":             {more: 110},
		"client ID":          {in: harness.Inputs{"github-app-id": harness.AppClient}},
		"user":               {owner: "User"},
		"lines written out":  {in: harness.Inputs{"github-app-private-key": strings.ReplaceAll(harness.AppPEM(harness.AppKeys()[0]), "\n", `\n`)}},
		"PKCS #8":            {in: harness.Inputs{"github-app-private-key": pkcs8}},
		"GitHub's clock off": {skew: 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			o := harness.AppOptions()
			o.OwnerType = c.owner
			f := harness.Serve(t, o)
			f.SetSkew(sandbox.GitHub, c.skew)
			all := harness.Names(10 + c.more)
			for _, n := range all {
				f.Add(sandbox.Repository{Name: n, Private: true})
			}
			first := f.Run(appInputs(c.in))
			f.Want(first, 0, fmt.Sprintf("created=%d", len(all)))
			harness.Each(all, func(name string) { f.Provisioned(name) })
			second := f.Run(appInputs(c.in))
			f.Want(second, 0, fmt.Sprintf("current=%d", len(all)))
			for _, r := range []harness.Result{first, second} {
				noAppSecret(t, r.All())
				if !strings.HasPrefix(r.Stdout, "::add-mask::ghs_") {
					t.Errorf("the first line is not the token's mask:\n%.200s", r.Stdout)
				}
			}
			if got := f.Count(sandbox.KindAccessToken); got != 2 {
				t.Errorf("%d tokens were requested in two runs", got)
			}
			if got := f.Count(sandbox.KindGitHubRepositories) + f.Count(sandbox.KindGitHubOwner); got != 0 {
				t.Errorf("%d requests that are not for an installation", got)
			}
		})
	}
}

// TestAppRepositories: the App sees only the repositories on which it is installed.
func TestAppRepositories(t *testing.T) {
	t.Parallel()

	o := harness.AppOptions()
	o.App.Repositories = []string{"web"}
	o.App.Access = map[string]sandbox.Access{"actions": sandbox.Write}
	f := harness.Serve(t, o, sandbox.Repository{Name: "web"}, sandbox.Repository{Name: "hidden", Hidden: true})
	r := f.Run(appInputs(nil))
	f.Want(r, 0, "created=1 skipped=1")
	f.Provisioned("web")

	// A missing permission is named.
	r = f.Run(appInputs(harness.Inputs{"secret-stores": "dependabot", "secret-name": "OTHER"}))
	if r.Code != 2 || !strings.Contains(r.Stdout, "the App's installation has no permission Dependabot secrets") {
		t.Errorf("exit code %d\n%s", r.Code, r.Stdout)
	}
	if f.Count(sandbox.KindPutSecret) != 1 {
		t.Error("a secret was written without the right")
	}
}

func TestAppDryRun(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, harness.AppOptions(), sandbox.Repository{Name: "web"})
	f.Record(true)
	r := f.Run(appInputs(harness.Inputs{"dry-run": "true"}))
	f.Want(r, 0, "created=1")
	for _, q := range f.Requests() {
		if q.Method != http.MethodGet && q.Kind != sandbox.KindAccessToken && q.Kind != sandbox.KindRevokeAccessToken {
			t.Errorf("a dry run sent %s %s", q.Method, q.Path)
		}
	}
	tokens := f.InstallationTokens()
	if len(tokens) != 1 || tokens[0].Requested["secrets"] != "read" || !tokens[0].Revoked {
		t.Errorf("the tokens are %v, want one that could read only, and was revoked", tokens)
	}
}

// TestAppOnCommandLine: no workflow command, which would print the token.
func TestAppOnCommandLine(t *testing.T) {
	t.Parallel()

	w := sandbox.New(harness.AppOptions())
	w.Add(sandbox.Repository{Name: "web"})
	run := func(key *rsa.PrivateKey) (int, string) {
		var out bytes.Buffer
		environment := map[string]string{"CODACY_API_TOKEN": sandbox.CodacyToken, "GITHUB_APP_PRIVATE_KEY": harness.AppPEM(key)}
		command := cli.Command{
			Version: "test", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
			Getenv: func(name string) string { return environment[name] }, Transport: w.RoundTripper(),
		}
		code := played(t, w, t.Context(), command, "--organization", "acme", "--github-app-id", harness.AppID, "--yes",
			"--codacy-api-url", sandbox.CodacyURL, "--github-api-url", sandbox.GitHubURL)
		noAppSecret(t, out.String())
		return code, out.String()
	}
	if code, out := run(harness.AppKeys()[0]); code != 0 || strings.Contains(out, "::") || strings.Contains(out, "ghs_") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	code, out := run(harness.AppKeys()[1])
	if code != 2 || !strings.Contains(out, "error: GITHUB_APP_PRIVATE_KEY: ") || !strings.Contains(out, "--github-app-id") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	w.Check(t)
}

func TestAppRejected(t *testing.T) {
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
		in   harness.Inputs
		hook func(sandbox.Request) sandbox.Effect
		code int
		want []string // in the error
	}{
		"key of another App": {
			in: harness.Inputs{"github-app-private-key": harness.AppPEM(harness.AppKeys()[1])}, code: 2,
			want: []string{"::error::github-app-private-key: ", "App " + harness.AppID, "/settings/apps", "github-app-id"},
		},
		"unknown App": {
			in: harness.Inputs{"github-app-id": "7654321"}, code: 2,
			want: []string{"::error::github-app-id: ", "has no App with the ID"},
		},
		"unknown App, in GitHub's words": {
			hook: message(sandbox.KindInstallation, 404, "Integration not found"), code: 2,
			want: []string{"::error::github-app-id: ", "has no App with the ID"},
		},
		"not installed": {
			hook: message(sandbox.KindInstallation, 404, "Not Found"), code: 2,
			want: []string{"::error::github-app-id: ", "not installed on acme", "/settings/apps", "organization"},
		},
		"suspended": {
			hook: message(sandbox.KindAccessToken, 403, "This installation has been suspended"), code: 2,
			want: []string{"::error::github-app-id: ", "suspended"},
		},
		"token rejected": {
			hook: message(sandbox.KindInstallationRepositories, 401, "Bad credentials"), code: 2,
			want: []string{"::error::github-app-id: ", "Bad credentials"},
		},
		"key without an App": {in: harness.Inputs{"github-app-id": ""}, code: 2, want: []string{"::error::github-app-id: "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			f := harness.Serve(t, harness.AppOptions(), sandbox.Repository{Name: "web"})
			if c.hook != nil {
				f.Hook(c.hook)
			}
			r := f.Run(appInputs(c.in))
			if r.Code != c.code || strings.Count(r.Stdout, "::error") != 1 {
				t.Errorf("exit code %d, want %d\n%s", r.Code, c.code, r.Stdout)
			}
			for _, want := range c.want {
				if !strings.Contains(r.Stdout, want) {
					t.Errorf("no %q in\n%s", want, r.Stdout)
				}
			}
			noAppSecret(t, r.All())
			if got := f.Writes(); got != 0 {
				t.Errorf("%d writes", got)
			}
		})
	}
}

// TestAppDown: if GitHub is down when the App requests a token, no input is blamed.
func TestAppDown(t *testing.T) {
	t.Parallel()
	harness.AppKeys()
	synctest.Test(t, func(t *testing.T) {
		v := bubble(t, harness.AppOptions(), "web")
		v.Hook(func(r sandbox.Request) sandbox.Effect {
			if r.Kind == sandbox.KindAccessToken {
				return sandbox.Effect{Skip: true, Status: http.StatusBadGateway}
			}
			return sandbox.Effect{}
		})
		begin := time.Now()
		code, out := v.run(appInputs(nil))
		if took := time.Since(begin); code != 1 || took > 30*time.Second || !strings.Contains(out, "::error::GitHub: ") {
			t.Errorf("exit code %d after %s\n%s", code, took, out)
		}
	})
}

// TestAppRenewal: runs that take longer than a token is valid. No request is rejected,
// and each token is renewed once.
func TestAppRenewal(t *testing.T) {
	t.Parallel()
	harness.AppKeys()

	for name, c := range map[string]struct {
		life, latency time.Duration
		repositories  int
		in            harness.Inputs
		limits        sandbox.Limits
		hook          func(sandbox.Request) sandbox.Effect // for GitHub's requests, one at a time
		least         time.Duration                        // that the run takes
	}{
		"64 s": {
			life: 64 * time.Second, latency: 3 * time.Second, repositories: 250, least: 3 * time.Minute,
			limits: sandbox.Limits{Writes: 80, Points: 900},
		},
		"64 s, all stores, many at once": {
			life: 64 * time.Second, latency: time.Second, repositories: 80, least: 3 * time.Minute,
			limits: sandbox.Limits{Writes: 80, Points: 900},
			in:     harness.Inputs{"secret-stores": "actions, agents, codespaces, dependabot", "concurrency": "100"},
		},
		"64 s, few writes": {
			life: 64 * time.Second, latency: time.Second, repositories: 12, least: 10 * time.Minute,
			limits: sandbox.Limits{Writes: 1}, in: harness.Inputs{"writes-per-minute": "1"},
		},
		"an hour": {
			life: time.Hour, latency: time.Second, repositories: 150, least: 2 * time.Hour,
			limits: sandbox.Limits{Writes: 1}, in: harness.Inputs{"writes-per-minute": "1"},
		},
		"64 s, and GitHub held for minutes": {
			life: 64 * time.Second, latency: time.Second, repositories: 100, least: 5 * time.Minute,
			hook: func() func(sandbox.Request) sandbox.Effect {
				n := 0
				return func(sandbox.Request) sandbox.Effect {
					if n++; n%60 == 0 {
						return sandbox.SecondaryLimit(403, 2*time.Minute)
					}
					return sandbox.Effect{}
				}
			}(),
		},
		"64 s, and a token's POST that fails": {
			life: 64 * time.Second, latency: 3 * time.Second, repositories: 120, least: time.Minute,
			hook: func(r sandbox.Request) sandbox.Effect {
				if r.Kind == sandbox.KindAccessToken && r.Attempt%3 == 2 {
					return sandbox.Effect{Skip: true, Status: 502}
				}
				return sandbox.Effect{}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := harness.AppOptions()
				o.App.TokenLife, o.Latency, o.Limits, o.Record = c.life, c.latency, c.limits, true
				v := bubble(t, o, harness.Names(c.repositories)...)
				if c.hook != nil {
					var mu sync.Mutex
					v.Hook(func(r sandbox.Request) sandbox.Effect {
						if r.Service != sandbox.GitHub {
							return sandbox.Effect{}
						}
						mu.Lock()
						defer mu.Unlock()
						return c.hook(r)
					})
				}
				in := appInputs(harness.Inputs{"writes-per-minute": "80"})
				maps.Copy(in, c.in)
				begin := time.Now()
				code, out := v.run(in)
				took := time.Since(begin)
				if code != 0 || took < c.least {
					t.Fatalf("exit code %d after %s\n%s", code, took, tail(out))
				}
				noAppSecret(t, out)
				for _, n := range harness.Names(c.repositories) {
					v.provisioned(n)
				}

				var created []time.Time // when the tokens were requested
				for _, r := range v.Requests() {
					switch {
					case r.Status == http.StatusUnauthorized:
						t.Errorf("%s was rejected at %s", r.Path, r.Time)
					case r.Kind == sandbox.KindAccessToken && r.Status == http.StatusCreated:
						created = append(created, r.Time)
					}
				}
				// The next one is requested when less than a minute remains. Times are
				// whole seconds, the token is created after the request, and GitHub's
				// clock is known to a second only.
				for i, m := range created[1:] {
					if age := m.Sub(created[i]); age < c.life-time.Minute-2*time.Second {
						t.Errorf("token %d was renewed %s after it was requested", i, age)
					}
				}
				if most := int(took/(c.life-time.Minute)) + 1; len(created) < 2 || len(created) > most {
					t.Errorf("%d tokens in %s, want 2 to %d", len(created), took, most)
				}
				if masks := strings.Count(out, "::add-mask::ghs_"); masks != len(created) {
					t.Errorf("%d tokens were created, %d masked", len(created), masks)
				}
			})
		})
	}
}

// TestAppSuspended: the credential is rejected during the run. No other repository is
// started, there is one error, the rest is deferred, and the exit code is 1. No secret
// is mistaken for absent.
func TestAppSuspended(t *testing.T) {
	t.Parallel()
	harness.AppKeys()

	for name, status := range map[string]int{"uninstalled": 404, "suspended": 403, "key withdrawn": 401} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := harness.AppOptions()
				o.App.TokenLife, o.Latency = 64*time.Second, time.Second
				v := bubble(t, o, harness.Names(120)...)
				if code, out := v.run(appInputs(nil)); code != 0 {
					t.Fatalf("exit code %d\n%s", code, tail(out))
				}
				v.Advance(100 * 24 * time.Hour)
				begin := time.Now()
				v.Hook(func(r sandbox.Request) sandbox.Effect {
					if r.Kind == sandbox.KindAccessToken && time.Since(begin) > 20*time.Second {
						return sandbox.Effect{Skip: true, Status: status}
					}
					return sandbox.Effect{}
				})
				code, out := v.run(appInputs(harness.Inputs{"renew-before-days": "300", "revoke-after-hours": "0"}))
				if took := time.Since(begin); code != 1 || took > 2*time.Minute {
					t.Errorf("exit code %d after %s\n%s", code, took, tail(out))
				}
				// One error for the repository, one for the run.
				if n := strings.Count(out, "::error"); n > 2 || !strings.Contains(out, "the App's token could not be renewed") {
					t.Errorf("%d errors\n%s", n, tail(out))
				}
				renewed, deferred := strings.Count(out, "\nrenewed"), strings.Count(out, "\ndeferred")
				if renewed < 10 || renewed+deferred < 119 {
					t.Errorf("%d renewed, %d deferred\n%s", renewed, deferred, tail(out))
				}
				for _, n := range harness.Names(120) {
					v.provisioned(n)
				}
			})
		})
	}
}

// TestAppRevoked: the token is revoked while it is used. It is renewed once, and no
// repository is affected.
func TestAppRevoked(t *testing.T) {
	t.Parallel()
	harness.AppKeys()
	synctest.Test(t, func(t *testing.T) {
		o := harness.AppOptions()
		o.Latency = time.Second
		v := bubble(t, o, harness.Names(200)...)
		var last atomic.Value // the credential of a request
		time.AfterFunc(20*time.Second, func() { v.Revoke(last.Load().(string)) })
		code, out := v.start(t.Context(), appInputs(nil), rand.New(rand.NewPCG(1, 2)), roundTrip(func(req *http.Request) (*http.Response, error) {
			if credential, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ghs_"); ok {
				last.Store("ghs_" + credential)
			}
			return v.RoundTripper().RoundTrip(req)
		}))
		if code != 0 {
			t.Fatalf("exit code %d\n%s", code, tail(out))
		}
		if got := v.Count(sandbox.KindAccessToken); got != 2 {
			t.Errorf("%d tokens were requested", got)
		}
		for _, n := range harness.Names(200) {
			v.provisioned(n)
		}
		v.Check(t)
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// tail is the end of a log.
func tail(s string) string { return s[max(0, len(s)-1500):] }
