package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestWaitsEndWithTheRun: in each phase, a service is silent, slow, rate-limiting or
// failing, once or always. A run with max-duration 1m ends a minute after that,
// or 15 minutes if a token is being created or stored, with the reason in the log.
func TestWaitsEndWithTheRun(t *testing.T) {
	t.Parallel()

	long := fmt.Sprint(int((10 * time.Hour).Seconds()))
	troubles := map[string]sandbox.Effect{
		"silent":      {Skip: true, End: sandbox.Hang},
		"half silent": {End: sandbox.Stall},
		"slow":        {Delay: 11 * time.Second},
		"very slow":   {Delay: time.Hour},
		"429":         sandbox.RetryAfter(http.StatusTooManyRequests, long),
		"503":         sandbox.RetryAfter(http.StatusServiceUnavailable, long),
		"403 until":   sandbox.RetryAfter(http.StatusForbidden, long),
		"502":         {Skip: true, Status: http.StatusBadGateway},
		"reset":       {Skip: true, End: sandbox.Reset},
		"lost":        {End: sandbox.Reset},
	}
	for phase, c := range map[string]struct {
		kind   sandbox.Kind
		in     harness.Inputs
		due    bool
		denied bool // PUTs are rejected, so that the new token is deleted again
		reads  bool // no repository is between steps 3 and 6
		codes  string
	}{
		"verifying the account token": {kind: sandbox.KindUser, reads: true, codes: "0 1 2"},
		"listing on Codacy":           {kind: sandbox.KindListRepositories, reads: true, codes: "0 1 2"},
		"looking up the owner":        {kind: sandbox.KindGitHubOwner, reads: true, codes: "0 1 2"},
		"listing on GitHub":           {kind: sandbox.KindGitHubRepositories, reads: true, codes: "0 1 2"},
		"listing tokens":              {kind: sandbox.KindListTokens, reads: true, codes: "0 1 2"},
		"checking secrets":            {kind: sandbox.KindGetSecret, in: harness.Inputs{"existing-secrets": "keep"}, due: true, reads: true, codes: "0 1 2"},
		"reading keys":                {kind: sandbox.KindPublicKey, reads: true, codes: "0 1 2"},
		"creating":                    {kind: sandbox.KindCreateToken, codes: "0 1 2"},
		"storing":                     {kind: sandbox.KindPutSecret, codes: "0 1 2"},
		"deleting the new token":      {kind: sandbox.KindDeleteToken, denied: true, codes: "1 2"},
		"revoking":                    {kind: sandbox.KindDeleteToken, due: true, in: harness.Inputs{"revoke-after-hours": "0", "existing-secrets": "keep"}, codes: "0 1"},
	} {
		for name, trouble := range troubles {
			for _, once := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, %s, once %v", phase, name, once), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						v := bubble(t, sandbox.Options{Latency: 100 * time.Millisecond}, harness.Names(8)...)
						if c.due {
							for _, n := range harness.Names(8) {
								v.AddToken(n, harness.Aged(v.World, 1, 400, -35))
								v.Provision(n, harness.Aged(v.World, 2, 300, 65), "actions")
							}
						}
						v.Hook(func(r sandbox.Request) sandbox.Effect {
							switch {
							case c.denied && r.Kind == sandbox.KindPutSecret:
								return sandbox.Effect{Skip: true, Status: http.StatusUnprocessableEntity}
							case r.Kind != c.kind || once && v.Count(c.kind) > 1:
								return sandbox.Effect{}
							}
							return trouble
						})
						in := harness.Inputs{"max-duration": "1m"}
						for k, val := range c.in {
							in[k] = val
						}
						started := time.Now()
						code, out := v.start(t.Context(), in, rand.New(rand.NewPCG(1, 2)), v.RoundTripper())
						took := time.Since(started)
						bound := 16 * time.Minute
						if c.reads {
							bound = 2 * time.Minute
						}
						if took > bound {
							t.Errorf("it took %v, want at most %v\n%s", took, bound, tail(out))
						}
						if !slices.Contains(strings.Fields(c.codes), fmt.Sprint(code)) {
							t.Errorf("exit code %d, want %s\n%s", code, c.codes, tail(out))
						}
						if took > time.Minute && !strings.Contains(out, "Codacy") && !strings.Contains(out, "GitHub") {
							t.Errorf("the log names no service\n%s", out)
						}
						for _, violation := range v.Violations() {
							t.Error(violation)
						}
					})
				})
			}
		}
	}
}

// TestWaitsOfTheProgram: the same in the program itself, whose time is real.
func TestWaitsOfTheProgram(t *testing.T) {
	t.Parallel()

	for phase, kind := range map[string]sandbox.Kind{
		"at the start": sandbox.KindUser, "while listing": sandbox.KindGitHubRepositories, "while observing": sandbox.KindListTokens,
	} {
		for name, trouble := range map[string]sandbox.Effect{
			"silent": {Skip: true, End: sandbox.Hang},
			"429":    sandbox.RetryAfter(http.StatusTooManyRequests, "36000"),
			"502":    {Skip: true, Status: http.StatusBadGateway},
		} {
			t.Run(phase+", "+name, func(t *testing.T) {
				t.Parallel()
				f := harness.Serve(t, sandbox.Options{})
				for _, n := range harness.Names(3) {
					f.Add(sandbox.Repository{Name: n})
				}
				f.Hook(func(r sandbox.Request) sandbox.Effect {
					if r.Kind == kind {
						return trouble
					}
					return sandbox.Effect{}
				})
				started := time.Now()
				r := f.Run(harness.Inputs{"max-duration": "1s"})
				if took := time.Since(started); took > 10*time.Second {
					t.Errorf("it took %v of a max-duration of 1s\n%s", took, r.Stdout)
				}
				if r.Code != 1 {
					t.Errorf("exit code %d, want 1\n%s", r.Code, r.Stdout)
				}
			})
		}
	}
}

// TestDiagnosisIsBounded: a run that has ended may need more requests for a better
// diagnosis. A service that asks to wait then delays its end by half a minute at most.
func TestDiagnosisIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := bubble(t, sandbox.Options{Latency: 100 * time.Millisecond}, harness.Names(40)...)
		v.Hook(func(r sandbox.Request) sandbox.Effect {
			switch {
			case r.Kind == sandbox.KindPutSecret && r.Repository == harness.Names(1)[0]:
				return sandbox.Effect{Skip: true, Status: http.StatusUnprocessableEntity}
			case r.Kind == sandbox.KindListSecrets: // of the diagnosis
				return sandbox.RetryAfter(http.StatusTooManyRequests, "36000")
			}
			return sandbox.Effect{}
		})
		started := time.Now()
		code, out := v.start(t.Context(), harness.Inputs{"max-duration": "1m"}, rand.New(rand.NewPCG(1, 2)), v.RoundTripper())
		if took := time.Since(started); code != 1 || took > 16*time.Minute+30*time.Second {
			t.Errorf("exit code %d after %v\n%s", code, took, tail(out))
		}
	})
}
