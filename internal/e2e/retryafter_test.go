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
