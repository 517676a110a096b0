package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// dateStates are repositories that a wrong clock may harm, with the number of secrets
// that a run has to write: -1 for any.
var dateStates = map[string]struct {
	prepare func(v *virtual, stores []string)
	puts    int
}{
	// A run was killed between two PUTs: the last store holds token 2, the others token 1.
	"interrupted": {func(v *virtual, stores []string) {
		v.Provision("api", harness.Aged(v.World, 1, 30, 335), stores...)
		v.Provision("api", harness.Aged(v.World, 2, 2, 363), stores[len(stores)-1:]...)
	}, -1},
	// Queued jobs may still use token 1.
	"just renewed": {func(v *virtual, stores []string) {
		v.Provision("api", harness.Aged(v.World, 1, 300, 65), stores...)
		v.Provision("api", sandbox.Token{
			Name: "codacy-project-token-2", Created: v.Time().Add(-time.Hour), Expires: v.Time().AddDate(1, 0, -1),
		}, stores...)
	}, 0},
	"up to date": {func(v *virtual, stores []string) {
		v.Provision("api", harness.Aged(v.World, 1, 100, 265), stores...)
	}, 0},
}

// dateCase is one of these states, with the inputs of the runs.
type dateCase struct {
	state, existing string
	stores          int
}

func dateCases() []dateCase {
	var all []dateCase
	for _, state := range slices.Sorted(maps.Keys(dateStates)) {
		for _, existing := range []string{"replace", "keep", "only"} {
			for stores := range 4 {
				all = append(all, dateCase{state, existing, stores + 1})
			}
		}
	}
	return all
}

func (c dateCase) String() string {
	return fmt.Sprintf("%s, %s, %d stores", c.state, c.existing, c.stores)
}

func (c dateCase) storeNames() []string {
	return []string{"actions", "agents", "codespaces", "dependabot"}[:c.stores]
}

// run does one run in the state, after disturb, and a normal one a day later. It
// returns the number of requests of the first run.
func (c dateCase) run(t *testing.T, disturb func(*virtual)) int {
	v := bubble(t, sandbox.Options{RevokeAfter: 864 * time.Hour}, "api")
	state := dateStates[c.state]
	state.prepare(v, c.storeNames())
	in := harness.Inputs{
		"secret-stores": strings.Join(c.storeNames(), ","), "existing-secrets": c.existing, "revoke-after-hours": "864",
	}
	disturb(v)
	code, out := v.run(in)
	requests := v.Total()
	if code != 0 && code != 1 {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if puts := v.Count(sandbox.KindPutSecret); state.puts >= 0 && puts != state.puts {
		t.Errorf("%d secrets written, want %d\n%s", puts, state.puts, out)
	}
	v.Hook(nil)
	v.SetServers(sandbox.Codacy, false)
	v.SetServers(sandbox.GitHub, false)
	time.Sleep(24 * time.Hour)
	if code, out := v.run(in); code != 0 {
		t.Errorf("a normal run a day later: exit code %d\n%s", code, out)
	}
	for _, store := range c.storeNames() {
		if value, ok := v.Secret("api", store, harness.SecretName); !ok || !v.TokenValid("api", value) {
			t.Errorf("the secret in %s has no valid token\n%s", store, out)
		}
	}
	return requests
}

// TestOddDate: at each request in turn, the Date of one response is off, of the
// response itself or of an error page in its place. No token that a secret contains is
// revoked, none is revoked early, and none is renewed without need.
func TestOddDate(t *testing.T) {
	t.Parallel()

	type odd struct {
		off  time.Duration
		page bool // an error page, after which the request is repeated
	}
	var odds []odd
	for _, off := range []time.Duration{5 * time.Second, 45 * time.Second, 20 * time.Minute, 72 * time.Hour} {
		odds = append(odds, odd{off, false}, odd{-off, true}, odd{-off, false}, odd{off, true})
	}
	for i, c := range dateCases() {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			requests := 0
			synctest.Test(t, func(t *testing.T) { requests = c.run(t, func(*virtual) {}) })
			for at := 1; at <= requests; at++ {
				for k, o := range odds {
					if !*harness.Thorough && k != (i+5*at)%len(odds) {
						continue
					}
					synctest.Test(t, func(t *testing.T) {
						c.run(t, func(v *virtual) {
							v.Hook(func(r sandbox.Request) sandbox.Effect {
								switch {
								case r.Sequence != at:
									return sandbox.Effect{}
								case o.page:
									return sandbox.Effect{Skip: true, Status: 502, Body: []byte("<html>"), Date: o.off}
								}
								return sandbox.Effect{Date: o.off}
							})
						})
						if t.Failed() {
							t.Fatalf("the Date of response %d is off: %+v", at, o)
						}
					})
				}
			}
		})
	}
}

// TestDatesBackAndForth: the Date of every other response is off, alternately ahead
// and behind.
func TestDatesBackAndForth(t *testing.T) {
	t.Parallel()

	for _, c := range dateCases() {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			for _, s := range []sandbox.Service{sandbox.Codacy, sandbox.GitHub} {
				for _, d := range []time.Duration{45 * time.Second, 20 * time.Minute, 72 * time.Hour} {
					synctest.Test(t, func(t *testing.T) {
						n := 0
						c.run(t, func(v *virtual) {
							v.Hook(func(r sandbox.Request) sandbox.Effect {
								if r.Service != s {
									return sandbox.Effect{}
								}
								n++
								return sandbox.Effect{Date: []time.Duration{0, d, 0, -d}[n%4]}
							})
						})
						if t.Failed() {
							t.Fatalf("service %v, back and forth by %v", s, d)
						}
					})
				}
			}
		})
	}
}

// TestServersDisagree: a service consists of several servers that respond in turn, and
// whose clocks differ. Their Date differs, and with it possibly the times in their data.
func TestServersDisagree(t *testing.T) {
	t.Parallel()

	for _, c := range dateCases() {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			for _, s := range []sandbox.Service{sandbox.Codacy, sandbox.GitHub} {
				for _, offsets := range [][]time.Duration{
					{0, 5 * time.Second}, {0, 40 * time.Second}, {0, 0, 40 * time.Second}, {0, 20 * time.Minute},
				} {
					for _, data := range []bool{false, true} {
						synctest.Test(t, func(t *testing.T) {
							c.run(t, func(v *virtual) { v.SetServers(s, data, offsets...) })
							if t.Failed() {
								t.Fatalf("servers of %v at %v, with their data: %v", s, offsets, data)
							}
						})
					}
				}
			}
		})
	}
}
