package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestGoneDuringTheRun: a repository that was deleted on GitHub after the list is not
// reported as kept or current, and its token stays as it is.
func TestGoneDuringTheRun(t *testing.T) {
	t.Parallel()

	for _, existing := range []string{"replace", "keep", "only"} {
		for name, token := range map[string]func(*sandbox.World) sandbox.Token{
			"up to date": func(w *sandbox.World) sandbox.Token { return harness.Aged(w, 1, 10, 355) },
			"due":        func(w *sandbox.World) sandbox.Token { return harness.Aged(w, 1, 300, 65) },
		} {
			for at := 1; at <= 12; at++ {
				t.Run(fmt.Sprintf("%s, %s, at request %d", existing, name, at), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						v := bubble(t, sandbox.Options{}, "web", "api")
						v.Provision("api", token(v.World), "actions")
						gone := false
						v.Hook(func(r sandbox.Request) sandbox.Effect {
							if r.Kind == sandbox.KindListTokens && r.Repository == "api" && at == 1 || r.Repository == "api" && r.Sequence >= at+4 && !gone {
								gone = true
								return sandbox.Effect{Before: func() { v.Remove("api") }}
							}
							return sandbox.Effect{}
						})
						code, out := v.start(t.Context(), harness.Inputs{"existing-secrets": existing}, rand.New(rand.NewPCG(1, 2)), v.RoundTripper())
						if code != 0 && code != 1 {
							t.Errorf("exit code %d\n%s", code, out)
						}
						checked := v.Count(sandbox.KindGetSecret) > 0
						for _, outcome := range []string{"kept     acme/api", "created  acme/api"} {
							if line := lineOf(out, outcome); line != "" && (checked || outcome[0] == 'c') {
								t.Errorf("gone, and reported as %s%s", line, out)
							}
						}
						if n := len(v.ValidTokens("api")); n == 0 {
							t.Errorf("its token was revoked\n%s", out)
						}
						for _, violation := range v.Violations() {
							t.Error(violation)
						}
					})
				})
			}
		}
	}
}

// TestLegacyHasNoLimit: legacy Codacy has no limit of 100 tokens.
func TestLegacyHasNoLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := bubble(t, sandbox.Options{Legacy: true}, "api")
		for i := range 100 {
			v.AddToken("api", sandbox.Token{Value: fmt.Sprintf("0123456789abcdef%04d", i)})
		}
		code, out := v.run(nil)
		value, ok := v.Secret("api", "actions", harness.SecretName)
		if code != 0 || !ok || !v.TokenValid("api", value) {
			t.Errorf("exit code %d, stored %v\n%s", code, ok, out)
		}
		if n := v.Count(sandbox.KindDeleteToken); n > 0 {
			t.Errorf("%d tokens were deleted", n)
		}
	})
}

// TestPagesShift: a repository is deleted while GitHub's list is read, so that all after
// it move up, across the border of two pages. None of the others is lost.
func TestPagesShift(t *testing.T) {
	t.Parallel()

	for _, page := range []int{1, 2, 3} {
		for _, app := range []bool{false, true} {
			t.Run(fmt.Sprintf("page %d, App %v", page, app), func(t *testing.T) {
				t.Parallel()
				if app {
					harness.AppKeys()
				}
				synctest.Test(t, func(t *testing.T) {
					o, in, kind := sandbox.Options{}, harness.Inputs{}, sandbox.KindGitHubRepositories
					if app {
						o, in, kind = harness.AppOptions(), appInputs(nil), sandbox.KindInstallationRepositories
					}
					o.Latency = 10 * time.Millisecond
					v := bubble(t, o, harness.Names(301)...)
					n := 0
					v.Hook(func(r sandbox.Request) sandbox.Effect {
						if r.Kind != kind {
							return sandbox.Effect{}
						}
						if n++; n != page {
							return sandbox.Effect{}
						}
						return sandbox.Effect{After: func() { v.Remove(harness.Names(1)[0]) }}
					})
					code, out := v.start(t.Context(), in, rand.New(rand.NewPCG(1, 2)), v.RoundTripper())
					v.Hook(nil)
					lost := 0
					for _, name := range harness.Names(301)[1:] {
						if _, ok := v.Secret(name, "actions", harness.SecretName); !ok {
							lost++
						}
					}
					if lost > 0 {
						t.Errorf("exit code %d, %d repositories were lost between two pages\n%s", code, lost, tail(out))
					}
				})
			})
		}
	}
}

// TestQuotaResetMovesBack: GitHub says in a response that the quota is reset earlier than
// it said before, or never. The run neither waits for the later time nor exceeds it.
func TestQuotaResetMovesBack(t *testing.T) {
	t.Parallel()

	for name, reset := range map[string]time.Duration{"earlier": 10 * time.Minute, "in the past": -time.Hour, "much later": 100 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := bubble(t, sandbox.Options{Latency: 100 * time.Millisecond}, harness.Names(60)...)
				n := 0
				v.Hook(func(r sandbox.Request) sandbox.Effect {
					if r.Kind != sandbox.KindPublicKey {
						return sandbox.Effect{}
					}
					n++
					header := func(remaining int, reset time.Duration) sandbox.Effect {
						return sandbox.Effect{Header: map[string][]string{
							"X-Ratelimit-Limit": {"5000"}, "X-Ratelimit-Remaining": {fmt.Sprint(remaining)},
							"X-Ratelimit-Reset": {fmt.Sprint(v.Time().Add(reset).Unix())},
						}}
					}
					switch {
					case n == 10:
						return header(1000, reset)
					case n < 10:
						return header(1000, time.Hour)
					}
					return header(2000, 30*time.Minute)
				})
				started := time.Now()
				code, out := v.run(harness.Inputs{"max-duration": "2h"})
				if took := time.Since(started); code != 0 || took > 45*time.Minute {
					t.Errorf("exit code %d after %v\n%s", code, took, tail(out))
				}
			})
		})
	}
}
