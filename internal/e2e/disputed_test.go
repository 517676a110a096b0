package e2e

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestDisputedClock: a service's first response contradicts the following ones about
// the time. No token is deleted in that run, and the next one deletes it.
func TestDisputedClock(t *testing.T) {
	t.Parallel()

	for name, prepare := range map[string]func(*virtual) (deleted int64){
		"to revoke": func(v *virtual) int64 {
			old := v.Provision("web", harness.Aged(v.World, 1, 100, 265), "actions")
			v.Provision("web", harness.Aged(v.World, 2, 50, 315), "actions")
			return old.ID
		},
		"to make space": func(v *virtual) int64 {
			old := v.AddToken("web", harness.Aged(v.World, 1, 100, 265))
			v.AddToken("web", harness.Aged(v.World, 2, 50, 315))
			for i := range 98 {
				v.AddToken("web", sandbox.Token{Name: fmt.Sprint("manual-", i)})
			}
			return old.ID
		},
	} {
		for _, s := range []sandbox.Service{sandbox.Codacy, sandbox.GitHub} {
			t.Run(fmt.Sprintf("%s, %v", name, s), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					v := noon(t, sandbox.Options{}, "web")
					id := prepare(v)
					first := true
					v.Hook(func(r sandbox.Request) (e sandbox.Effect) {
						if r.Service == s && first {
							first, e.Date = false, time.Hour
						}
						return e
					})
					in := harness.Inputs{"revoke-after-hours": "0"}
					code, out := v.run(in)
					if n := v.Count(sandbox.KindDeleteToken); code != 0 || n != 0 || first {
						t.Errorf("exit code %d, %d tokens deleted\n%s", code, n, out)
					}
					time.Sleep(24 * time.Hour)
					if code, out = v.run(in); code != 0 {
						t.Errorf("the next run: exit code %d\n%s", code, out)
					}
					for _, token := range v.ValidTokens("web") {
						if token.ID == id {
							t.Errorf("the next run did not delete the token\n%s", out)
						}
					}
				})
			})
		}
	}
}
