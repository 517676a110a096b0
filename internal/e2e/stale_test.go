package e2e

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestStaleObservation: a repository that waited over a minute to be written is
// observed again, so that a secret that a user changed meanwhile is kept. A repository
// that did not wait is observed once.
func TestStaleObservation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 12
		v := bubble(t, sandbox.Options{}, harness.Names(n)...)
		for i, name := range harness.Names(n) {
			v.Provision(name, sandbox.Token{
				Name: "codacy-project-token-1", Created: v.Time().AddDate(0, 0, -300), Expires: v.Time().AddDate(0, 0, 10+i),
			}, "actions")
		}
		last := harness.Names(n)[n-1] // the least urgent
		// The first repositories to be listed are written at once, whatever their
		// priority.
		v.Hook(func(r sandbox.Request) sandbox.Effect {
			if r.Kind == sandbox.KindListTokens && r.Repository == last && r.Attempt == 1 {
				return sandbox.Effect{Delay: time.Second}
			}
			return sandbox.Effect{}
		})
		go func() {
			time.Sleep(90 * time.Second)
			v.SetSecret(last, "actions", harness.SecretName, "manual")
		}()
		code, out := v.run(harness.Inputs{"existing-secrets": "keep", "writes-per-minute": "2"})
		if code != 0 {
			t.Errorf("exit code %d\n%s", code, out)
		}
		if value, _ := v.Secret(last, "actions", harness.SecretName); value != "manual" {
			t.Errorf("a secret that was changed while it waited is overwritten\n%s", out)
		}
		if valid := len(v.ValidTokens(last)); valid != 1 {
			t.Errorf("%d valid tokens, want only the old one\n%s", valid, out)
		}
		for _, name := range harness.Names(n - 1) {
			v.renewed(name)
		}
		// Two are written at once, the others wait for over a minute.
		if listings := v.Count(sandbox.KindListTokens); listings < 2*n-4 || listings > 2*n {
			t.Errorf("%d listings of %d repositories", listings, n)
		}
	})
}

// renewed asserts that the secret holds a valid token that is not the old one.
func (v *virtual) renewed(repository string) {
	v.t.Helper()
	value, _ := v.Secret(repository, "actions", harness.SecretName)
	if !v.TokenValid(repository, value) || value == v.Tokens(repository)[0].Value {
		v.t.Errorf("%s is not renewed", repository)
	}
}
