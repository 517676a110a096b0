package e2e

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestWitnessIsFound: denials of new repositories come first, and the few that an
// earlier run could write are found among many that are up to date: those that are
// due, and one whose secret is missing, which only a check of the secrets shows.
func TestWitnessIsFound(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		repositories, denied int
		prepare              func(v *virtual, name string)
	}{
		"due among many": {1000, 20, func(v *virtual, name string) {
			v.Provision(name, harness.Aged(v.World, 1, 345, 20), "actions", "dependabot")
		}},
		"a secret is missing": {60, 6, func(v *virtual, name string) {
			v.Provision(name, harness.Aged(v.World, 1, 40, 325), "actions")
		}},
	} {
		for seed := range uint64(6) {
			t.Run(fmt.Sprint(name, ", seed ", seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					names := harness.Names(c.repositories)
					v := noon(t, sandbox.Options{Latency: 20 * time.Millisecond}, names...)
					denied, open, current := names[:c.denied], names[c.denied:c.denied+2], names[c.denied+2:]
					for _, n := range denied {
						v.Deny(n, "", sandbox.DenyPlain, sandbox.WriteSecrets)
					}
					for _, n := range open {
						c.prepare(v, n)
					}
					for _, n := range current {
						v.Provision(n, harness.Aged(v.World, 1, 40, 325), "actions", "dependabot")
					}
					_, out := v.seeded(seed, harness.Inputs{"secret-stores": "actions,dependabot"})
					if ended(out, "renewed") != len(open) {
						t.Errorf("%d renewed, want %d\n%s", ended(out, "renewed"), len(open), tail(out))
					}
					v.unchanged(0, denied...)
				})
			})
		}
	}
}
