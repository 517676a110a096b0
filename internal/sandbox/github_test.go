package sandbox_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/box"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

func TestSecrets(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{SecretName: "MY_SECRET"})
	w.Add(sandbox.Repository{Name: "Web"})
	c := newClient(t, w)
	added := c.create("Web", "my-secret-1")
	c.do(404, "GET", c.secretURL("web", "actions", "MY_SECRET"), nil)
	c.put(201, "wEB", "actions", "my_secret", added.Token)
	firstWrite := w.UpdatedAt("web", "actions", "MY_SECRET")
	w.Advance(time.Hour)
	c.put(204, "web", "actions", "MY_SECRET", added.Token)

	r := c.do(200, "GET", c.secretURL("web", "actions", "My_Secret"), nil)
	s := decode[struct {
		Name    string
		Created time.Time `json:"created_at"`
		Updated time.Time `json:"updated_at"`
	}](t, r)
	if s.Name != "MY_SECRET" || !s.Created.Equal(firstWrite) || s.Updated.Sub(firstWrite).Round(time.Minute) != time.Hour || strings.Contains(r.body, ".") {
		t.Errorf("the secret is %s", r.body)
	}
	c.do(404, "GET", c.secretURL("web", "dependabot", "MY_SECRET"), nil)
	list := func(store string) string {
		return c.do(200, "GET", strings.TrimSuffix(c.secretURL("web", store, ""), "/"), nil).body
	}
	if got := list("actions"); !strings.Contains(got, `"total_count":1`) || !strings.Contains(got, "MY_SECRET") {
		t.Errorf("the list is %s", got)
	}
	w.Check(t)
	c.do(204, "DELETE", c.secretURL("web", "actions", "my_secret"), nil)
	c.do(404, "DELETE", c.secretURL("web", "actions", "my_secret"), nil)
	if got := list("actions"); !strings.Contains(got, `"total_count":0`) {
		t.Errorf("the list is %s", got)
	}
	w.SetSecret("web", "codespaces", "OTHER", "manual")
	if value, ok := w.Secret("web", "codespaces", "other"); !ok || value != "manual" {
		t.Errorf("the secret is %q, %v", value, ok)
	}
	w.DeleteSecret("web", "codespaces", "OTHER")
	if _, ok := w.Secret("web", "codespaces", "OTHER"); ok || !w.UpdatedAt("web", "codespaces", "OTHER").IsZero() {
		t.Error("the secret is still there")
	}
	w.Check(t)
}

// TestBadPuts has each rejected with 422, and nothing stored.
func TestBadPuts(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{})
	w.Add(sandbox.Repository{Name: "web"})
	w.Add(sandbox.Repository{Name: "app"})
	c := newClient(t, w)
	good := c.seal("web", "actions", "value")
	changed := func(key, value string) map[string]string {
		return map[string]string{"key_id": good["key_id"], "encrypted_value": good["encrypted_value"], key: value}
	}
	raw, err := base64.StdEncoding.DecodeString(good["encrypted_value"])
	if err != nil {
		t.Fatal(err)
	}
	spoiled := append([]byte(nil), raw...)
	spoiled[len(spoiled)-1] ^= 1
	short, err := box.SealAnonymous(nil, []byte("x"), new([32]byte), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	old := c.seal("web", "dependabot", "value")
	w.RotateKey("web", "dependabot")
	for name, test := range map[string]struct {
		store, secret string
		body          map[string]string
	}{
		"wrong key id":         {"actions", secretName, changed("key_id", "1")},
		"other repository":     {"actions", secretName, c.seal("app", "actions", "value")},
		"other store":          {"actions", secretName, c.seal("web", "agents", "value")},
		"other key, right id":  {"actions", secretName, changed("encrypted_value", c.seal("app", "actions", "value")["encrypted_value"])},
		"rotated key":          {"dependabot", secretName, old},
		"spoiled box":          {"actions", secretName, changed("encrypted_value", base64.StdEncoding.EncodeToString(spoiled))},
		"sealed for zeros":     {"actions", secretName, changed("encrypted_value", base64.StdEncoding.EncodeToString(short))},
		"not sealed":           {"actions", secretName, changed("encrypted_value", base64.StdEncoding.EncodeToString([]byte("value")))},
		"no base64":            {"actions", secretName, changed("encrypted_value", "%")},
		"no padding":           {"actions", secretName, changed("encrypted_value", strings.TrimRight(base64.StdEncoding.EncodeToString(append(raw, 0)), "="))},
		"URL's base64":         {"actions", secretName, changed("encrypted_value", "-_"+good["encrypted_value"][2:])},
		"nothing":              {"actions", secretName, changed("encrypted_value", "")},
		"too large":            {"actions", secretName, c.seal("web", "actions", strings.Repeat("x", 48<<10+1))},
		"starts with GITHUB_":  {"actions", "GitHub_TOKEN", good},
		"starts with a number": {"actions", "1A", good},
		"dash":                 {"actions", "A-B", good},
	} {
		r := c.do(422, "PUT", c.secretURL("web", test.store, test.secret), test.body)
		if e := decode[struct{ Message, Status string }](t, r); e.Message == "" || e.Status != "422" {
			t.Errorf("%s: %s", name, r.body)
		}
		if _, ok := w.Secret("web", test.store, test.secret); ok {
			t.Errorf("%s: it was stored", name)
		}
	}
	w.Check(t)
	for i := range 100 {
		w.SetSecret("web", "actions", fmt.Sprintf("S%d", i), "")
	}
	c.do(422, "PUT", c.secretURL("web", "actions", secretName), good)
	w.DeleteSecret("web", "actions", "S1")
	c.put(201, "web", "actions", secretName, w.AddToken("web", sandbox.Token{}).Value)
	w.Check(t)
}

// TestKeys are one for each store of each repository, the same in every world.
func TestKeys(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{}
	for range 2 {
		w := sandbox.New(sandbox.Options{NumericKeyIDs: true})
		w.Add(sandbox.Repository{Name: "web"})
		w.Add(sandbox.Repository{Name: "app"})
		c := newClient(t, w)
		for _, repo := range []string{"web", "app"} {
			for _, store := range sandbox.Stores() {
				r := c.do(200, "GET", c.secretURL(repo, store, "public-key"), nil)
				keys[r.body] = true
				var id struct {
					KeyID int64 `json:"key_id"`
				}
				if err := json.Unmarshal([]byte(r.body), &id); err != nil || id.KeyID <= 1<<53 || int64(float64(id.KeyID)) == id.KeyID {
					t.Errorf("the id of %s is no large number: %v", r.body, err)
				}
			}
		}
		c.put(201, "web", "actions", secretName, w.AddToken("web", sandbox.Token{}).Value)
		w.Check(t)
	}
	if len(keys) != 8 {
		t.Errorf("%d keys, want 8", len(keys))
	}
}

// TestCredentials has each kind do what it may, and be denied as GitHub does.
func TestCredentials(t *testing.T) {
	t.Parallel()
	expires := time.Date(2199, 12, 31, 9, 0, 0, 0, time.UTC)
	w := sandbox.New(sandbox.Options{Credentials: []sandbox.Credential{
		{Value: "fine", Kind: sandbox.FineGrained, Access: map[string]sandbox.Access{"actions": sandbox.Write, "dependabot": sandbox.Read}, Expires: expires},
		{Value: "workflow", Kind: sandbox.Workflow, Repositories: []string{"web"}},
		{Value: "reader", Kind: sandbox.Classic, Access: map[string]sandbox.Access{"actions": sandbox.Read}},
		{Value: "few", Kind: sandbox.Installation, Repositories: []string{"WEB", "hidden"}},
		{Value: "old", Kind: sandbox.Classic, Expires: time.Unix(1, 0)},
	}})
	w.Add(sandbox.Repository{Name: "web"})
	w.Add(sandbox.Repository{Name: "app"})
	w.Add(sandbox.Repository{Name: "hidden", Hidden: true})
	c := newClient(t, w)
	value := w.AddToken("web", sandbox.Token{}).Value
	rejected := func(credential, method, store string, body any, message, permission string) {
		t.Helper()
		c.githubToken = credential
		r := c.do(403, method, c.secretURL("web", store, secretName), body)
		if got := r.header.Get("X-Accepted-GitHub-Permissions"); !strings.Contains(r.body, message) || got != permission {
			t.Errorf("%s: %s with %q, want %q with %q", credential, r.body, got, message, permission)
		}
	}
	c.githubToken = "fine"
	sealed := c.seal("web", "dependabot", value)
	c.put(201, "web", "actions", secretName, value)
	if got := c.do(200, "GET", c.github+"/user", nil).header.Get("github-authentication-token-expiration"); got != "2199-12-31 09:00:00 UTC" {
		t.Errorf("the expiry is reported as %q", got)
	}
	personal, integration := "Resource not accessible by personal access token", "Resource not accessible by integration"
	rejected("fine", "PUT", "dependabot", sealed, personal, "dependabot_secrets=write")
	rejected("fine", "GET", "codespaces", nil, personal, "codespaces_secrets=write")
	rejected("workflow", "PUT", "actions", sealed, integration, "secrets=write")
	rejected("reader", "PUT", "actions", sealed, "Must have admin rights to Repository.", "")

	c.githubToken = "few"
	c.put(204, "web", "actions", secretName, value)
	c.do(404, "GET", c.secretURL("app", "actions", "public-key"), nil)
	c.do(403, "GET", c.github+"/user", nil)
	c.do(403, "GET", c.github+"/user/repos?affiliation=owner", nil)
	r := c.do(200, "GET", c.github+"/installation/repositories?per_page=1", nil)
	if got := decode[struct {
		Total        int `json:"total_count"`
		Repositories []struct{ Name string }
	}](t, r); got.Total != 2 || len(got.Repositories) != 1 || got.Repositories[0].Name != "hidden" || next(r, "next") == "" {
		t.Errorf("the installation has %+v", got)
	}
	c.githubToken = "fine"
	c.do(403, "GET", c.github+"/installation/repositories", nil)

	for _, credential := range []string{"old", "unknown", ""} {
		c.githubToken = credential
		if r := c.do(401, "GET", c.github+"/user", nil); !strings.Contains(r.body, "Bad credentials") {
			t.Errorf("%q: %s", credential, r.body)
		}
	}
	c.githubToken = "fine"
	w.Revoke("fine")
	c.do(401, "GET", c.github+"/user", nil)
	w.Check(t)
}

// TestOwners distinguishes organizations from users.
func TestOwners(t *testing.T) {
	t.Parallel()
	for ownerType, organization := range map[string]int{"Organization": 200, "User": 404} {
		w := sandbox.New(sandbox.Options{Organization: "octo", OwnerType: ownerType})
		w.Add(sandbox.Repository{Name: "web", Private: true})
		w.Add(sandbox.Repository{Name: "app"})
		w.Add(sandbox.Repository{Name: "foreign", Owner: "octopus"})
		c := newClient(t, w)
		count := func(path string) int {
			return len(decode[[]struct{ Name string }](t, c.do(200, "GET", c.github+path, nil)))
		}
		if got := decode[struct{ Type, Login string }](t, c.do(200, "GET", c.github+"/users/OCTO", nil)); got.Type != ownerType || got.Login != "octo" {
			t.Errorf("the owner is %+v", got)
		}
		c.do(404, "GET", c.github+"/users/unknown", nil)
		c.do(organization, "GET", c.github+"/orgs/octo/repos", nil)
		c.do(404, "GET", c.github+"/orgs/octopus/repos", nil)
		if got := count("/users/octo/repos"); got != 1 {
			t.Errorf("%d public repositories, want 1", got)
		}
		if got := count("/user/repos"); got != 3 {
			t.Errorf("%d repositories, want 3", got)
		}
		login := decode[struct{ Login string }](t, c.do(200, "GET", c.github+"/user", nil)).Login
		want := map[string]int{"octo": 2, "octocat": 0}[login]
		if got := count("/user/repos?affiliation=owner"); got != want {
			t.Errorf("%s owns %d repositories, want %d", login, got, want)
		}
		c.do(200, "GET", c.github+"/repos/octopus/foreign/actions/secrets/public-key", nil)
		w.Check(t)
	}
}
