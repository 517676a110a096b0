package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// recorder is a TB that keeps the errors.
type recorder struct{ lines []string }

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

// TestViolations breaks each promise once.
func TestViolations(t *testing.T) {
	t.Parallel()
	const one, two = "codacy-project-token-1", "codacy-project-token-2"
	for name, test := range map[string]struct {
		do   func(*client)
		want string
	}{
		"invalid token": {func(c *client) {
			added := c.create("web", one)
			c.put(201, "web", "actions", secretName, added.Token)
			c.do(204, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("web"), added.ID), nil)
		}, "invalid token"},
		"invalid token in two stores, in bulk": {func(c *client) {
			added := c.create("web", one)
			c.put(201, "web", "actions", secretName, added.Token)
			c.put(201, "web", "agents", secretName, added.Token)
			c.do(204, "POST", c.tokensURL("web")+"/delete", map[string]any{"ids": []int64{added.ID}})
		}, "invalid token, invalid token"},
		"invalid token of an earlier run": {func(c *client) {
			added := c.world.Provision("web", sandbox.Token{Name: one}, "dependabot")
			c.do(204, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("web"), added.ID), nil)
		}, "invalid token"},
		"expired, in a store that was denied": {func(c *client) {
			added := c.world.Provision("web", sandbox.Token{Name: one, Expires: c.world.Time().Add(-time.Hour)}, "actions")
			c.world.Deny("web", "actions", sandbox.DenyPlain)
			c.do(403, "GET", c.secretURL("web", "actions", secretName), nil)
			c.do(204, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("web"), added.ID), nil)
		}, ""},
		"valid, in a store that was denied": {func(c *client) {
			added := c.world.Provision("web", sandbox.Token{Name: one}, "actions")
			c.world.Deny("web", "actions", sandbox.DenyPlain)
			c.do(403, "GET", c.secretURL("web", "actions", secretName), nil)
			c.do(204, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("web"), added.ID), nil)
		}, "invalid token"},
		"expired, in a store that is available": {func(c *client) {
			added := c.world.Provision("web", sandbox.Token{Name: one, Expires: c.world.Time().Add(-time.Hour)}, "actions")
			c.do(204, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("web"), added.ID), nil)
		}, "invalid token"},
		"replaced before it is deleted": {func(c *client) {
			added := c.create("web", one)
			c.put(201, "web", "actions", secretName, added.Token)
			c.put(204, "web", "actions", secretName, c.create("web", two).Token)
			c.do(204, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("web"), added.ID), nil)
		}, ""},
		"replaced manually before it is deleted": {func(c *client) {
			added := c.create("web", one)
			c.put(201, "web", "actions", secretName, added.Token)
			c.world.SetSecret("web", "actions", secretName, "manual")
			c.do(204, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("web"), added.ID), nil)
		}, ""},
		"put after its deletion": {func(c *client) {
			added := c.create("web", one)
			c.do(204, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("web"), added.ID), nil)
			c.put(201, "web", "actions", secretName, added.Token)
		}, "bad put"},
		"deleted manually before the put": {func(c *client) {
			added := c.create("web", one)
			c.world.DeleteToken("web", added.ID)
			c.put(201, "web", "actions", secretName, added.Token)
		}, ""},
		"put after its expiry": {func(c *client) {
			added := c.create("web", one)
			c.world.Advance(300*24*time.Hour + time.Minute)
			c.put(201, "web", "actions", secretName, added.Token)
		}, "bad put"},
		"another repository's": {func(c *client) {
			c.put(201, "app", "actions", secretName, c.create("web", one).Token)
		}, "foreign token"},
		"no token": {func(c *client) { c.put(201, "web", "actions", secretName, "unknown") }, "bad put"},
		"unmanaged token": {func(c *client) {
			k := c.world.AddToken("web", sandbox.Token{Name: "by-hand"})
			c.do(204, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("web"), k.ID), nil)
		}, "unmanaged token"},
		"nearly managed token": {func(c *client) {
			for _, name := range []string{"codacy-project-token-01", "codacy-project-token-", "codacy-project-token-1234567890", "codacy-project-token-1a", "codacy-project-token--1"} {
				k := c.world.AddToken("web", sandbox.Token{Name: name})
				c.do(204, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("web"), k.ID), nil)
			}
		}, "unmanaged token, unmanaged token, unmanaged token, unmanaged token, unmanaged token"},
		"another secret": {func(c *client) {
			c.put(201, "web", "actions", "OTHER", c.create("web", one).Token)
			c.do(204, "DELETE", c.secretURL("web", "actions", "OTHER"), nil)
		}, "other secret, other secret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := sandbox.New(sandbox.Options{})
			w.Add(sandbox.Repository{Name: "web"})
			w.Add(sandbox.Repository{Name: "app"})
			test.do(newClient(t, w))
			wantViolations(t, w, test.want)
			found := new(recorder)
			w.Check(found)
			if got := len(found.lines); got != len(w.Violations()) {
				t.Errorf("Check reports %d violations, want %d", got, len(w.Violations()))
			}
			for _, line := range found.lines {
				for _, value := range w.AllTokenValues() {
					if strings.Contains(line, value) || !strings.Contains(line, "by request") {
						t.Errorf("reported as %s", line)
					}
				}
			}
		})
	}
}

func TestExpired(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{})
	w.Add(sandbox.Repository{Name: "web"})
	token := sandbox.Token{Name: "codacy-project-token-1", Expires: w.Time().Add(time.Hour)}
	w.Provision("web", token, "actions", "codespaces")
	w.Advance(59 * time.Minute)
	if got := w.Expired(); len(got) != 0 {
		t.Errorf("too soon: %v", got)
	}
	w.SetSkew(sandbox.Codacy, 2*time.Minute)
	for range 2 {
		w.Advance(time.Second)
		if got := w.Expired(); len(got) != 2 || got[1].Store != "codespaces" || got[0].Kind != sandbox.ExpiredToken {
			t.Errorf("the expired are %v", got)
		}
	}
	w.Check(t)
}

func TestOrphans(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{})
	w.Add(sandbox.Repository{Name: "web"})
	w.AddToken("web", sandbox.Token{Name: "by-hand"})
	w.AddToken("web", sandbox.Token{Name: "codacy-project-token-1"})
	w.AddToken("web", sandbox.Token{Name: "codacy-project-token-2", Expires: w.Time()})
	held := w.Provision("web", sandbox.Token{Name: "codacy-project-token-3", Created: w.Time().Add(-time.Hour)}, "actions")
	if got := w.Orphans("web"); len(got) != 1 || got[0].Name != "codacy-project-token-1" {
		t.Errorf("the orphans are %v", got)
	}
	if got := w.UpdatedAt("web", "actions", secretName).Sub(held.Created); got < 0 || got > time.Second {
		t.Errorf("it was written %s after its creation", got)
	}
	w.SetUpdatedAt("web", "actions", secretName, time.Unix(5, 7))
	if got := w.UpdatedAt("web", "actions", secretName); !got.Equal(time.Unix(5, 0)) {
		t.Errorf("it is dated %s", got)
	}
}
