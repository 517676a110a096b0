package e2e

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestInterruptWhileHeld: a token that was made, and whose put a limit puts off
// for longer than the runner gives, is undone: no orphan, deferred, in seconds.
func TestInterruptWhileHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := bubble(t, sandbox.Options{}, crashRepo)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var interrupted time.Time
		v.Hook(func(r sandbox.Request) sandbox.Effect {
			if r.Kind != sandbox.KindPutSecret {
				return sandbox.Effect{}
			}
			time.AfterFunc(time.Second, func() { interrupted = time.Now(); cancel() })
			return sandbox.Effect{Skip: true, Status: 429, Header: http.Header{"Retry-After": {"120"}}}
		})
		code, out := v.start(ctx, nil, rand.New(rand.NewPCG(1, 1)), v.RoundTripper())
		v.Check(t)
		if took := time.Since(interrupted); code != 3 || took > 7*time.Second {
			t.Errorf("exit code %d after %v\n%s", code, took, out)
		}
		if !strings.Contains(out, "\ndeferred acme/service: interrupted") {
			t.Errorf("it is not deferred\n%s", out)
		}
		if living := v.Living(crashRepo); len(living) > 0 {
			t.Errorf("an orphan is left: %s\n%s", living[0].Name, out)
		}
	})
}
