package e2e

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestSecondLook: what waited for over a minute to be written is looked at once
// more, so that a secret that somebody took over meanwhile is kept; and what did
// not wait is not.
func TestSecondLook(t *testing.T) {
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
		// The first ones that are looked at are written at once, whatever their turn.
		v.Hook(func(r sandbox.Request) sandbox.Effect {
			if r.Kind == sandbox.KindListTokens && r.Repository == last && r.Attempt == 1 {
				return sandbox.Effect{Delay: time.Second}
			}
			return sandbox.Effect{}
		})
		go func() {
			time.Sleep(90 * time.Second)
			v.SetSecret(last, "actions", harness.SecretName, "by hand")
		}()
		code, out := v.run(harness.Inputs{"existing-secrets": "keep", "writes-per-minute": "2"})
		if code != 0 {
			t.Errorf("exit code %d\n%s", code, out)
		}
		if value, _ := v.Secret(last, "actions", harness.SecretName); value != "by hand" {
			t.Errorf("what was changed by hand while it waited is overwritten\n%s", out)
		}
		if living := len(v.ValidTokens(last)); living != 1 {
			t.Errorf("%d tokens live, want the old one alone\n%s", living, out)
		}
		for _, name := range harness.Names(n - 1) {
			v.renewed(name)
		}
		// Two are written at once, those after them wait for a minute and more.
		if looks := v.Count(sandbox.KindListTokens); looks < 2*n-4 || looks > 2*n {
			t.Errorf("%d looks at %d repositories", looks, n)
		}
	})
}

// renewed asserts that the secret holds a living token that is not the old one.
func (v *virtual) renewed(repository string) {
	v.t.Helper()
	value, _ := v.Secret(repository, "actions", harness.SecretName)
	if !v.TokenValid(repository, value) || value == v.Tokens(repository)[0].Value {
		v.t.Errorf("%s is not renewed", repository)
	}
}
