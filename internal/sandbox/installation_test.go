package sandbox_test

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// newApp returns a world with an App, its key, and the repositories web and api.
func newApp(t *testing.T, app sandbox.App) (*sandbox.World, *client, *rsa.PrivateKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	app.ID, app.PublicKey = 1, &key.PublicKey
	w, c := newWorld(t, sandbox.Options{App: &app})
	w.Add(sandbox.Repository{Name: "api"})
	return w, c, key
}

// TestNarrowedToken requests tokens with fewer permissions than the installation
// grants, and with more.
func TestNarrowedToken(t *testing.T) {
	t.Parallel()
	w, c, key := newApp(t, sandbox.App{
		Access: map[string]sandbox.Access{"actions": sandbox.Write, "dependabot": sandbox.Read},
		Extra:  map[string]sandbox.Access{"administration": sandbox.Write},
	})
	all := map[string]string{"metadata": "read", "secrets": "write", "dependabot_secrets": "read", "administration": "write"}
	for name, test := range map[string]struct {
		requested, granted map[string]string // granted nil: 422
		actions            int               // status of the public key
	}{
		"all":           {nil, all, 200},
		"one store":     {map[string]string{"metadata": "read", "secrets": "write"}, map[string]string{"metadata": "read", "secrets": "write"}, 200},
		"read only":     {map[string]string{"secrets": "read"}, map[string]string{"metadata": "read", "secrets": "read"}, 200},
		"another store": {map[string]string{"dependabot_secrets": "read"}, map[string]string{"metadata": "read", "dependabot_secrets": "read"}, 403},
		"too high":      {map[string]string{"dependabot_secrets": "write"}, nil, 0},
		"not granted":   {map[string]string{"secrets": "write", "agent_secrets": "write"}, nil, 0},
		"no permission": {map[string]string{"unknown": "read"}, nil, 0},
		"no level":      {map[string]string{"secrets": "admin"}, nil, 0},
	} {
		before := len(w.InstallationTokens())
		now := w.Time()
		c.githubToken = jwt(t, key, map[string]any{"iss": "1", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})
		var body any
		if test.requested != nil {
			body = map[string]any{"permissions": test.requested}
		}
		address := c.github + "/app/installations/1/access_tokens"
		if test.granted == nil {
			if r := c.do(422, "POST", address, body); !strings.Contains(r.body, "not granted to this installation") || len(w.InstallationTokens()) != before {
				t.Errorf("%s: %s", name, r.body)
			}
			continue
		}
		r := decode[struct {
			Token       string
			Permissions map[string]string
		}](t, c.do(201, "POST", address, body))
		issued := w.InstallationTokens()[before]
		if !maps.Equal(r.Permissions, test.granted) || !maps.Equal(issued.Permissions, test.granted) || !maps.Equal(issued.Requested, test.requested) ||
			issued.Value != r.Token || issued.Revoked || issued.Expires.Sub(issued.Created).Round(time.Minute) != time.Hour {
			t.Errorf("%s: %v, recorded as %+v", name, r.Permissions, issued)
		}
		c.githubToken = r.Token
		c.do(test.actions, "GET", c.secretURL("web", "actions", "public-key"), nil)
		c.do(200, "GET", c.github+"/installation/repositories", nil)
		if test.granted["secrets"] == "read" {
			sealed := c.seal("web", "actions", "x")
			r := c.do(403, "PUT", c.secretURL("web", "actions", secretName), sealed)
			if got := r.header.Get("X-Accepted-GitHub-Permissions"); got != "secrets=write" {
				t.Errorf("%s: the PUT is denied with %q", name, got)
			}
		}
	}
	many := make([]string, 501)
	now := w.Time()
	c.githubToken = jwt(t, key, map[string]any{"iss": "1", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})
	c.do(422, "POST", c.github+"/app/installations/1/access_tokens", map[string]any{"repositories": many})
}

// TestRevokedToken revokes an installation token, and only that one.
func TestRevokedToken(t *testing.T) {
	t.Parallel()
	w, c, key := newApp(t, sandbox.App{})
	first, second := installationToken(c, key, nil), installationToken(c, key, nil)
	c.githubToken = first
	c.do(204, "DELETE", c.github+"/installation/token", nil)
	c.do(401, "GET", c.github+"/installation/repositories", nil)
	c.do(401, "DELETE", c.github+"/installation/token", nil)
	c.githubToken = second
	c.do(200, "GET", c.github+"/installation/repositories", nil)
	c.githubToken = sandbox.GitHubToken
	c.do(403, "DELETE", c.github+"/installation/token", nil)
	if got := w.InstallationTokens(); len(got) != 2 || !got[0].Revoked || got[1].Revoked {
		t.Errorf("the tokens are %+v", got)
	}
	if w.Writes() != 0 || w.Count(sandbox.KindRevokeAccessToken) != 3 {
		t.Errorf("%d writes, %d revocations", w.Writes(), w.Count(sandbox.KindRevokeAccessToken))
	}
	w.Check(t)
}

// TestInstallationChanges changes what the installation grants while tokens exist.
func TestInstallationChanges(t *testing.T) {
	t.Parallel()
	w, c, key := newApp(t, sandbox.App{})
	wide := installationToken(c, key, nil)
	named := installationToken(c, key, map[string]any{"repositories": []string{"web"}})
	status := func(want int, token, repository, store string) {
		t.Helper()
		c.githubToken = token
		c.do(want, "GET", c.secretURL(repository, store, "public-key"), nil)
	}
	status(200, wide, "api", "agents")
	status(404, named, "api", "agents")
	w.UpdateApp(func(a *sandbox.App) {
		a.Access = map[string]sandbox.Access{"actions": sandbox.Read}
		a.Repositories = []string{"web"}
	})
	status(403, wide, "web", "agents")
	status(200, wide, "web", "actions")
	status(404, wide, "api", "actions")
	c.githubToken = wide
	sealed := c.seal("web", "actions", "x")
	c.do(403, "PUT", c.secretURL("web", "actions", secretName), sealed)
	w.UpdateApp(func(a *sandbox.App) { a.Access, a.Repositories = nil, nil })
	status(200, wide, "api", "agents")
	status(404, named, "api", "agents")
	w.Check(t)
}

// TestSuspension suspends the installation at once, and after some requests.
func TestSuspension(t *testing.T) {
	t.Parallel()
	const words = `"message":"This installation has been suspended"`
	w, c, key := newApp(t, sandbox.App{SuspendAfter: 2})
	token := installationToken(c, key, nil)
	c.githubToken = token
	list := c.github + "/installation/repositories"
	c.do(200, "GET", list, nil)
	c.do(200, "GET", c.secretURL("web", "actions", "public-key"), nil)
	for _, address := range []string{list, c.secretURL("web", "actions", "public-key")} {
		if r := c.do(403, "GET", address, nil); !strings.Contains(r.body, words) {
			t.Errorf("denied with %s", r.body)
		}
	}
	now := w.Time()
	c.githubToken = jwt(t, key, map[string]any{"iss": "1", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})
	if r := c.do(403, "POST", c.github+"/app/installations/1/access_tokens", nil); !strings.Contains(r.body, words) {
		t.Errorf("denied with %s", r.body)
	}
	suspended := func() bool {
		r := c.do(200, "GET", c.github+"/orgs/acme/installation", nil)
		return decode[struct {
			At *time.Time `json:"suspended_at"`
		}](t, r).At != nil
	}
	if !suspended() {
		t.Error("the installation is not shown as suspended")
	}
	w.UpdateApp(func(a *sandbox.App) { a.Suspended, a.SuspendAfter = false, 0 })
	if suspended() {
		t.Error("the installation is still shown as suspended")
	}
	c.githubToken = token
	c.do(200, "GET", list, nil)
	w.UpdateApp(func(a *sandbox.App) { a.Suspended = true })
	c.do(403, "GET", list, nil)
	c.githubToken = sandbox.GitHubToken // a person's is not concerned
	c.do(200, "GET", c.secretURL("web", "actions", "public-key"), nil)
	w.Hook(func(sandbox.Request) sandbox.Effect { return sandbox.SuspendedInstallation() })
	if r := c.do(403, "GET", c.github+"/user", nil); !strings.Contains(r.body, words) {
		t.Errorf("denied with %s", r.body)
	}
}

// TestInstallationPages removes a repository between two pages: the list shifts,
// and total_count shows it.
func TestInstallationPages(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{Credentials: []sandbox.Credential{{Value: "ghs_x", Kind: sandbox.Installation}}})
	for i := range 6 {
		w.Add(sandbox.Repository{Name: fmt.Sprint("r-", i)})
	}
	c := newClient(t, w)
	c.githubToken = "ghs_x"
	page := func(n int) (total int, names string, r response) {
		r = c.do(http.StatusOK, "GET", fmt.Sprintf("%s/installation/repositories?per_page=2&page=%d", c.github, n), nil)
		list := decode[struct {
			Total        int `json:"total_count"`
			Repositories []struct{ Name string }
		}](t, r)
		for _, repo := range list.Repositories {
			names += repo.Name + " "
		}
		return list.Total, names, r
	}
	total, names, r := page(1)
	if total != 6 || names != "r-5 r-4 " || !strings.HasSuffix(next(r, "last"), "page=3&per_page=2") || next(r, "next") == "" {
		t.Errorf("page 1 of %d has %s, the last is %s", total, names, next(r, "last"))
	}
	w.Remove("r-5")
	if total, names, _ = page(2); total != 5 || names != "r-2 r-1 " { // r-3 is on the first page now
		t.Errorf("page 2 of %d has %s", total, names)
	}
	if total, names, r = page(3); total != 5 || names != "r-0 " || next(r, "next") != "" || next(r, "prev") == "" {
		t.Errorf("page 3 of %d has %s", total, names)
	}
	if total, names, _ = page(4); total != 5 || names != "" {
		t.Errorf("page 4 of %d has %s", total, names)
	}
}
