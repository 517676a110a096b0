package e2e

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestWritesPerMinute: a value below the number of stores is rejected, because one
// repository could exceed it. Any other is respected in every 60 seconds.
func TestWritesPerMinute(t *testing.T) {
	t.Parallel()

	stores := []string{"actions", "dependabot", "codespaces", "agents"}
	for n := range stores {
		for writes := 1; writes <= 5; writes++ {
			t.Run(fmt.Sprintf("%d writes, %d stores", writes, n+1), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					v := bubble(t, sandbox.Options{Record: true}, harness.Names(3)...)
					v.Record(true)
					code, out := v.run(harness.Inputs{
						"writes-per-minute": fmt.Sprint(writes), "secret-stores": strings.Join(stores[:n+1], ","),
					})
					if writes < n+1 {
						if code != 2 || v.Total() > 0 || !strings.Contains(out, "::error::writes-per-minute") {
							t.Errorf("exit code %d after %d requests, want an input error\n%s", code, v.Total(), out)
						}
						return
					}
					if code != 0 {
						t.Errorf("exit code %d\n%s", code, out)
					}
					var puts []time.Time
					for _, r := range v.Requests() {
						if r.Kind == sandbox.KindPutSecret {
							puts = append(puts, r.Time)
						}
					}
					for i := range puts {
						if j := i + writes; j < len(puts) && puts[j].Sub(puts[i]) < time.Minute {
							t.Errorf("%d writes in %v", writes+1, puts[j].Sub(puts[i]))
						}
					}
				})
			})
		}
	}
}
