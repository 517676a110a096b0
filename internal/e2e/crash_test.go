package e2e

import (
	"context"
	"errors"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

const crashRepo = "service"

// laterRuns are the times between the runs that fix everything: days, and once
// revoke-after-hours is over.
var laterRuns = []time.Duration{24 * time.Hour, 24*time.Hour + time.Minute, 37 * 24 * time.Hour}

// scenarios are the situations in which a run is killed: the state before it, and its
// inputs.
var scenarios = map[string]struct {
	in      harness.Inputs
	stores  []string
	prepare func(*harness.Fixture)
}{
	"create": {
		stores:  []string{"actions"},
		prepare: func(*harness.Fixture) {},
	},
	"renew in two stores": {
		in:     harness.Inputs{"secret-stores": "actions,dependabot"},
		stores: []string{"actions", "dependabot"},
		prepare: func(f *harness.Fixture) {
			f.Provision(crashRepo, harness.Aged(f.World, 1, 300, 65), "actions", "dependabot")
		},
	},
	"renew with revocation": {
		in:     harness.Inputs{"secret-stores": "actions,dependabot", "revoke-after-hours": "0", "existing-secrets": "keep"},
		stores: []string{"actions", "dependabot"},
		prepare: func(f *harness.Fixture) {
			f.AddToken(crashRepo, harness.Aged(f.World, 1, 400, -35))
			f.Provision(crashRepo, harness.Aged(f.World, 2, 300, 65), "actions", "dependabot")
		},
	},
	"completion of an interrupted run": {
		in:     harness.Inputs{"secret-stores": "actions,dependabot"},
		stores: []string{"actions", "dependabot"},
		prepare: func(f *harness.Fixture) {
			f.Provision(crashRepo, harness.Aged(f.World, 1, 200, 165), "actions", "dependabot")
			f.Provision(crashRepo, harness.Aged(f.World, 2, 1, 364), "dependabot")
		},
	},
}

// TestCrashAtEveryRequest kills the program's process after each of its requests took
// effect, which is also before the next one. The sandbox checks that no secret ever
// holds a revoked token. Three later runs leave one valid token in every store and no
// orphaned token.
func TestCrashAtEveryRequest(t *testing.T) {
	t.Parallel()

	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			prepare := func(t *testing.T) *harness.Fixture {
				f := harness.Serve(t, sandbox.Options{}, sandbox.Repository{Name: crashRepo})
				s.prepare(f)
				return f
			}
			calm := prepare(t)
			if r := calm.Run(s.in); r.Code != 0 {
				t.Fatalf("undisturbed it exits with %d\n%s", r.Code, r.Stdout)
			}
			requests := calm.Total()
			if requests < 8 {
				t.Fatalf("undisturbed it sends only %d requests", requests)
			}
			for at := 1; at <= requests; at++ {
				t.Run(strconv.Itoa(at), func(t *testing.T) {
					f := prepare(t)
					crash(f, s.in, at)
					for _, later := range laterRuns {
						f.Advance(later)
						if r := f.Run(s.in); r.Code != 0 {
							t.Errorf("a later run exits with %d\n%s", r.Code, r.Stdout)
						}
					}
					f.Provisioned(crashRepo, s.stores...)
					if expired := f.Expired(); len(expired) > 0 {
						t.Errorf("a secret held an expired token: %v", expired[0])
					}
				})
			}
		})
	}
}

// crash runs the program and kills its process once a request has taken effect.
func crash(f *harness.Fixture, in harness.Inputs, at int) {
	f.T.Helper()
	ctx, cancel := context.WithTimeout(f.T.Context(), time.Minute)
	defer cancel()
	cmd, finish := f.Start(ctx, in)
	first, started := f.Total(), make(chan struct{})
	f.Hook(func(r sandbox.Request) sandbox.Effect {
		if int(r.Sequence)-first != at {
			return sandbox.Effect{}
		}
		kill := func() {
			<-started
			if err := cmd.Process.Kill(); err != nil {
				f.T.Errorf("kill: %v", err)
			}
		}
		return sandbox.Effect{After: kill, End: sandbox.Reset}
	})
	if err := cmd.Start(); err != nil {
		f.T.Fatal(err)
	}
	close(started)
	err := cmd.Wait()
	f.Hook(nil)
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != -1 {
		f.T.Fatalf("the program was not killed at request %d: %v", at, err)
	}
	finish()
}
