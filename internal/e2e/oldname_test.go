package e2e

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestOldName: at each request in turn, the repository is renamed, and another one that
// Codacy doesn't know takes its name. No secret of the other one is written, and the
// next run finds the repository under its new name. Servers without addresses by ID
// included.
func TestOldName(t *testing.T) {
	t.Parallel()

	for name, prepare := range map[string]func(*virtual){
		"created": func(*virtual) {},
		"renewed": func(v *virtual) { v.Provision("api", harness.Aged(v.World, 1, 300, 65), "actions", "dependabot") },
		"current": func(v *virtual) { v.Provision("api", harness.Aged(v.World, 1, 30, 335), "actions", "dependabot") },
	} {
		for _, noIDs := range []bool{false, true} {
			for _, existing := range []string{"replace", "keep", "only"} {
				t.Run(fmt.Sprintf("%s, no addresses by ID %v, %s", name, noIDs, existing), func(t *testing.T) {
					t.Parallel()
					for at, requests := 1, 1000; at <= requests; at++ {
						synctest.Test(t, func(t *testing.T) {
							v := bubble(t, sandbox.Options{NoIDAddresses: noIDs}, "web")
							api := fmt.Sprint("#", v.Add(sandbox.Repository{Name: "api"}))
							prepare(v)
							in := harness.Inputs{"secret-stores": "actions,dependabot", "existing-secrets": existing, "concurrency": "1"}
							first, other := v.Total(), int64(0)
							v.Hook(func(r sandbox.Request) sandbox.Effect {
								if r.Sequence-first != at {
									return sandbox.Effect{}
								}
								return sandbox.Effect{Before: func() { other = v.Replace("api", "api-renamed") }}
							})
							v.run(in)
							requests = v.Total() - first
							if other != 0 {
								for _, store := range []string{"actions", "dependabot"} {
									if _, ok := v.Secret(fmt.Sprint("#", other), store, harness.SecretName); ok {
										t.Errorf("another repository under the old name has the secret in %s", store)
									}
								}
							}
							v.Hook(nil)
							time.Sleep(24 * time.Hour)
							code, out := v.run(in)
							if code != 0 {
								t.Errorf("the next run: exit code %d\n%s", code, out)
							}
							for _, store := range []string{"actions", "dependabot"} {
								value, ok := v.Secret(api, store, harness.SecretName)
								if !v.TokenValid(api, value) && (ok || existing != "only" || name != "created") {
									t.Errorf("no valid token in %s", store)
								}
							}
							if t.Failed() {
								t.Fatalf("renamed at request %d of %d\n%s", at, requests, out)
							}
						})
					}
				})
			}
		}
	}
}
