package e2e

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestSecretsSideBySide: the secrets of one repository's stores are read side by side as
// far as fewer repositories are worked on than concurrency allows. With more than half of
// the requests that GitHub allows at a time, there is no space for that.
func TestSecretsSideBySide(t *testing.T) {
	t.Parallel()

	took := map[string]time.Duration{}
	for _, concurrency := range []string{"1", "2", "16", "50", "51"} {
		synctest.Test(t, func(t *testing.T) {
			v := bubble(t, sandbox.Options{Latency: time.Second}, "api")
			v.Provision("api", harness.Aged(v.World, 1, 10, 355), "actions", "dependabot", "codespaces", "agents")
			started := time.Now()
			code, out := v.run(harness.Inputs{
				"concurrency": concurrency, "secret-stores": "actions,dependabot,codespaces,agents", "writes-per-minute": "",
			})
			if code != 0 || v.Count(sandbox.KindGetSecret) != 4 {
				t.Errorf("concurrency %s: exit code %d, %d secrets read\n%s", concurrency, code, v.Count(sandbox.KindGetSecret), out)
			}
			took[concurrency] = time.Since(started).Round(time.Second)
		})
	}
	// The first read shows how the server addresses secrets, and the others wait for it.
	for concurrency, saved := range map[string]time.Duration{"1": 0, "2": time.Second, "16": 2 * time.Second, "50": 2 * time.Second, "51": 0} {
		if got := took["1"] - took[concurrency]; got != saved {
			t.Errorf("concurrency %s: %v saved, want %v", concurrency, got, saved)
		}
	}
}

// TestSecretsAfterFailure: where reading one secret fails for a reason that is not about
// its store, no further one is read.
func TestSecretsAfterFailure(t *testing.T) {
	t.Parallel()

	for concurrency, want := range map[string]int{"1": 1, "2": 2, "51": 1} {
		synctest.Test(t, func(t *testing.T) {
			v := bubble(t, sandbox.Options{}, "api")
			v.Provision("api", harness.Aged(v.World, 1, 10, 355), "actions", "dependabot", "codespaces", "agents")
			v.Hook(func(r sandbox.Request) sandbox.Effect {
				if r.Kind != sandbox.KindGetSecret {
					return sandbox.Effect{}
				}
				return sandbox.Effect{Skip: true, Status: 400}
			})
			code, out := v.run(harness.Inputs{"concurrency": concurrency, "secret-stores": "actions,dependabot,codespaces,agents"})
			if code != 1 || v.Count(sandbox.KindGetSecret) != want {
				t.Errorf("concurrency %s: exit code %d, %d secrets read, want %d\n%s", concurrency, code, v.Count(sandbox.KindGetSecret), want, out)
			}
		})
	}
}
