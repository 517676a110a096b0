package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// recorder is a TB that keeps what it is told.
type recorder struct{ told []string }

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.told = append(r.told, fmt.Sprintf(format, args...))
}

// TestViolations breaks each promise once.
func TestViolations(t *testing.T) {
	t.Parallel()
	const one, two = "codacy-project-token-1", "codacy-project-token-2"
	for name, test := range map[string]struct {
		do   func(*client)
		want string
	}{
		"dead token": {func(c *client) {
			made := c.create("web", one)
			c.put(201, "web", "actions", secretName, made.Token)
			c.do(204, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("web"), made.ID), nil)
		}, "dead token"},
		"dead token in two stores, in bulk": {func(c *client) {
			made := c.create("web", one)
			c.put(201, "web", "actions", secretName, made.Token)
			c.put(201, "web", "agents", secretName, made.Token)
			c.do(204, "POST", c.tokensURL("web")+"/delete", map[string]any{"ids": []int64{made.ID}})
		}, "dead token, dead token"},
		"dead token of an earlier run": {func(c *client) {
			made := c.world.Provision("web", sandbox.Token{Name: one}, "dependabot")
			c.do(204, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("web"), made.ID), nil)
		}, "dead token"},
		"replaced before it is deleted": {func(c *client) {
			made := c.create("web", one)
			c.put(201, "web", "actions", secretName, made.Token)
			c.put(204, "web", "actions", secretName, c.create("web", two).Token)
			c.do(204, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("web"), made.ID), nil)
		}, ""},
		"replaced by hand before it is deleted": {func(c *client) {
			made := c.create("web", one)
			c.put(201, "web", "actions", secretName, made.Token)
			c.world.SetSecret("web", "actions", secretName, "by hand")
			c.do(204, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("web"), made.ID), nil)
		}, ""},
		"put after its deletion": {func(c *client) {
			made := c.create("web", one)
			c.do(204, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("web"), made.ID), nil)
			c.put(201, "web", "actions", secretName, made.Token)
		}, "bad put"},
		"deleted by hand before the put": {func(c *client) {
			made := c.create("web", one)
			c.world.DeleteToken("web", made.ID)
			c.put(201, "web", "actions", secretName, made.Token)
		}, ""},
		"put after its expiry": {func(c *client) {
			made := c.create("web", one)
			c.world.Advance(300*24*time.Hour + time.Minute)
			c.put(201, "web", "actions", secretName, made.Token)
		}, "bad put"},
		"another repository's": {func(c *client) {
			c.put(201, "app", "actions", secretName, c.create("web", one).Token)
		}, "bad put"},
		"no token": {func(c *client) { c.put(201, "web", "actions", secretName, "nonsense") }, "bad put"},
		"not ours": {func(c *client) {
			k := c.world.AddToken("web", sandbox.Token{Name: "by-hand"})
			c.do(204, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("web"), k.ID), nil)
		}, "not ours"},
		"nearly ours": {func(c *client) {
			for _, name := range []string{"codacy-project-token-01", "codacy-project-token-", "codacy-project-token-1234567890", "codacy-project-token-1a", "codacy-project-token--1"} {
				k := c.world.AddToken("web", sandbox.Token{Name: name})
				c.do(204, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("web"), k.ID), nil)
			}
		}, "not ours, not ours, not ours, not ours, not ours"},
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
			told := new(recorder)
			w.Check(told)
			if got := len(told.told); got != len(w.Violations()) {
				t.Errorf("Check tells %d violations, want %d", got, len(w.Violations()))
			}
			for _, line := range told.told {
				for _, value := range w.AllTokenValues() {
					if strings.Contains(line, value) || !strings.Contains(line, "by request") {
						t.Errorf("told as %s", line)
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
		t.Errorf("it was written %s after its making", got)
	}
	w.SetUpdatedAt("web", "actions", secretName, time.Unix(5, 7))
	if got := w.UpdatedAt("web", "actions", secretName); !got.Equal(time.Unix(5, 0)) {
		t.Errorf("it is dated %s", got)
	}
}
