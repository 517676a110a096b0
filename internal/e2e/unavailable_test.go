package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/cli"
	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestUnavailableRepositories: repositories that the credential cannot write never
// keep the due ones from being renewed.
func TestUnavailableRepositories(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		denial sandbox.Denial
		on     []sandbox.Operation
	}{
		"403":             {sandbox.DenyPermission, nil},
		"403, no reason":  {sandbox.DenyPlain, nil},
		"404":             {sandbox.DenyHidden, nil},
		"451":             {sandbox.DenyTakedown, nil},
		"blocked":         {sandbox.DenyBlocked, []sandbox.Operation{sandbox.WriteSecrets}},
		"locked":          {sandbox.DenyLocked, []sandbox.Operation{sandbox.WriteSecrets}},
		"too low a role":  {sandbox.DenyAdminRights, []sandbox.Operation{sandbox.WriteSecrets}},
		"404 at the PUT":  {sandbox.DenyHidden, []sandbox.Operation{sandbox.WriteSecrets}},
		"451 at the PUT":  {sandbox.DenyTakedown, []sandbox.Operation{sandbox.WriteSecrets}},
		"403 at the read": {sandbox.DenyPlain, []sandbox.Operation{sandbox.ReadKey}},
	} {
		for _, n := range []int{3, 20, 100} {
			t.Run(fmt.Sprint(name, ", ", n), func(t *testing.T) {
				t.Parallel()
				seeds := uint64(12)
				if n == 100 && !*harness.Thorough {
					seeds = 3
				}
				for seed := range seeds {
					synctest.Test(t, func(t *testing.T) {
						names := harness.Names(4 + n)
						v := noon(t, sandbox.Options{Credentials: fineGrained()}, names...)
						v.due(5, names[:4]...)
						for _, name := range names[4:] {
							v.Deny(name, "", c.denial, c.on...)
						}
						code, out := v.seeded(seed, nil)
						if code != 1 || ended(out, "renewed") != 4 || ended(out, "failed") != n {
							t.Errorf("seed %d: exit code %d\n%s", seed, code, tail(out))
						}
						if blames(out) {
							t.Errorf("seed %d: the credential is blamed\n%s", seed, tail(out))
						}
						v.unchanged(0, names[4:]...)
					})
				}
			})
		}
	}
}

// TestHiddenStore: a secret and a key that GitHub hides are not absent. The run
// fails, and writes nothing that it cannot see.
func TestHiddenStore(t *testing.T) {
	t.Parallel()

	for _, existing := range []string{"replace", "keep", "only"} {
		for _, rotate := range []string{"expiring", "always"} {
			for _, dry := range []string{"false", "true"} {
				for _, left := range []int{3, 200} {
					t.Run(fmt.Sprint(existing, " ", rotate, " dry run ", dry, " days left ", left), func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							v := noon(t, sandbox.Options{Credentials: fineGrained(), RevokeAfter: 864 * time.Hour}, harness.Names(2)...)
							v.due(left, harness.Names(2)...)
							v.Deny(harness.Names(2)[0], "", sandbox.DenyHidden)
							code, out := v.run(harness.Inputs{"existing-secrets": existing, "rotate": rotate, "dry-run": dry, "revoke-after-hours": "864"})
							if code != 1 || !strings.Contains(out, "failed   acme/service-000") {
								t.Errorf("exit code %d\n%s", code, out)
							}
							if n := len(v.Tokens("service-000")); n != 1 {
								t.Errorf("%d tokens in the hidden repository, want 1", n)
							}
						})
					})
				}
			}
		}
	}
}

// TestHiddenMeanwhile: two repositories are due, and the second waits for a minute until
// it may be written. Meanwhile another run creates a token for it, and GitHub hides it.
// The keys that were read before don't confirm that its secrets are absent: the expired
// token, by which they are recognized, stays.
func TestHiddenMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		names, stores := harness.Names(2), []string{"actions", "dependabot"}
		v := noon(t, sandbox.Options{Credentials: fineGrained(), RevokeAfter: 864 * time.Hour}, names...)
		for _, name := range names {
			v.Provision(name, harness.Aged(v.World, 1, 370, -5), stores...)
		}
		in := harness.Inputs{
			"existing-secrets": "keep", "secret-stores": strings.Join(stores, ","), "revoke-after-hours": "864", "writes-per-minute": "2",
		}
		hidden := ""
		v.Hook(func(r sandbox.Request) sandbox.Effect {
			if r.Kind != sandbox.KindPutSecret || hidden != "" {
				return sandbox.Effect{}
			}
			hidden = names[slices.IndexFunc(names, func(name string) bool { return name != r.Repository })]
			return sandbox.Effect{Before: func() {
				time.Sleep(5 * time.Second) // the other one's keys are read
				v.AddToken(hidden, sandbox.Token{Name: "codacy-project-token-2", Created: v.Time(), Expires: v.Time().AddDate(1, 0, -1)})
				v.Deny(hidden, "", sandbox.DenyHidden)
			}}
		})
		code, out := v.run(in)
		if deleted := v.Count(sandbox.KindDeleteToken); code != 1 || deleted != 1 { // the other one's expired token
			t.Errorf("exit code %d, %d tokens deleted, want 1\n%s", code, deleted, out)
		}
		v.Allow(hidden, "")
		for range 3 {
			time.Sleep(40 * 24 * time.Hour)
			if code, out := v.run(in); code != 0 {
				t.Errorf("it is back: exit code %d\n%s", code, out)
			}
		}
		for _, name := range names {
			v.provisioned(name, stores...)
		}
	})
}

// TestHiddenStoreBesideAnother: the other store is served, the repository fails, and
// later runs create no further token until it is due again.
func TestHiddenStoreBesideAnother(t *testing.T) {
	t.Parallel()

	for _, existing := range []string{"replace", "keep", "only"} {
		for _, denial := range []sandbox.Denial{sandbox.DenyHidden, sandbox.DenyPermission, sandbox.DenyTakedown} {
			t.Run(fmt.Sprint(existing, " ", denial), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					v := noon(t, sandbox.Options{Credentials: fineGrained(), RevokeAfter: 864 * time.Hour}, "alpha")
					v.Provision("alpha", harness.Aged(v.World, 1, 345, 20), "actions", "codespaces")
					v.Deny("alpha", "codespaces", denial)
					in := harness.Inputs{"existing-secrets": existing, "secret-stores": "actions,codespaces", "revoke-after-hours": "864"}
					for day := range 5 {
						code, out := v.run(in)
						want := 1
						if day > 0 && denial == sandbox.DenyPermission {
							want = 2 // every repository that was tried was denied
						}
						if code != want || ended(out, "failed") != 1 {
							t.Errorf("day %d: exit code %d\n%s", day, code, out)
						}
						if n := len(v.Tokens("alpha")); n != 2 {
							t.Fatalf("day %d: %d tokens, want 2\n%s", day, n, out)
						}
						if value, _ := v.Secret("alpha", "actions", harness.SecretName); value != v.Tokens("alpha")[1].Value {
							t.Fatalf("day %d: actions was not renewed\n%s", day, out)
						}
						time.Sleep(24 * time.Hour)
					}
					// It comes back.
					v.Allow("alpha", "codespaces")
					for range 3 {
						if code, out := v.run(in); code != 0 {
							t.Errorf("it is back: exit code %d\n%s", code, out)
						}
						time.Sleep(20 * 24 * time.Hour)
					}
					v.provisioned("alpha", "actions", "codespaces")
				})
			})
		}
	}
}

// TestQueueOrder: expired tokens and tokens that expire within a week come first, then
// repositories without a token, and then the others by expiry.
func TestQueueOrder(t *testing.T) {
	t.Parallel()

	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				class := map[string]int{}
				v := noon(t, sandbox.Options{})
				add := func(rank int, name string, left ...int) {
					v.Add(sandbox.Repository{Name: name})
					class[name] = rank
					for _, l := range left {
						v.Provision(name, harness.Aged(v.World, 1, 365-l, l), "actions")
					}
				}
				for i := range 10 {
					add(0, fmt.Sprint("expired-", i), -1-i)
					add(0, fmt.Sprint("critical-", i), 1+i%6)
					add(1, fmt.Sprint("missing-", i))
					add(2+i, fmt.Sprint("due-", i), 10+5*i)
				}
				previous, written := 0, 0
				v.Hook(func(r sandbox.Request) sandbox.Effect {
					if r.Kind != sandbox.KindPutSecret {
						return sandbox.Effect{}
					}
					written++
					if rank := class[r.Repository]; rank < previous {
						t.Errorf("%s (rank %d) is written after rank %d", r.Repository, rank, previous)
					} else {
						previous = rank
					}
					return sandbox.Effect{}
				})
				// On the command line everything is listed before the first write.
				env := map[string]string{"CODACY_API_TOKEN": sandbox.CodacyToken, "GH_TOKEN": sandbox.GitHubToken}
				var out bytes.Buffer
				command := cli.Command{
					Version: "test", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Rand: rand.New(rand.NewPCG(seed, 7)),
					Getenv: func(k string) string { return env[k] }, Transport: v.RoundTripper(),
				}
				code := played(t, v.World, t.Context(), command, "--organization", "acme", "--yes", "--concurrency", "1",
					"--writes-per-minute", "0", "--codacy-api-url", sandbox.CodacyURL, "--github-api-url", sandbox.GitHubURL)
				v.Check(t)
				if code != 0 || written != 40 {
					t.Errorf("exit code %d, %d written\n%s", code, written, out.String())
				}
				if previous < 10 {
					t.Errorf("the last rank was %d", previous)
				}
			})
		})
	}
}
