package sandbox_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestAddressesByID uses a repository by its ID, on a server that has such
// addresses and on one that lacks them.
func TestAddressesByID(t *testing.T) {
	t.Parallel()
	for _, missing := range []bool{false, true} {
		w := sandbox.New(sandbox.Options{NoIDAddresses: missing})
		id := w.Add(sandbox.Repository{Name: "web"})
		c := newClient(t, w)
		value := w.AddToken("web", sandbox.Token{}).Value
		byID := fmt.Sprintf("%s/repositories/%d", c.github, id)
		for _, store := range sandbox.Stores() {
			secrets := byID + "/" + store + "/secrets"
			sealed := c.seal("web", store, value)
			for _, step := range []struct {
				want         int
				method, path string
				body         any
			}{
				{200, "GET", "/public-key", nil},
				{404, "GET", "/" + secretName, nil},
				{201, "PUT", "/" + secretName, sealed},
				{204, "PUT", "/" + secretName, sealed},
				{200, "GET", "/" + secretName, nil},
				{200, "GET", "", nil},
				{204, "DELETE", "/" + secretName, nil},
			} {
				want := step.want
				if missing {
					want = 404
				}
				r := c.do(want, step.method, secrets+step.path, step.body)
				if step.path == "" && !missing && !strings.Contains(r.body, `"total_count":1`) {
					t.Errorf("the list is %s", r.body)
				}
			}
			c.do(200, "GET", c.secretURL("web", store, "public-key"), nil)
		}
		want := 200
		if missing {
			want = 404
		}
		c.do(want, "GET", byID, nil)
		c.do(404, "GET", c.github+"/repositories/1/actions/secrets/public-key", nil)
		c.do(404, "GET", c.github+"/repositories/x/actions/secrets/public-key", nil)
		w.Check(t)

		// An old name leads to the ID, or else to the new name.
		w.Rename("web", "new")
		r := c.do(301, "GET", c.secretURL("web", "actions", "public-key"), nil)
		where := byID
		if missing {
			where = c.github + "/repos/acme/new"
		}
		if got := r.header.Get("Location"); got != where+"/actions/secrets/public-key" {
			t.Errorf("the redirect leads to %s, want %s", got, where)
		}
		c.do(200, "GET", r.header.Get("Location"), nil)
	}
}

// TestReplace renames a repository and gives its name to another one at each
// request of a client that writes by name: the other one rejects the box.
func TestReplace(t *testing.T) {
	t.Parallel()
	for at := 1; at <= 3; at++ {
		w, c := newWorld(t, sandbox.Options{})
		id := w.Add(sandbox.Repository{Name: "api"})
		var n atomic.Int64
		var other int64
		w.Hook(func(sandbox.Request) sandbox.Effect {
			if int(n.Add(1)) == at {
				return sandbox.Effect{Before: func() { other = w.Replace("api", "api-2") }}
			}
			return sandbox.Effect{}
		})
		token := c.create("api", "codacy-project-token-1") // Codacy keeps the old name
		key := fmt.Sprintf("%s/repositories/%d/actions/secrets/public-key", c.github, id)
		sealed := c.sealFor(c.do(200, "GET", key, nil), token.Token)
		c.do(http.StatusUnprocessableEntity, "PUT", c.secretURL("api", "actions", secretName), sealed)
		for _, repository := range []string{"api", "api-2", fmt.Sprint("#", other)} {
			if _, ok := w.Secret(repository, "actions", secretName); ok {
				t.Errorf("at request %d: %s has the secret", at, repository)
			}
		}
		if other == 0 || other == id {
			t.Errorf("at request %d: the other repository has the ID %d", at, other)
		}
		w.Check(t)
		// Sealed for the other repository, the token is a foreign one.
		c.put(201, "api", "actions", secretName, token.Token)
		wantViolations(t, w, "foreign token")
	}
}

// TestDenials has each denial for each operation, and takes it back.
func TestDenials(t *testing.T) {
	t.Parallel()
	operations := map[sandbox.Operation][2]string{
		sandbox.ReadSecrets: {"GET", secretName}, sandbox.ReadKey: {"GET", "public-key"}, sandbox.WriteSecrets: {"PUT", secretName},
	}
	for denial, want := range map[sandbox.Denial]struct {
		status  int
		message string
	}{
		sandbox.DenyArchived:    {403, "Repository was archived so is read-only."},
		sandbox.DenyAdminRights: {403, "Must have admin rights to Repository."},
		sandbox.DenyBlocked:     {403, "Repository access blocked"},
		sandbox.DenyLocked:      {403, "Repository has been locked for migration."},
		sandbox.DenyPermission:  {403, "Resource not accessible by personal access token"},
		sandbox.DenyPlain:       {403, "Forbidden"},
		sandbox.DenyHidden:      {404, "Not Found"},
		sandbox.DenyTakedown:    {451, "Repository unavailable due to DMCA takedown."},
	} {
		w := sandbox.New(sandbox.Options{Credentials: []sandbox.Credential{{Value: "fine", Kind: sandbox.FineGrained}}})
		w.Add(sandbox.Repository{Name: "web"})
		w.Add(sandbox.Repository{Name: "api"})
		c := newClient(t, w)
		c.githubToken = "fine"
		token := w.Provision("web", sandbox.Token{Name: "codacy-project-token-1"}, sandbox.Stores()...)
		sealed := map[string]map[string]string{}
		for _, store := range sandbox.Stores() {
			sealed[store] = c.seal("web", store, token.Value)
		}
		send := func(operation sandbox.Operation, store string) response {
			method := operations[operation][0]
			var body any
			if method == "PUT" {
				body = sealed[store]
			}
			r, err := c.send(c.request(t.Context(), method, c.secretURL("web", store, operations[operation][1]), body))
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		for denied := range operations {
			for _, stores := range []string{"", "dependabot"} {
				w.Deny("web", stores, denial, denied)
				for operation := range operations {
					for _, store := range sandbox.Stores() {
						r := send(operation, store)
						if operation != denied || stores != "" && store != stores {
							if r.status >= 300 {
								t.Errorf("%d: %v of %s is denied too: %d %s", denial, operation, store, r.status, r.body)
							}
							continue
						}
						if e := decode[struct{ Message string }](t, r); r.status != want.status || e.Message != want.message {
							t.Errorf("%d: %v of %s: %d %s", denial, operation, store, r.status, r.body)
						}
						if got := r.header.Get("X-Accepted-GitHub-Permissions"); (got != "") != (denial == sandbox.DenyPermission) {
							t.Errorf("%d: %v of %s names the permission %q", denial, operation, store, got)
						}
					}
				}
				w.Allow("web", stores, denied)
				if r := send(denied, "dependabot"); r.status >= 300 {
					t.Errorf("%d: still denied: %d", denial, r.status)
				}
			}
		}
		w.Deny("web", "", denial)
		for operation := range operations {
			if r := send(operation, "agents"); r.status != want.status {
				t.Errorf("%d: %v gets %d", denial, operation, r.status)
			}
		}
		c.do(200, "GET", c.secretURL("api", "agents", "public-key"), nil)
		w.Check(t)
	}
}

// TestPermissionsChange has a credential lose a permission and regain it.
func TestPermissionsChange(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t, sandbox.Options{})
	value := w.AddToken("web", sandbox.Token{}).Value
	c.put(201, "web", "actions", secretName, value)
	sealed := c.seal("web", "actions", value)
	secret := c.secretURL("web", "actions", secretName)
	w.SetAccess(sandbox.GitHubToken, map[string]sandbox.Access{"actions": sandbox.Read, "codespaces": sandbox.Read})
	c.do(403, "PUT", secret, sealed)
	c.do(200, "GET", secret, nil)
	c.do(403, "GET", c.secretURL("web", "agents", "public-key"), nil)
	c.do(403, "GET", c.secretURL("web", "codespaces", "public-key"), nil) // reading needs write
	w.SetAccess(sandbox.GitHubToken, map[string]sandbox.Access{"codespaces": sandbox.Write})
	c.do(403, "GET", secret, nil)
	c.do(200, "GET", c.secretURL("web", "codespaces", "public-key"), nil)
	w.SetAccess(sandbox.GitHubToken, nil)
	c.do(204, "PUT", secret, sealed)
	w.Check(t)
}

// TestSelectedRepositories lists a public repository that was not selected for a
// fine-grained token, and denies access to its secrets.
func TestSelectedRepositories(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{Credentials: []sandbox.Credential{{Value: "fine", Kind: sandbox.FineGrained, Selected: []string{"web"}}}})
	w.Add(sandbox.Repository{Name: "web", Private: true})
	w.Add(sandbox.Repository{Name: "public"})
	w.Add(sandbox.Repository{Name: "private", Private: true})
	c := newClient(t, w)
	c.githubToken = "fine"
	var names []string
	for _, r := range decode[[]struct{ Name string }](t, c.do(200, "GET", c.github+"/orgs/acme/repos?sort=full_name", nil)) {
		names = append(names, r.Name)
	}
	if got := strings.Join(names, " "); got != "public web" {
		t.Errorf("the list is %s", got)
	}
	c.do(200, "GET", c.secretURL("web", "actions", "public-key"), nil)
	r := c.do(403, "GET", c.secretURL("public", "actions", "public-key"), nil)
	if got := r.header.Get("X-Accepted-GitHub-Permissions"); got != "secrets=read" || !strings.Contains(r.body, "by personal access token") {
		t.Errorf("denied with %q, %s", got, r.body)
	}
	c.do(404, "GET", c.secretURL("private", "actions", "public-key"), nil)
}

// TestOrganizationDenies has the organization deny credentials without single
// sign-on and OAuth Apps.
func TestOrganizationDenies(t *testing.T) {
	t.Parallel()
	credentials := []sandbox.Credential{
		{Value: "sso", Kind: sandbox.Classic, NoSSO: true},
		{Value: "bare", Kind: sandbox.Classic, NoSSO: true, NoSSOHeader: true},
		{Value: "gho_x", Kind: sandbox.OAuth},
	}
	for _, forbidden := range []bool{false, true} {
		_, c := newWorld(t, sandbox.Options{Credentials: credentials, OAuthForbidden: forbidden})
		oauth := 200
		if forbidden {
			oauth = 403
		}
		for token, want := range map[string]struct {
			status          int
			header, message string
		}{
			"sso":   {403, "required; url=https://github.com/orgs/acme/sso?authorization_request=sandbox", "SAML enforcement"},
			"bare":  {403, "", "SAML enforcement"},
			"gho_x": {oauth, "", map[bool]string{true: "OAuth App access restrictions"}[forbidden]},
		} {
			c.githubToken = token
			for _, address := range []string{c.github + "/orgs/acme/repos", c.secretURL("web", "actions", "public-key")} {
				r := c.do(want.status, "GET", address, nil)
				if got := r.header.Get("X-GitHub-SSO"); got != want.header || !strings.Contains(r.body, want.message) {
					t.Errorf("%s: %q, %s", token, got, r.body)
				}
			}
		}
	}
}
