package e2e

import (
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestNothingListed: a run that should have listed tokens and listed none fails, whatever
// the reason. A run that listed some warns of the others with their number.
func TestNothingListed(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		hook func(sandbox.Request) sandbox.Effect
		in   harness.Inputs
		code int
		want string
	}{
		"time is up": {
			hook: func(r sandbox.Request) sandbox.Effect {
				if r.Kind == sandbox.KindListTokens {
					return sandbox.Effect{Delay: 10 * time.Second}
				}
				return sandbox.Effect{}
			},
			in: harness.Inputs{"max-duration": "3s"}, code: 1, want: "20 ",
		},
		"a limit": {
			hook: func(r sandbox.Request) sandbox.Effect {
				if r.Kind == sandbox.KindListTokens {
					return sandbox.RetryAfter(429, "36000")
				}
				return sandbox.Effect{}
			},
			in: harness.Inputs{"max-duration": "1m"}, code: 1, want: "20 ",
		},
		"some are listed": {
			hook: func(r sandbox.Request) sandbox.Effect {
				if r.Kind == sandbox.KindListTokens && r.Repository != harness.Names(1)[0] {
					return sandbox.Effect{Delay: time.Hour}
				}
				return sandbox.Effect{}
			},
			in: harness.Inputs{"max-duration": "30s", "concurrency": "100"}, code: 0, want: "19 ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := bubble(t, sandbox.Options{}, harness.Names(20)...)
				for _, n := range harness.Names(20) {
					v.Provision(n, harness.Aged(v.World, 1, 200, 165), "actions")
				}
				v.Hook(c.hook)
				code, out := v.start(t.Context(), c.in, rand.New(rand.NewPCG(1, 2)), v.RoundTripper())
				if code != c.code {
					t.Errorf("exit code %d, want %d\n%s", code, c.code, tail(out))
				}
				warned := false
				for line := range strings.Lines(out) {
					warned = warned || (strings.HasPrefix(line, "::warning::") || strings.HasPrefix(line, "::error::")) && strings.Contains(line, c.want)
				}
				if !warned {
					t.Errorf("no warning says that the tokens of %srepositories were not listed\n%s", c.want, tail(out))
				}
			})
		})
	}
}
