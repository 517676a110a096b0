package sandbox

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// CredentialKind is what sort of GitHub credential it is.
type CredentialKind string

// The kinds of credentials.
const (
	Classic      CredentialKind = "classic"      // a personal access token with the scope repo
	FineGrained  CredentialKind = "fine-grained" // a personal access token
	Installation CredentialKind = "installation" // of a GitHub App
	Workflow     CredentialKind = "workflow"     // GITHUB_TOKEN: it may write no secret
)

// Access is what a credential may do with the secrets of a store.
type Access string

// The degrees of access; the zero value is none.
const (
	Read  Access = "read"
	Write Access = "write"
)

// Credential is a token that GitHub accepts.
type Credential struct {
	Value        string
	Kind         CredentialKind
	Login        string            // whose it is; "octocat" by default, or the owner where that is a user
	Access       map[string]Access // by store; nil: Write to each, or none for a Workflow
	Repositories []string          // the names of those that it sees; nil: all
	Expires      time.Time         // zero: never
	Scopes       []string          // of a Classic one; nil: repo
	PublicOnly   bool              // a FineGrained one that is not approved, or another owner's: it sees what is public, and may write nothing
	NoSSO        bool              // a Classic one that is not authorized for the organization's single sign-on
}

// credential is a Credential with its repositories as a set.
type credential struct {
	Credential
	sees map[string]bool // "owner/name" in lower case; nil: all
}

// permissions are GitHub's names for the right to each store.
var permissions = [len(storeNames)]string{"secrets", "dependabot_secrets", "codespaces_secrets", "agent_secrets"}

// AddCredential makes GitHub accept a credential, in place of an older one with
// the same value.
func (w *World) AddCredential(c Credential) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addCredential(c)
}

func (w *World) addCredential(c Credential) {
	if c.Login == "" {
		c.Login = "octocat"
		if w.options.OwnerType == "User" {
			c.Login = w.options.Organization
		}
	}
	x := &credential{Credential: c}
	if c.Repositories != nil {
		x.sees = map[string]bool{}
		for _, name := range c.Repositories {
			if !strings.Contains(name, "/") {
				name = w.options.Organization + "/" + name
			}
			x.sees[strings.ToLower(name)] = true
		}
	}
	w.credentials[c.Value] = x
	w.everCredentials = append(w.everCredentials, c.Value)
}

// Revoke makes a credential of either service invalid from now on.
func (w *World) Revoke(value string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.credentials, value)
	if w.accounts[value] {
		w.accounts[value] = false
	}
}

// bearer is the credential that a request to GitHub brings.
func (c *call) bearer() string {
	scheme, value, _ := strings.Cut(c.header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") && !strings.EqualFold(scheme, "token") {
		return ""
	}
	return value
}

// authenticate refuses a request that no valid credential came with. Codacy's
// operations see to that themselves: some need none.
func (w *World) authenticate(c *call) *response {
	if c.Service == Codacy {
		return nil
	}
	if c.Kind == KindInstallation || c.Kind == KindAccessToken {
		return w.authenticateApp(c)
	}
	c.credential = w.credentials[c.bearer()]
	if x := c.credential; x == nil || !x.Expires.IsZero() && !w.now(GitHub).Before(x.Expires) {
		c.credential = nil
		a := githubError(http.StatusUnauthorized, "Bad credentials")
		return &a
	}
	return nil
}

// sees tells whether a credential knows of a repository.
func (x *credential) seesRepository(repo *repository) bool {
	if repo.NotOnGitHub {
		return false
	}
	if repo.Private && (x.PublicOnly || x.Kind == Classic && !slices.Contains(x.scopes(), "repo")) {
		return false
	}
	if x.sees == nil {
		return !repo.Hidden
	}
	return x.sees[lower(repo.Owner, repo.Name)]
}

// scopes are those of a classic token.
func (x *credential) scopes() []string {
	if x.Scopes == nil {
		return []string{"repo"}
	}
	return x.Scopes
}

// unauthorized refuses what belongs to the organization to a token that was not
// authorized for its single sign-on.
// https://docs.github.com/rest/authentication/authenticating-to-the-rest-api
func (x *credential) unauthorized(organization string) *response {
	if !x.NoSSO {
		return nil
	}
	a := githubError(http.StatusForbidden, "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.")
	a.set("X-Github-Sso", "required; url=https://github.com/orgs/"+organization+"/sso?authorization_request=sandbox")
	return &a
}

// may refuses what a credential has no right to, and names the right.
func (x *credential) may(store int, access Access) *response {
	has := Write
	if x.Access != nil {
		has = x.Access[storeNames[store]]
	} else if x.Kind == Workflow || x.PublicOnly || x.Kind == Classic && !slices.Contains(x.scopes(), "repo") {
		has = ""
	}
	if has == Write || has == access {
		return nil
	}
	a := x.notAccessible()
	if x.Kind != Classic {
		a.set("X-Accepted-GitHub-Permissions", permissions[store]+"="+string(access))
	}
	return &a
}

// notAccessible is the refusal for want of a right.
func (x *credential) notAccessible() response {
	switch x.Kind {
	case Classic:
		return githubError(http.StatusForbidden, "Must have admin rights to Repository.")
	case FineGrained:
		return githubError(http.StatusForbidden, "Resource not accessible by personal access token")
	}
	return githubError(http.StatusForbidden, "Resource not accessible by integration")
}

// isApp tells whether a credential is no person's.
func (x *credential) isApp() bool { return x.Kind == Installation || x.Kind == Workflow }
