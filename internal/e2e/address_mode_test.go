package e2e

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestDenialWithoutIDAddresses: on a server without addresses by ID, the first
// repository that is read denies access. The others are provisioned all the same.
func TestDenialWithoutIDAddresses(t *testing.T) {
	t.Parallel()

	for _, denial := range []sandbox.Denial{sandbox.DenyPlain, sandbox.DenyTakedown} {
		for _, existing := range []string{"replace", "keep"} {
			t.Run(fmt.Sprint(denial, " ", existing), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					v := bubble(t, sandbox.Options{NoIDAddresses: true}, harness.Names(3)...)
					// Whichever comes first is denied, because the order is random.
					first := ""
					v.Hook(func(r sandbox.Request) sandbox.Effect {
						if r.Store != "" && first == "" {
							first = r.Repository
							v.Deny(first, "", denial)
						}
						return sandbox.Effect{}
					})
					if code, out := v.run(harness.Inputs{"existing-secrets": existing, "secret-stores": "actions,dependabot", "concurrency": "1"}); code != 1 {
						t.Errorf("exit code %d, want 1\n%s", code, out)
					}
					for _, name := range harness.Names(3) {
						if name != first {
							v.provisioned(name, "actions", "dependabot")
						}
					}
				})
			})
		}
	}
}
