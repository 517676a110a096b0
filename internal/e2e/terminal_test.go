package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestInterruptAtTerminal: one Ctrl-C ends the run in an orderly way, two end it at
// once.
func TestInterruptAtTerminal(t *testing.T) {
	t.Parallel()

	for name, hang := range map[string]bool{"once": false, "twice": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			f := harness.Serve(t, sandbox.Options{Latency: 20 * time.Millisecond})
			for _, name := range harness.Names(30) {
				f.Add(sandbox.Repository{Name: name})
			}
			f.Hook(func(r sandbox.Request) sandbox.Effect {
				if hang && r.Kind == sandbox.KindPutSecret && f.Count(sandbox.KindPutSecret) > 3 {
					return sandbox.Effect{End: sandbox.Hang}
				}
				return sandbox.Effect{}
			})
			x := f.AtTerminal(nil, "--organization", "acme", "--codacy-api-url", f.Codacy, "--concurrency", "2", "--yes", "--writes-per-minute", "0")
			x.Sees("created")
			if hang {
				for f.Count(sandbox.KindPutSecret) <= 3 {
					time.Sleep(5 * time.Millisecond)
				}
			}
			started := time.Now()
			x.Types("\x03")
			x.Sees("press Ctrl-C again to quit now")
			if !hang {
				raw := x.Ends(f.World, 3)
				if !strings.Contains(raw, "interrupted; the next run") || !strings.Contains(raw, "deferred") {
					t.Errorf("it does not say how it ended:\n%s", raw)
				}
				for _, name := range harness.Names(30) {
					if orphans := f.Orphans(name); len(orphans) > 0 {
						t.Errorf("%s: an orphaned token is left", name)
					}
				}
				f.Check(t)
				return
			}
			x.Types("\x03")
			x.Ends(f.World, -1)
			if status, ok := x.State().Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGINT {
				t.Errorf("it ended with %v", x.State())
			}
			if took := time.Since(started); took > 3*time.Second {
				t.Errorf("it ended after %v", took)
			}
		})
	}
}
