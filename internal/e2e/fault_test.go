package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// faults are what a service can do to a request, with the time that one of them may
// cost.
var faults = map[string]struct {
	effect sandbox.Effect
	costs  time.Duration
}{
	"429":               {sandbox.Effect{Skip: true, Status: 429, Header: http.Header{"Retry-After": {"7"}}}, 8 * time.Second},
	"500":               {sandbox.Effect{Skip: true, Status: 500}, 3 * time.Second},
	"500, done":         {sandbox.Effect{Status: 500}, 3 * time.Second},
	"502":               {sandbox.Effect{Skip: true, Status: 502}, 3 * time.Second},
	"502, done":         {sandbox.Effect{Status: 502}, 3 * time.Second},
	"503":               {sandbox.Effect{Skip: true, Status: 503}, 3 * time.Second},
	"503, done":         {sandbox.Effect{Status: 503}, 3 * time.Second},
	"504":               {sandbox.Effect{Skip: true, Status: 504}, 3 * time.Second},
	"504, done":         {sandbox.Effect{Status: 504}, 3 * time.Second},
	"reset":             {sandbox.Effect{Skip: true, End: sandbox.Reset}, 3 * time.Second},
	"reset, done":       {sandbox.Effect{End: sandbox.Reset}, 3 * time.Second},
	"body cut off":      {sandbox.Effect{End: sandbox.Cut}, 3 * time.Second},
	"hangs":             {sandbox.Effect{Skip: true, End: sandbox.Hang}, 34 * time.Second},
	"hangs, done":       {sandbox.Effect{End: sandbox.Hang}, 34 * time.Second},
	"hangs, done later": {sandbox.Effect{Late: 2 * time.Minute, End: sandbox.Hang}, 34 * time.Second},
	"malformed":         {sandbox.Effect{Skip: true, Status: 200, Body: []byte("<html>")}, 5 * time.Second},
	"malformed, done":   {sandbox.Effect{Status: 200, Body: []byte("<html>")}, 5 * time.Second},
	"empty":             {sandbox.Effect{Status: 200, Body: []byte{}}, 5 * time.Second},
}

// TestFaults injects each fault into each kind of request, once or throughout a run.
// The run succeeds, or reports that repository and the next run succeeds. Other
// repositories are never affected.
func TestFaults(t *testing.T) {
	t.Parallel()

	const hit = "service-001"
	for _, kind := range []sandbox.Kind{
		sandbox.KindListTokens, sandbox.KindGetSecret, sandbox.KindPublicKey,
		sandbox.KindCreateToken, sandbox.KindPutSecret, sandbox.KindDeleteToken,
	} {
		for name, fault := range faults {
			for _, times := range []int{1, 1000} {
				t.Run(fmt.Sprintf("%v %s %d times", kind, name, times), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						v := bubble(t, sandbox.Options{}, harness.Names(3)...)
						for _, n := range harness.Names(3) {
							v.Provision(n, sandbox.Token{Name: "codacy-project-token-1", Created: v.Time().AddDate(0, 0, -300), Expires: v.Time().AddDate(0, 0, 65)}, "actions", "dependabot")
						}
						// keep makes the run check secrets, and 0 hours make it revoke.
						in := harness.Inputs{"secret-stores": "actions,dependabot", "existing-secrets": "keep", "revoke-after-hours": "0"}
						hits := 0
						v.Hook(func(r sandbox.Request) sandbox.Effect {
							if r.Kind != kind || r.Repository != hit || hits == times {
								return sandbox.Effect{}
							}
							hits++
							return fault.effect
						})
						began := time.Now()
						code, out := v.run(in)
						took := time.Since(began)
						v.Hook(nil)
						if hits == 0 {
							t.Fatalf("no request was hit\n%s", out)
						}
						for _, n := range harness.Names(3) {
							if n != hit && !strings.Contains(out, "renewed  acme/"+n) {
								t.Errorf("%s suffered\n%s", n, out)
							}
						}
						if times == 1 {
							if code != 0 || took > fault.costs {
								t.Errorf("one fault: exit code %d after %v, want 0 within %v\n%s", code, took, fault.costs, out)
							}
						} else if took > 20*time.Minute {
							t.Errorf("it took %v\n%s", took, out)
						}
						time.Sleep(24 * time.Hour)
						if code, out := v.run(in); code != 0 {
							t.Errorf("the next run exits with %d\n%s", code, out)
						}
						time.Sleep(24 * time.Hour)
						if code, out := v.run(in); code != 0 {
							t.Errorf("the third run exits with %d\n%s", code, out)
						}
						for _, n := range harness.Names(3) {
							v.provisioned(n, "actions", "dependabot")
						}
					})
				})
			}
		}
	}
}

// TestFaultsAtTheStart: one fault in a request for the whole organization costs
// seconds.
func TestFaultsAtTheStart(t *testing.T) {
	t.Parallel()

	for _, kind := range []sandbox.Kind{
		sandbox.KindUser, sandbox.KindListRepositories, sandbox.KindGitHubOwner, sandbox.KindGitHubRepositories,
	} {
		for name, fault := range faults {
			t.Run(fmt.Sprint(kind, " ", name), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					v := bubble(t, sandbox.Options{}, harness.Names(3)...)
					hits := 0
					v.Hook(func(r sandbox.Request) sandbox.Effect {
						if r.Kind != kind || hits > 0 {
							return sandbox.Effect{}
						}
						hits++
						return fault.effect
					})
					began := time.Now()
					code, out := v.run(nil)
					if took := time.Since(began); hits != 1 || code != 0 || took > fault.costs {
						t.Errorf("%d hits, exit code %d after %v, want 0 within %v\n%s", hits, code, took, fault.costs, out)
					}
					time.Sleep(5 * time.Minute) // for requests that take effect late
				})
			})
		}
	}
}
