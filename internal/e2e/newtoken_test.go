package e2e

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestNewTokenDiffers: Codacy creates a token that is not the requested one. The next
// run would not recognize it, so it is deleted and the repository fails with the reason.
// A difference of less than a day is the server's rounding.
func TestNewTokenDiffers(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		change func(*sandbox.Token)
		want   string // in the reason; empty if the token is good
	}{
		"a shorter expiry":      {func(t *sandbox.Token) { t.Expires = t.Expires.AddDate(0, 0, -275) }, "set token-lifetime-days"},
		"a longer expiry":       {func(t *sandbox.Token) { t.Expires = t.Expires.AddDate(1, 0, 0) }, "expiry"},
		"two days less":         {func(t *sandbox.Token) { t.Expires = t.Expires.AddDate(0, 0, -2) }, "set token-lifetime-days"},
		"an expiry at midnight": {func(t *sandbox.Token) { t.Expires = t.Expires.Truncate(24 * time.Hour) }, ""},
		"another name":          {func(t *sandbox.Token) { t.Name += "-b" }, "codacy-project-token-1-b"},
		"a truncated name":      {func(t *sandbox.Token) { t.Name = t.Name[:12] }, `"codacy-proje"`},
		"another number":        {func(t *sandbox.Token) { t.Name = "codacy-project-token-2" }, "codacy-project-token-2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				// Whatever its name is, the action created it.
				v := bubble(t, sandbox.Options{IsManaged: func(name string) bool { return strings.HasPrefix(name, "codacy-proje") }}, "api", "web")
				v.Hook(func(r sandbox.Request) sandbox.Effect {
					if r.Kind == sandbox.KindCreateToken && r.Repository == "api" {
						return sandbox.Effect{Token: c.change}
					}
					return sandbox.Effect{}
				})
				code, out := v.run(nil)
				v.provisioned("web")
				if c.want == "" {
					if code != 0 {
						t.Errorf("exit code %d\n%s", code, out)
					}
					v.provisioned("api")
					writes := v.Writes()
					time.Sleep(24 * time.Hour)
					if code, out := v.run(nil); code != 0 || v.Writes() != writes {
						t.Errorf("the next run: exit code %d, %d writes\n%s", code, v.Writes()-writes, out)
					}
					return
				}
				line := lineOf(out, "failed   acme/api: ")
				if code != 1 || !strings.Contains(line, c.want) {
					t.Errorf("exit code %d, want 1 and %q\n%s", code, c.want, out)
				}
				if n := len(v.ValidTokens("api")); n != 0 {
					t.Errorf("%d tokens are left", n)
				}
				if _, ok := v.Secret("api", "actions", harness.SecretName); ok {
					t.Error("the token was stored")
				}
			})
		})
	}
}
