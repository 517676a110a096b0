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

// TestRetryAfterOf5xx: the Retry-After of any 5xx is respected by the request that got
// it, and by that one only.
func TestRetryAfterOf5xx(t *testing.T) {
	t.Parallel()

	for _, kind := range []sandbox.Kind{
		sandbox.KindUser, sandbox.KindListTokens, sandbox.KindGetSecret, sandbox.KindPublicKey, sandbox.KindPutSecret,
	} {
		for _, status := range []int{500, 502, 503, 504} {
			t.Run(fmt.Sprint(kind, " ", status), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					v := bubble(t, sandbox.Options{Record: true}, "api", "web")
					in := harness.Inputs{}
					if kind == sandbox.KindGetSecret {
						in["existing-secrets"] = "keep"
						for _, name := range []string{"api", "web"} {
							v.Provision(name, harness.Aged(v.World, 1, 30, 335), "actions")
						}
					}
					var first time.Time
					v.Record(true)
					v.Hook(func(r sandbox.Request) sandbox.Effect {
						if r.Kind != kind || r.Repository == "web" {
							return sandbox.Effect{}
						}
						if first.IsZero() {
							first = time.Now()
						}
						if time.Since(first) < 20*time.Second {
							return sandbox.RetryAfter(status, "20")
						}
						return sandbox.Effect{}
					})
					code, out := v.start(t.Context(), in, rand.New(rand.NewPCG(1, 2)), v.RoundTripper())
					early, others := 0, 0
					for _, r := range v.Requests() {
						switch {
						case r.Kind == kind && r.Status == status:
							early++
						case r.Repository == "web" && r.Time.Sub(first) < 15*time.Second:
							others++
						}
					}
					if early != 1 {
						t.Errorf("exit code %d, %d requests in the time of Retry-After, want 1\n%s", code, early, tail(out))
					}
					if kind != sandbox.KindUser && kind != sandbox.KindListTokens && others == 0 {
						t.Errorf("the other repository waited as well\n%s", tail(out))
					}
				})
			})
		}
	}
}

// TestNoLatePut: GitHub delays the PUTs of a new token. None is sent later than eight
// minutes after its creation started, because a secret that is written after that is not
// recognized. What was stored by then stays valid, and the next run completes it.
func TestNoLatePut(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		delays []string // Retry-After of the first response to each store's PUT
		puts   int      // PUTs, the delayed ones included
		tokens int      // valid ones after the run
	}{
		"in time":        {[]string{"420"}, 2, 1},
		"too late":       {[]string{"540"}, 1, 0},
		"both in time":   {[]string{"300", "120"}, 4, 1},
		"the other late": {[]string{"300", "240"}, 3, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				stores := []string{"dependabot", "actions"}[:len(c.delays)]
				v := bubble(t, sandbox.Options{Record: true}, "api")
				v.Record(true)
				delayed := map[string]bool{}
				v.Hook(func(r sandbox.Request) sandbox.Effect {
					if r.Kind != sandbox.KindPutSecret || delayed[r.Store] {
						return sandbox.Effect{}
					}
					delayed[r.Store] = true
					return sandbox.RetryAfter(429, c.delays[slices.Index(stores, r.Store)])
				})
				in := harness.Inputs{"secret-stores": strings.Join(stores, ",")}
				_, out := v.run(in)
				var created time.Time
				puts := 0
				for _, r := range v.Requests() {
					switch r.Kind {
					case sandbox.KindCreateToken:
						created = r.Time
					case sandbox.KindPutSecret:
						puts++
						if late := r.Time.Sub(created); late > 8*time.Minute {
							t.Errorf("a PUT %v after the creation\n%s", late, out)
						}
					}
				}
				if tokens := len(v.ValidTokens("api")); puts != c.puts || tokens != c.tokens {
					t.Errorf("%d PUTs, want %d; %d tokens, want %d\n%s", puts, c.puts, tokens, c.tokens, out)
				}
				v.Hook(nil)
				for range 3 {
					time.Sleep(37 * 24 * time.Hour)
					if code, out := v.run(in); code != 0 {
						t.Errorf("a later run: exit code %d\n%s", code, out)
					}
				}
				v.provisioned("api", stores...)
			})
		})
	}
}
