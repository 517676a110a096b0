package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// noon returns a bubble at noon: a token created in the first instant of a day
// could have a creation date without a time.
func noon(t *testing.T, o sandbox.Options, repositories ...string) *virtual {
	t.Helper()
	time.Sleep(12 * time.Hour)
	return bubble(t, o, repositories...)
}

// seeded runs the program with its own seed.
func (v *virtual) seeded(seed uint64, in harness.Inputs) (code int, out string) {
	v.t.Helper()
	code, out = v.start(v.t.Context(), in, rand.New(rand.NewPCG(seed, 7)), v.RoundTripper())
	v.Check(v.t)
	return code, out
}

// ended returns how many repositories ended with an outcome.
func ended(out, outcome string) int { return strings.Count("\n"+out, "\n"+outcome+" ") }

// blames reports whether an error names the credential or one of its permissions, its
// role in one repository aside.
func blames(out string) bool {
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "::error") && !strings.Contains(line, "no admin rights on acme/") && (strings.Contains(line, "github-token") || strings.Contains(line, "permission")) {
			return true
		}
	}
	return false
}

// due gives repositories a managed token that is held by the actions store, with the
// days that are left.
func (v *virtual) due(left int, repositories ...string) {
	for _, n := range repositories {
		v.Provision(n, harness.Aged(v.World, 1, 365-left, left), "actions")
	}
}

// unchanged checks that no token was left in repositories that could not be written:
// each has the valid tokens that it had.
func (v *virtual) unchanged(tokens int, repositories ...string) {
	v.t.Helper()
	for _, n := range repositories {
		if got := len(v.ValidTokens(n)); got != tokens {
			v.t.Errorf("%s has %d valid tokens, want %d", n, got, tokens)
		}
	}
}

// fineGrained is a token that may write the secrets of all stores.
func fineGrained() []sandbox.Credential {
	access := map[string]sandbox.Access{}
	for _, store := range []string{"actions", "dependabot", "codespaces", "agents"} {
		access[store] = sandbox.Write
	}
	return []sandbox.Credential{{Value: sandbox.GitHubToken, Kind: sandbox.FineGrained, Access: access}}
}

// TestEveryWriteDenied: three denials, and the witnesses if there are any, show that
// the credential lacks the permission.
func TestEveryWriteDenied(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		written int // repositories that an earlier run wrote
		denial  sandbox.Denial
		creates int // maximum
		says    string
	}{
		"first run":                {denial: sandbox.DenyPermission, creates: 3, says: "secrets=write"},
		"first run, no permission": {denial: sandbox.DenyPlain, creates: 3, says: "Forbidden"},
		"some were written before": {written: 20, denial: sandbox.DenyPermission, creates: 6, says: "secrets=write"},
		"one was written before":   {written: 1, denial: sandbox.DenyPermission, creates: 6, says: "secrets=write"},
	} {
		for _, concurrency := range []string{"1", "16"} {
			t.Run(name+", "+concurrency+" at a time", func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					names := harness.Names(60)
					v := noon(t, sandbox.Options{Credentials: fineGrained(), Latency: 20 * time.Millisecond}, names...)
					v.due(60, names[len(names)-c.written:]...)
					for _, n := range names {
						v.Deny(n, "actions", c.denial, sandbox.WriteSecrets)
					}
					code, out := v.run(harness.Inputs{"concurrency": concurrency})
					if creates := v.Count(sandbox.KindCreateToken); code != 2 || creates > c.creates || creates < 3 {
						t.Errorf("exit code %d, %d tokens were created, want 2 and at most %d\n%s", code, creates, c.creates, out)
					}
					if !strings.Contains(out, c.says) || !strings.Contains(out, "github-token") {
						t.Errorf("the permission is not named\n%s", out)
					}
					if got := ended(out, "failed") + ended(out, "deferred"); got != len(names) {
						t.Errorf("%d failed or deferred, want %d\n%s", got, len(names), out)
					}
					v.unchanged(0, names[:len(names)-c.written]...)
					v.unchanged(1, names[len(names)-c.written:]...)
				})
			})
		}
	}
}

// TestNewRepositoriesDenied: denials of repositories that were never written do not
// stop a run whose witnesses can be written, nor one that wrote something.
func TestNewRepositoriesDenied(t *testing.T) {
	t.Parallel()

	for _, denials := range []int{3, 12, 24} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprint(denials, " denials, seed ", seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					names := harness.Names(60)
					v := noon(t, sandbox.Options{Credentials: fineGrained()}, names...)
					v.due(60, names[denials:]...)
					for _, n := range names[:denials] {
						v.Deny(n, "actions", sandbox.DenyPermission, sandbox.WriteSecrets)
					}
					code, out := v.seeded(seed, nil)
					if code != 1 || ended(out, "failed") != denials || ended(out, "renewed") != len(names)-denials {
						t.Errorf("exit code %d\n%s", code, out)
					}
					if blames(out) {
						t.Errorf("the credential is blamed\n%s", tail(out))
					}
					v.unchanged(0, names[:denials]...)
				})
			})
		}
	}
}

// TestTroubledRepositoriesFirst: repositories that fail in every run come first, and
// the others are renewed all the same.
func TestTroubledRepositoriesFirst(t *testing.T) {
	t.Parallel()

	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				names := harness.Names(214)
				v := noon(t, sandbox.Options{}, names...)
				denied, lost, well := names[:4], names[4:14], names[14:]
				for _, n := range denied {
					v.Provision(n, harness.Aged(v.World, 1, 366, -1), "actions")
					v.Deny(n, "actions", sandbox.DenyPlain, sandbox.WriteSecrets)
				}
				v.due(10, lost...)
				v.due(60, well...)
				v.Hook(func(r sandbox.Request) sandbox.Effect {
					if r.Kind == sandbox.KindCreateToken && slices.Contains(lost, r.Repository) {
						return sandbox.Effect{Skip: true, Status: 500}
					}
					return sandbox.Effect{}
				})
				var last string
				for day := range uint64(3) {
					var code int
					// Once the others are done, the denied ones are all that is left to try.
					if code, last = v.seeded(10*seed+day, nil); code != 1 && (day == 0 || code != 2) {
						t.Errorf("day %d: exit code %d", day, code)
					}
					time.Sleep(24 * time.Hour)
				}
				for _, n := range well {
					if len(v.Tokens(n)) < 2 {
						t.Errorf("%s was not renewed within three days\n%s", n, tail(last))
						break
					}
				}
				v.unchanged(0, denied...)
			})
		})
	}
}

// TestSuspendedDuringRun: an App that is suspended after two writes ends the run in
// GitHub's words.
func TestSuspendedDuringRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		names := harness.Names(120)
		v := noon(t, sandbox.Options{}, names...)
		puts := 0
		v.Hook(func(r sandbox.Request) sandbox.Effect {
			if r.Kind == sandbox.KindPutSecret {
				puts++
			}
			if puts > 2 && r.Service == sandbox.GitHub {
				return sandbox.SuspendedInstallation()
			}
			return sandbox.Effect{}
		})
		code, out := v.run(nil)
		if code != 1 || puts > 30 || ended(out, "created") != 2 {
			t.Errorf("exit code %d, %d PUTs\n%s", code, puts, out)
		}
		if !strings.Contains(out, "This installation has been suspended") {
			t.Errorf("GitHub's words are missing\n%s", out)
		}
		total := 0
		for _, n := range names {
			total += len(v.ValidTokens(n))
		}
		if total != 2 {
			t.Errorf("%d tokens are valid, want 2", total)
		}
	})
}

// TestOneStoreDenied: a store whose key can be read and that denies every PUT. The
// other store is renewed when it has to be, and no tokens pile up in a year.
func TestOneStoreDenied(t *testing.T) {
	t.Parallel()

	for _, denied := range []string{"dependabot", "actions"} {
		t.Run(denied, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				names := harness.Names(3)
				v := noon(t, sandbox.Options{Credentials: fineGrained(), RevokeAfter: 864 * time.Hour}, names...)
				other := map[string]string{"dependabot": "actions", "actions": "dependabot"}[denied]
				for _, n := range names {
					v.Deny(n, denied, sandbox.DenyPermission, sandbox.WriteSecrets)
				}
				for week := range 52 {
					code, out := v.seeded(uint64(week), harness.Inputs{"secret-stores": "actions,dependabot", "revoke-after-hours": "864"})
					if code == 0 {
						t.Fatalf("week %d: exit code 0\n%s", week, out)
					}
					for _, n := range names {
						if valid := len(v.ValidTokens(n)); valid > 3 {
							t.Fatalf("week %d: %s has %d valid tokens", week, n, valid)
						}
						if value, _ := v.Secret(n, other, harness.SecretName); !v.TokenValid(n, value) {
							t.Fatalf("week %d: %s: the secret in %s holds no valid token\n%s", week, n, other, out)
						}
					}
					time.Sleep(7 * 24 * time.Hour)
				}
			})
		})
	}
}
