package e2e

import (
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestArchivedWhileApplying: a repository is archived after its token was created. It is
// skipped, and its token deleted. If that fails, the repository fails, because no later
// run will delete the token.
func TestArchivedWhileApplying(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		delete  sandbox.Effect
		code    int
		outcome string
		left    int
	}{
		"deleted":     {sandbox.Effect{}, 0, "skipped", 0},
		"not deleted": {sandbox.Effect{Skip: true, Status: 500}, 1, "failed", 1},
		"denied":      {sandbox.Effect{Skip: true, Status: 403}, 1, "failed", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := bubble(t, sandbox.Options{}, "api", "web")
				v.Hook(func(r sandbox.Request) sandbox.Effect {
					switch {
					case r.Kind == sandbox.KindCreateToken && r.Repository == "api":
						return sandbox.Effect{Before: func() { v.Archive("api") }}
					case r.Kind == sandbox.KindDeleteToken:
						return c.delete
					}
					return sandbox.Effect{}
				})
				code, out := v.start(t.Context(), nil, rand.New(rand.NewPCG(1, 2)), v.RoundTripper())
				if code != c.code || !strings.Contains(out, "\n"+c.outcome+" ") || lineOf(out, c.outcome) == "" || !strings.Contains(lineOf(out, c.outcome), "acme/api") {
					t.Errorf("exit code %d, want %d and api %s\n%s", code, c.code, c.outcome, out)
				}
				if n := len(v.ValidTokens("api")); n != c.left {
					t.Errorf("%d tokens are left, want %d", n, c.left)
				}
				if c.left > 0 && !strings.Contains(lineOf(out, c.outcome), "could not be deleted") {
					t.Errorf("the reason doesn't say that a token is left: %s", lineOf(out, c.outcome))
				}
				v.provisioned("web")
				v.Hook(nil)
				time.Sleep(24 * time.Hour)
				if code, out := v.run(nil); code != 0 {
					t.Errorf("the next run: exit code %d\n%s", code, out)
				}
			})
		})
	}
}
