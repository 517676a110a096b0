package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

const (
	tokenOne = "codacy-project-token-1"
	tokenTwo = "codacy-project-token-2"
	oneDay   = 24 * time.Hour
)

// delete deletes a token as the action would.
func (c *client) delete(repository string, id int64) {
	c.t.Helper()
	c.do(204, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL(repository), id), nil)
}

// TestEarlyRevocation deletes a token too soon after it was replaced, and in all
// the ways that are allowed.
func TestEarlyRevocation(t *testing.T) {
	t.Parallel()
	const hours = 36 * oneDay
	// replace stores one token, and another one a month later.
	replace := func(c *client, stores ...string) (old token) {
		old = c.create("web", tokenOne)
		for _, store := range stores {
			c.put(201, "web", store, secretName, old.Token)
		}
		c.world.Advance(30 * oneDay)
		renewed := c.create("web", tokenTwo)
		for _, store := range stores {
			c.put(204, "web", store, secretName, renewed.Token)
		}
		return old
	}
	// among revokes a replaced token when n tokens of the repository are valid.
	among := func(n int) func(*client) {
		return func(c *client) {
			old := replace(c, "actions")
			for i := range n - 2 {
				c.world.AddToken("web", sandbox.Token{Name: fmt.Sprint("t-", i)})
			}
			c.delete("web", old.ID)
		}
	}
	// rejected revokes one after n tokens with a name that is taken were rejected.
	rejected := func(n int) func(*client) {
		return func(c *client) {
			old := replace(c, "actions")
			for range n {
				c.do(409, "POST", c.tokensURL("web"), body(tokenTwo, c.world.Time().Add(time.Hour)))
			}
			c.delete("web", old.ID)
		}
	}
	for name, test := range map[string]struct {
		options sandbox.Options
		do      func(*client)
		want    string
	}{
		"a day later": {sandbox.Options{RevokeAfter: hours}, func(c *client) {
			old := replace(c, "actions")
			c.world.Advance(25 * time.Hour)
			c.delete("web", old.ID)
		}, "early revocation"},
		"at once, in two stores": {sandbox.Options{RevokeAfter: hours}, func(c *client) {
			c.delete("web", replace(c, "actions", "agents").ID)
		}, "early revocation"},
		"in bulk": {sandbox.Options{RevokeAfter: hours}, func(c *client) {
			old := replace(c, "actions")
			c.do(204, "POST", c.tokensURL("web")+"/delete", map[string]any{"ids": []int64{old.ID}})
		}, "early revocation"},
		"two minutes too soon": {sandbox.Options{RevokeAfter: hours}, func(c *client) {
			old := replace(c, "actions")
			c.world.Advance(hours - 2*time.Minute)
			c.delete("web", old.ID)
		}, "early revocation"},
		"of an earlier run": {sandbox.Options{RevokeAfter: hours}, func(c *client) {
			old := c.world.Provision("web", sandbox.Token{Name: tokenOne, Created: c.world.Time().Add(-300 * oneDay)}, "actions")
			c.world.Provision("web", sandbox.Token{Name: tokenTwo, Created: c.world.Time().Add(-2 * oneDay)}, "actions")
			c.delete("web", old.ID)
		}, "early revocation"},
		"long after an earlier run": {sandbox.Options{RevokeAfter: hours}, func(c *client) {
			old := c.world.Provision("web", sandbox.Token{Name: tokenOne, Created: c.world.Time().Add(-300 * oneDay)}, "actions")
			c.world.Provision("web", sandbox.Token{Name: tokenTwo, Created: c.world.Time().Add(-37 * oneDay)}, "actions")
			c.delete("web", old.ID)
		}, ""},
		"of an earlier run, by other clocks": {sandbox.Options{RevokeAfter: hours}, func(c *client) {
			c.world.SetSkew(sandbox.Codacy, -2*oneDay)
			c.world.SetSkew(sandbox.GitHub, 2*oneDay)
			old := c.world.Provision("web", sandbox.Token{Name: tokenOne, Created: c.world.Time().Add(-300 * oneDay)}, "actions")
			c.world.Provision("web", sandbox.Token{Name: tokenTwo, Created: c.world.Time().Add(-37 * oneDay)}, "actions") // 35 days ago in truth
			c.delete("web", old.ID)
		}, "early revocation"},
		"late enough": {sandbox.Options{RevokeAfter: hours}, func(c *client) {
			old := replace(c, "actions")
			c.world.Advance(hours)
			c.delete("web", old.ID)
		}, ""},
		"not checked": {sandbox.Options{}, func(c *client) { c.delete("web", replace(c, "actions").ID) }, ""},
		"never stored": {sandbox.Options{RevokeAfter: hours}, func(c *client) {
			replace(c, "actions")
			c.delete("web", c.create("web", "codacy-project-token-3").ID)
		}, ""},
		"still stored: another violation": {sandbox.Options{RevokeAfter: hours}, func(c *client) {
			replace(c, "actions")
			c.delete("web", c.world.Tokens("web")[1].ID)
		}, "invalid token"},
		"expired": {sandbox.Options{RevokeAfter: hours}, func(c *client) {
			old := replace(c, "actions")
			c.world.Advance(265 * oneDay) // it is valid for 300 days
			c.put(204, "web", "actions", secretName, c.create("web", "codacy-project-token-3").Token)
			c.world.Advance(6 * oneDay)
			c.delete("web", old.ID)
		}, ""},
		"overwritten by a person": {sandbox.Options{RevokeAfter: hours}, func(c *client) {
			old := c.create("web", tokenOne)
			c.put(201, "web", "actions", secretName, old.Token)
			c.world.SetSecret("web", "actions", secretName, "manual")
			c.delete("web", old.ID)
		}, "early revocation"},
		"removed by a person": {sandbox.Options{RevokeAfter: hours}, func(c *client) {
			old := c.create("web", tokenOne)
			c.put(201, "web", "actions", secretName, old.Token)
			c.world.DeleteSecret("web", "actions", secretName)
			c.delete("web", old.ID)
		}, ""},
		"removed by a person and stored again": {sandbox.Options{RevokeAfter: hours}, func(c *client) {
			old := c.create("web", tokenOne)
			c.put(201, "web", "actions", secretName, old.Token)
			c.do(204, "DELETE", c.secretURL("web", "actions", secretName), nil)
			c.put(201, "web", "actions", secretName, c.create("web", tokenTwo).Token)
			c.delete("web", old.ID)
		}, "early revocation"},
		"replaced in one store long ago": {sandbox.Options{RevokeAfter: hours}, func(c *client) {
			old := replace(c, "actions")
			c.put(201, "web", "agents", secretName, old.Token)
			c.world.Advance(hours)
			c.put(204, "web", "agents", secretName, c.create("web", "codacy-project-token-3").Token)
			c.delete("web", old.ID)
		}, "early revocation"},
		"removed by a person, and another secret": {sandbox.Options{RevokeAfter: hours}, func(c *client) {
			old := c.create("web", tokenOne)
			c.put(201, "web", "actions", secretName, old.Token)
			c.world.DeleteSecret("web", "actions", secretName)
			c.world.SetSecret("web", "actions", "OTHER", "manual")
			c.delete("web", old.ID)
		}, ""},
		"dated long ago": {sandbox.Options{RevokeAfter: hours}, func(c *client) {
			old := replace(c, "actions")
			c.world.SetUpdatedAt("web", "actions", secretName, c.world.Time().Add(-hours))
			c.delete("web", old.ID)
		}, ""},
		"evicted among 100":      {sandbox.Options{RevokeAfter: hours}, among(100), ""},
		"among 99":               {sandbox.Options{RevokeAfter: hours}, among(99), "early revocation"},
		"after four rejections":  {sandbox.Options{RevokeAfter: hours}, rejected(4), ""},
		"after three rejections": {sandbox.Options{RevokeAfter: hours}, rejected(3), "early revocation"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, c := newWorld(t, test.options)
			test.do(c)
			wantViolations(t, w, test.want)
		})
	}
}

// TestSettled finds each way in which a repository is not settled.
func TestSettled(t *testing.T) {
	t.Parallel()
	year := 300 * oneDay
	managed := func(w *sandbox.World, n int) sandbox.Token {
		return sandbox.Token{Name: fmt.Sprint("codacy-project-token-", n), Expires: w.Time().Add(year)}
	}
	for name, test := range map[string]struct {
		do     func(*sandbox.World)
		stores []string
		want   string // kinds, with the store
	}{
		"settled":           {func(w *sandbox.World) { w.Provision("web", managed(w, 1), "actions") }, nil, ""},
		"in two stores":     {func(w *sandbox.World) { w.Provision("web", managed(w, 1), "actions", "agents") }, []string{"actions", "agents"}, ""},
		"no secret":         {func(*sandbox.World) {}, nil, "not stored actions"},
		"not in each store": {func(w *sandbox.World) { w.Provision("web", managed(w, 1), "actions") }, []string{"actions", "agents"}, "not stored agents"},
		"an older token": {func(w *sandbox.World) {
			w.Provision("web", managed(w, 1), "actions", "agents")
			w.Provision("web", managed(w, 2), "actions")
		}, []string{"actions", "agents"}, "not stored agents"},
		"a manual value": {func(w *sandbox.World) {
			w.Provision("web", managed(w, 1), "actions", "agents")
			w.SetSecret("web", "actions", secretName, "manual")
		}, nil, "not stored actions"},
		"an orphan": {func(w *sandbox.World) {
			w.AddToken("web", managed(w, 1))
			w.Provision("web", managed(w, 2), "actions")
		}, nil, "orphan "},
		"an unmanaged token": {func(w *sandbox.World) {
			w.AddToken("web", sandbox.Token{Name: "manual"})
			w.Provision("web", managed(w, 1), "actions")
		}, nil, ""},
		"an expired token": {func(w *sandbox.World) {
			w.Provision("web", managed(w, 1), "actions")
			w.Advance(year + oneDay)
		}, nil, "expired token actions"},
		"a deleted token": {func(w *sandbox.World) {
			w.DeleteToken("web", w.Provision("web", managed(w, 1), "actions").ID)
		}, nil, "invalid token actions"},
		"a foreign token": {func(w *sandbox.World) {
			w.Add(sandbox.Repository{Name: "old", Archived: true})
			w.SetSecret("web", "actions", secretName, w.AddToken("old", managed(w, 1)).Value)
		}, nil, "foreign token actions"},
		"not to be provisioned": {func(w *sandbox.World) {
			w.Provision("web", managed(w, 1), "actions")
			for i, r := range []sandbox.Repository{
				{Archived: true}, {Disabled: true}, {NotOnGitHub: true}, {NotOnCodacy: true}, {State: sandbox.NotAdded}, {Hidden: true}, {CodacyRole: "write"},
			} {
				r.Name = fmt.Sprint("r-", i)
				w.Add(r)
			}
		}, nil, ""},
		"a denied store": {func(w *sandbox.World) {
			w.Provision("web", managed(w, 1), "actions")
			w.Deny("web", "agents", sandbox.DenyHidden, sandbox.ReadKey)
		}, []string{"actions", "agents"}, ""},
		"a store that is allowed again": {func(w *sandbox.World) {
			w.Provision("web", managed(w, 1), "actions")
			w.Deny("web", "agents", sandbox.DenyHidden)
			w.Allow("web", "")
		}, []string{"actions", "agents"}, "not stored agents"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := newWorld(t, sandbox.Options{})
			test.do(w)
			var found []string
			for _, v := range w.Settled(test.stores...) {
				found = append(found, fmt.Sprint(v.Kind, " ", v.Store))
				if v.Repository != "web" {
					t.Errorf("%s", v)
				}
			}
			if got := strings.Join(found, ", "); got != test.want {
				t.Errorf("found %q, want %q", got, test.want)
			}
			errs := new(recorder)
			w.CheckSettled(errs, test.stores...)
			if len(errs.lines) != len(found) {
				t.Errorf("CheckSettled reports %v", errs.lines)
			}
			for _, value := range w.AllTokenValues() {
				if strings.Contains(fmt.Sprint(errs.lines), value) {
					t.Errorf("%v shows a token", errs.lines)
				}
			}
		})
	}
}

// TestManualCredential writes with a person's credential: nothing of it is held
// against the action.
func TestManualCredential(t *testing.T) {
	t.Parallel()
	for _, manual := range []bool{false, true} {
		w, c := newWorld(t, sandbox.Options{Credentials: []sandbox.Credential{{Value: "gho_person", Kind: sandbox.OAuth, Manual: manual}}})
		c.githubToken = "gho_person"
		c.put(201, "web", "actions", secretName, "manual")
		c.put(201, "web", "actions", "OTHER", "manual")
		c.do(204, "DELETE", c.secretURL("web", "actions", "OTHER"), nil)
		added := c.create("web", tokenOne)
		c.put(204, "web", "actions", secretName, added.Token)
		c.delete("web", added.ID)
		want := "bad put, other secret, bad put, other secret, invalid token"
		if manual {
			want = ""
		}
		wantViolations(t, w, want)
	}
}

// TestSettledExisting leaves manual secrets alone under keep, and stores without a
// secret under only.
func TestSettledExisting(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		existing sandbox.Existing
		do       func(*sandbox.World)
		want     string
	}{
		{sandbox.ReplaceExisting, func(w *sandbox.World) { w.SetSecret("web", "actions", secretName, "manual") }, "[not stored orphan]"},
		{sandbox.KeepExisting, func(w *sandbox.World) { w.SetSecret("web", "actions", secretName, "manual") }, "[]"},
		{sandbox.OnlyExisting, func(w *sandbox.World) { w.SetSecret("web", "actions", secretName, "manual") }, "[not stored orphan]"},
		{sandbox.ReplaceExisting, func(w *sandbox.World) { w.DeleteSecret("web", "actions", secretName) }, "[not stored orphan]"},
		{sandbox.KeepExisting, func(w *sandbox.World) { w.DeleteSecret("web", "actions", secretName) }, "[not stored orphan]"},
		{sandbox.OnlyExisting, func(w *sandbox.World) { w.DeleteSecret("web", "actions", secretName) }, "[]"},
		{sandbox.KeepExisting, func(w *sandbox.World) { w.AddToken("web", sandbox.Token{Name: tokenTwo}) }, "[not stored orphan]"},
	} {
		w, _ := newWorld(t, sandbox.Options{Existing: test.existing})
		w.Provision("web", sandbox.Token{Name: tokenOne}, "actions")
		test.do(w)
		var kinds []string
		for _, v := range w.Settled() {
			kinds = append(kinds, string(v.Kind))
		}
		if got := fmt.Sprint(kinds); got != test.want {
			t.Errorf("%s: found %s, want %s", test.existing, got, test.want)
		}
	}
}
