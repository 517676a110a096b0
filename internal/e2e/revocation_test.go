package e2e

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// manyToRevoke is a World with repositories that are up to date and have a replaced
// token, whose grace period is over.
func manyToRevoke(t *testing.T, n int) *virtual {
	v := bubble(t, sandbox.Options{Latency: 100 * time.Millisecond}, harness.Names(n)...)
	for _, name := range harness.Names(n) {
		v.Provision(name, harness.Aged(v.World, 1, 300, 65), "actions")
		v.Provision(name, harness.Aged(v.World, 2, 40, 325), "actions")
	}
	return v
}

// TestRevocationsRunConcurrently: a run that only revokes is as concurrent as others.
func TestRevocationsRunConcurrently(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 400
		v := manyToRevoke(t, n)
		started := time.Now()
		code, out := v.run(harness.Inputs{"concurrency": "16"})
		took := time.Since(started)
		if code != 0 || v.Count(sandbox.KindDeleteToken) != n {
			t.Errorf("exit code %d, %d deletes\n%s", code, v.Count(sandbox.KindDeleteToken), tail(out))
		}
		// A listing, a check and a delete each, 16 at a time.
		if ideal := n * 3 / 16 * 100 * time.Millisecond; took > ideal*3/2 {
			t.Errorf("it took %v, 16 at a time takes %v", took, ideal)
		}
	})
}

// TestRevocationsFail: after ten failed revocations in a row no more are tried. The
// other work of the run goes on.
func TestRevocationsFail(t *testing.T) {
	t.Parallel()

	for name, effect := range map[string]sandbox.Effect{
		"500": {Skip: true, Status: 500}, "403": {Skip: true, Status: 403}, "reset": {Skip: true, End: sandbox.Reset},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := manyToRevoke(t, 400)
				v.Add(sandbox.Repository{Name: "new"})
				v.Hook(func(r sandbox.Request) sandbox.Effect {
					if r.Kind == sandbox.KindDeleteToken {
						return effect
					}
					return sandbox.Effect{}
				})
				started := time.Now()
				code, out := v.run(harness.Inputs{"concurrency": "16"})
				tried := map[string]bool{}
				if took := time.Since(started); took > 3*time.Minute {
					t.Errorf("it took %v", took)
				}
				for _, n := range harness.Names(400) {
					tried[n] = len(v.ValidTokens(n)) != 2
					if tried[n] {
						t.Errorf("%s lost a token", n)
					}
				}
				// 16 may be in flight when the tenth fails, each with its retries.
				if deletes := v.Count(sandbox.KindDeleteToken); deletes > 26*12 {
					t.Errorf("%d deletes were sent", deletes)
				}
				if code != 0 && code != 1 {
					t.Errorf("exit code %d\n%s", code, tail(out))
				}
				v.provisioned("new")
			})
		})
	}
}
