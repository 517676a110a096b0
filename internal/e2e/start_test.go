package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestWrongInputs: a wrong input ends the run with exit code 2 and an ::error that
// names it, and nothing is written.
func TestWrongInputs(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		options sandbox.Options
		in      harness.Inputs
		want    []string // in the ::error
	}{
		"account token rejected": {
			in:   harness.Inputs{"codacy-api-token": "another-account-token"},
			want: []string{"codacy-api-token: Codacy rejects this account API token", "account/access-management"},
		},
		"account token rejected with 404": {
			options: sandbox.Options{InvalidTokenStatus: http.StatusNotFound},
			in:      harness.Inputs{"codacy-api-token": "another-account-token"},
			want:    []string{"codacy-api-token: Codacy rejects this account API token"},
		},
		"GitHub token rejected": {
			in:   harness.Inputs{"github-token": "ghp_another_token"},
			want: []string{"github-token: GitHub rejects this token", "Bad credentials"},
		},
		"unknown organization": {
			in:   harness.Inputs{"organization": "no-such-owner"},
			want: []string{`organization: neither Codacy nor GitHub has an organization "no-such-owner"`},
		},
		"patterns that match nothing": {
			in:   harness.Inputs{"repositories": "nothing-like-*"},
			want: []string{"repositories: the patterns select none of acme's repositories (excluded: 3)"},
		},
		"everything excluded": {
			in:   harness.Inputs{"exclude-repositories": "*"},
			want: []string{"repositories: the patterns select none of acme's repositories (excluded: 3)"},
		},
		"no credential for GitHub": {
			in:   harness.Inputs{"github-token": ""},
			want: []string{"github-token", "github-app-id"},
		},
		"both credentials for GitHub": {
			in:   harness.Inputs{"github-app-id": "12345"},
			want: []string{"github-token", "github-app-id"},
		},
		"several at once": {
			in:   harness.Inputs{"concurrency": "0", "shard": "3/2", "secret-name": "GITHUB_X", "codacy-api-token": ""},
			want: []string{"concurrency", "shard", "secret-name", "codacy-api-token"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			f := harness.Serve(t, c.options)
			for _, n := range harness.Names(3) {
				f.Add(sandbox.Repository{Name: n})
			}
			r := f.Run(c.in)
			if r.Code != 2 {
				t.Errorf("exit code %d, want 2", r.Code)
			}
			errors := r.Annotations("error")
			for _, want := range c.want {
				if !strings.Contains(errors, want) {
					t.Errorf("no ::error says %q:\n%s", want, r.Stdout)
				}
			}
			if n := f.Writes(); n != 0 {
				t.Errorf("%d writes were sent", n)
			}
		})
	}
}

// TestReadPermissionOnly: the first writes show that the credential lacks the
// permission, and no token is left behind.
func TestReadPermissionOnly(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, sandbox.Options{Credentials: []sandbox.Credential{{
		Value: sandbox.GitHubToken, Kind: sandbox.FineGrained,
		Access: map[string]sandbox.Access{"actions": sandbox.Read},
	}}})
	for _, n := range harness.Names(40) {
		f.Add(sandbox.Repository{Name: n})
		// A repository that needs no write proves nothing about the permission.
		f.Add(sandbox.Repository{Name: "archived-" + n, Archived: true})
	}
	r := f.Run(harness.Inputs{"concurrency": "2"})
	f.Want(r, 2, "failed=3 deferred=37 skipped=40")
	if errors := r.Annotations("error"); !strings.Contains(errors, "secrets=write") || !strings.Contains(errors, "github-token") {
		t.Errorf("the ::error does not name the permission and the input:\n%s", errors)
	}
	if got := f.Count(sandbox.KindPutSecret); got != 3 {
		t.Errorf("%d puts were sent, want 3", got)
	}
	for _, n := range harness.Names(40) {
		if valid := f.ValidTokens(n); len(valid) > 0 {
			t.Errorf("%s: a token is left behind", n)
		}
	}
}

// TestDeniedForOneRepository: a denial that concerns one repository stops no other
// one, however many such denials come first.
func TestDeniedForOneRepository(t *testing.T) {
	t.Parallel()

	t.Run("the role on GitHub", func(t *testing.T) {
		t.Parallel()
		f := harness.Serve(t, sandbox.Options{})
		for _, n := range harness.Names(6) {
			f.Add(sandbox.Repository{Name: n, Role: "write"})
		}
		r := f.Run(nil)
		f.Want(r, 1, "failed=6")
		if errors := r.Annotations("error"); !strings.Contains(errors, "no admin rights on acme/service-000, which GitHub requires for secrets (affected: 6)") {
			t.Errorf("the ::error does not say why:\n%s", errors)
		}
		for _, n := range harness.Names(6) {
			if valid := f.ValidTokens(n); len(valid) > 0 {
				t.Errorf("%s: a token is left behind", n)
			}
		}
	})
	t.Run("the role on Codacy", func(t *testing.T) {
		t.Parallel()
		f := harness.Serve(t, sandbox.Options{})
		for _, n := range harness.Names(6) {
			f.Add(sandbox.Repository{Name: n})
		}
		f.Hook(func(r sandbox.Request) sandbox.Effect {
			if r.Kind == sandbox.KindCreateToken && r.Repository != "service-005" {
				return sandbox.Effect{Skip: true, Status: http.StatusForbidden}
			}
			return sandbox.Effect{}
		})
		r := f.Run(nil)
		f.Want(r, 1, "failed=5 created=1")
		if errors := r.Annotations("error"); !strings.Contains(errors, "codacy-api-token") || strings.Contains(errors, "github-token") {
			t.Errorf("the ::error does not name the input at fault:\n%s", errors)
		}
	})
}

// TestAccountTokenRejectedDuringCreation: the rejection is reported, although the
// response before it was indeterminate.
func TestAccountTokenRejectedDuringCreation(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, sandbox.Options{}, sandbox.Repository{Name: "alpha"})
	f.Hook(func(r sandbox.Request) sandbox.Effect {
		if r.Kind == sandbox.KindCreateToken {
			return sandbox.Effect{Skip: true, Status: http.StatusBadGateway, After: func() { f.Revoke(sandbox.CodacyToken) }}
		}
		return sandbox.Effect{}
	})
	r := f.Run(nil)
	f.Want(r, 2, "failed=1") // nothing was written
	if errors := r.Annotations("error"); !strings.Contains(errors, "codacy-api-token: Codacy rejects this account API token") {
		t.Errorf("the ::error does not name the input at fault:\n%s", errors)
	}
}

// TestDownAtTheStart: a service that is down is reported within half a minute.
func TestDownAtTheStart(t *testing.T) {
	t.Parallel()

	for _, service := range []sandbox.Service{sandbox.Codacy, sandbox.GitHub} {
		for name, effect := range map[string]sandbox.Effect{
			"503":   {Skip: true, Status: http.StatusServiceUnavailable},
			"500":   {Skip: true, Status: http.StatusInternalServerError},
			"reset": {Skip: true, End: sandbox.Reset},
			"hangs": {Skip: true, End: sandbox.Hang},
			"html":  {Skip: true, Status: http.StatusOK, Body: []byte("<html>")},
		} {
			t.Run(fmt.Sprint(service, " ", name), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					b := bubble(t, sandbox.Options{}, harness.Names(3)...)
					b.Hook(func(r sandbox.Request) sandbox.Effect {
						if r.Service == service {
							return effect
						}
						return sandbox.Effect{}
					})
					started := time.Now()
					code, out := b.run(nil)
					if code != 1 {
						t.Errorf("exit code %d, want 1\n%s", code, out)
					}
					if took := time.Since(started); took > 30*time.Second {
						t.Errorf("reported after %v", took)
					}
					if want := map[sandbox.Service]string{sandbox.Codacy: "Codacy", sandbox.GitHub: "GitHub"}[service]; !strings.Contains(out, "::error::"+want) {
						t.Errorf("no ::error names the service:\n%s", out)
					}
				})
			})
		}
	}
}
