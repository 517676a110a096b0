package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// takenStatuses are the statuses that Codacy may answer with where a name is taken,
// which is not documented.
var takenStatuses = []int{409, 422, 400}

// TestHiddenExpiredTokens: a pause of years is survived where Codacy does not list
// expired tokens, whose names stay taken.
func TestHiddenExpiredTokens(t *testing.T) {
	t.Parallel()

	for _, status := range takenStatuses {
		for _, tokens := range []int{1, 2, 5, 15, 60} {
			t.Run(fmt.Sprint(status, ", ", tokens, " tokens"), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					v := noon(t, sandbox.Options{HideExpired: true, NameTaken: status, RevokeAfter: 864 * time.Hour}, "alpha", "beta")
					for n := range tokens {
						v.AddToken("alpha", harness.Aged(v.World, n+1, 1000-n, -200))
					}
					v.Provision("alpha", harness.Aged(v.World, tokens+1, 900, -100), "actions")
					for range 3 {
						posts := v.Count(sandbox.KindCreateToken)
						if code, out := v.run(harness.Inputs{"revoke-after-hours": "864"}); code != 0 {
							t.Errorf("exit code %d\n%s", code, out)
						}
						if n := v.Count(sandbox.KindCreateToken) - posts; n > 10 {
							t.Errorf("%d POSTs for two repositories", n)
						}
						v.provisioned("alpha", "actions")
						v.provisioned("beta", "actions")
						time.Sleep(24 * time.Hour)
					}
				})
			})
		}
	}
}

// TestHiddenTokensFillTheLimit: hidden tokens count towards Codacy's 100. A managed
// token that no store holds makes space.
func TestHiddenTokensFillTheLimit(t *testing.T) {
	t.Parallel()

	for _, status := range takenStatuses {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := noon(t, sandbox.Options{HideExpired: true, NameTaken: status, TooManyTokens: status, RevokeAfter: 864 * time.Hour}, "alpha")
				for n := range 96 {
					v.AddToken("alpha", harness.Aged(v.World, n+1, 1000-n, -200))
				}
				for n := range 3 {
					v.AddToken("alpha", harness.Aged(v.World, n+97, 300-n, 65))
				}
				v.Provision("alpha", harness.Aged(v.World, 100, 290, 60), "actions")
				deleted := 0 // before the PUT
				v.Hook(func(r sandbox.Request) sandbox.Effect {
					if r.Kind == sandbox.KindPutSecret {
						deleted = v.Count(sandbox.KindDeleteToken)
					}
					return sandbox.Effect{}
				})
				code, out := v.run(harness.Inputs{"revoke-after-hours": "864"})
				if code != 0 || ended(out, "renewed") != 1 {
					t.Errorf("exit code %d\n%s", code, out)
				}
				if deleted != 1 {
					t.Errorf("%d tokens were deleted to make space, want 1", deleted)
				}
				tokens := v.Tokens("alpha")
				if value, _ := v.Secret("alpha", "actions", harness.SecretName); value != tokens[len(tokens)-1].Value {
					t.Error("the secret does not hold the new token")
				}
			})
		})
	}
}

// TestTwoRunsAtOnce: nothing fails, nothing is lost, and the next run finds one token
// in every secret.
func TestTwoRunsAtOnce(t *testing.T) {
	t.Parallel()

	for _, status := range takenStatuses {
		for seed := range uint64(6) {
			t.Run(fmt.Sprint(status, ", seed ", seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					names := harness.Names(30)
					v := noon(t, sandbox.Options{
						NameTaken: status, HideExpired: seed%2 == 0, RevokeAfter: 864 * time.Hour, Latency: 50 * time.Millisecond,
					}, names...)
					v.due(60, names[:10]...)
					for _, n := range names[10:20] {
						v.Provision(n, harness.Aged(v.World, 1, 400, -35), "actions")
					}
					in := harness.Inputs{"secret-stores": "actions,dependabot", "revoke-after-hours": "864"}
					var wg sync.WaitGroup
					for run := range uint64(2) {
						other := &virtual{World: v.World, t: t, dir: t.TempDir()}
						wg.Go(func() {
							time.Sleep(time.Duration(run*seed) * 90 * time.Millisecond)
							code, out := other.start(t.Context(), in, rand.New(rand.NewPCG(seed, run)), other.RoundTripper())
							// A repository with an expired token that is deferred fails the run.
							expired := seed%2 == 1 && strings.Contains(out, "deferred, and its token expire")
							if code != 0 && !expired || ended(out, "failed") > 0 {
								t.Errorf("run %d: exit code %d\n%s", run, code, tail(out))
							}
						})
					}
					wg.Wait()
					v.Check(t)
					for range 3 {
						time.Sleep(20 * 24 * time.Hour)
						if code, out := v.run(in); code != 0 {
							t.Errorf("a later run: exit code %d\n%s", code, tail(out))
						}
					}
					for _, n := range names {
						v.provisioned(n, "actions", "dependabot")
					}
				})
			})
		}
	}
}

// TestExpiryRejected: a 422 that has nothing to do with the name fails after at most
// five POSTs for each repository, in Codacy's words.
func TestExpiryRejected(t *testing.T) {
	t.Parallel()

	for _, existing := range []bool{false, true} {
		t.Run(fmt.Sprint("token there: ", existing), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				names := harness.Names(5)
				v := noon(t, sandbox.Options{MaxLifetime: 90 * 24 * time.Hour}, names...)
				if existing {
					v.due(60, names...)
				}
				posts := map[string]int{}
				v.Hook(func(r sandbox.Request) sandbox.Effect {
					if r.Kind == sandbox.KindCreateToken {
						posts[r.Repository]++
					}
					return sandbox.Effect{}
				})
				code, out := v.run(nil)
				if code != 1 || ended(out, "failed") != len(names) {
					t.Errorf("exit code %d\n%s", code, out)
				}
				for n, sent := range posts {
					if sent > 5 {
						t.Errorf("%s: %d POSTs, want at most 5", n, sent)
					}
				}
				if !strings.Contains(out, "status 422") || !strings.Contains(out, "expir") {
					t.Errorf("Codacy's words are missing\n%s", out)
				}
			})
		})
	}
}
