package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestNoPermissionToRead: a credential without any permission for secrets ends with exit
// code 2 and the permission's name, whichever request finds it, and leaves no token.
func TestNoPermissionToRead(t *testing.T) {
	t.Parallel()

	for _, in := range []harness.Inputs{
		{},
		{"existing-secrets": "keep"},
		{"existing-secrets": "only"},
		{"rotate": "always"},
		{"dry-run": "true"},
		{"existing-secrets": "keep", "dry-run": "true"},
	} {
		for _, provisioned := range []bool{false, true} {
			t.Run(fmt.Sprint(in, " provisioned ", provisioned), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					v := bubble(t, sandbox.Options{Credentials: []sandbox.Credential{{
						Value: sandbox.GitHubToken, Kind: sandbox.FineGrained, Access: map[string]sandbox.Access{},
					}}}, harness.Names(40)...)
					before := 0
					if provisioned {
						before = 1
						for _, n := range harness.Names(40) {
							v.Provision(n, harness.Aged(v.World, 1, 100, 265), "actions")
						}
					}
					code, out := v.start(t.Context(), in, rand.New(rand.NewPCG(1, 2)), v.RoundTripper())
					if code != 2 {
						t.Errorf("exit code %d, want 2\n%s", code, tail(out))
					}
					errors := ""
					for line := range strings.Lines(out) {
						if strings.HasPrefix(line, "::error::") {
							errors += line
						}
					}
					if !strings.Contains(errors, "github-token") || !strings.Contains(errors, "secrets=") {
						t.Errorf("the ::error names no input or no permission\n%s", errors)
					}
					for _, n := range harness.Names(40) {
						if valid := len(v.ValidTokens(n)); valid != before {
							t.Errorf("%s has %d valid tokens, want %d", n, valid, before)
						}
					}
					for _, violation := range v.Violations() {
						t.Error(violation)
					}
				})
			})
		}
	}
}
