package sandbox

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// CredentialKind is the kind of a GitHub credential.
type CredentialKind string

// The kinds of credentials.
const (
	Classic      CredentialKind = "classic"      // a personal access token with the scope repo
	OAuth        CredentialKind = "oauth"        // an OAuth App's token with the scope repo, as gh auth token prints it
	FineGrained  CredentialKind = "fine-grained" // a personal access token
	Installation CredentialKind = "installation" // of a GitHub App
	Workflow     CredentialKind = "workflow"     // GITHUB_TOKEN: it can't write secrets
)

// Access is what a credential may do with the secrets of a store.
type Access string

// The levels of access; the zero value means no access.
const (
	Read  Access = "read"
	Write Access = "write"
)

// Credential is a token that GitHub accepts.
type Credential struct {
	Value         string
	Kind          CredentialKind
	Login         string            // its owner; "octocat" by default, or the repositories' owner if that is a user
	Access        map[string]Access // by store; nil: Write to each, or none for a Workflow
	Repositories  []string          // the names of the visible repositories; nil: all
	Selected      []string          // of a FineGrained one for selected repositories: other public ones are visible too, but their secrets are denied; nil: all
	Expires       time.Time         // zero if never
	Scopes        []string          // of a Classic or OAuth one; nil: repo
	PublicOnly    bool              // a FineGrained one that is not approved or belongs to another owner: it sees public repositories and may write nothing
	NoSSO         bool              // a Classic one that is not authorized for the organization's single sign-on
	NoSSOHeader   bool              // undocumented: GitHub's denial for NoSSO has no X-GitHub-SSO header
	UnknownFor    time.Duration     // undocumented: how long GitHub does not know the credential after it was added
	UnknownStatus int               // undocumented: the status until then, 401 (default) or 403
	Manual        bool              // a person's: what it writes counts as a manual change
}

// credential is a Credential with its repositories as sets.
type credential struct {
	Credential
	sees     map[string]bool // "owner/name" in lower case; nil: all
	selected map[string]bool // of Selected; nil: all
	knownAt  time.Time       // true time
	app      *App            // whose installation token it is, if the sandbox issued it
	narrowed bool            // its repositories were named when it was issued
}

// permissions are GitHub's names for the permission of each store.
var permissions = [len(storeNames)]string{"secrets", "dependabot_secrets", "codespaces_secrets", "agent_secrets"}

// AddCredential makes GitHub accept a credential. It replaces an older one with
// the same value.
func (w *World) AddCredential(c Credential) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addCredential(c)
}

func (w *World) addCredential(c Credential) *credential {
	if c.Login == "" {
		c.Login = "octocat"
		if w.options.OwnerType == "User" {
			c.Login = w.options.Organization
		}
	}
	x := &credential{
		Credential: c, sees: w.nameSet(c.Repositories), selected: w.nameSet(c.Selected), knownAt: w.time().Add(c.UnknownFor),
	}
	w.credentials[c.Value] = x
	w.everCredentials = append(w.everCredentials, c.Value)
	return x
}

// nameSet returns names as a set of "owner/name" in lower case; nil stays nil.
func (w *World) nameSet(names []string) map[string]bool {
	if names == nil {
		return nil
	}
	set := map[string]bool{}
	for _, name := range names {
		if !strings.Contains(name, "/") {
			name = w.options.Organization + "/" + name
		}
		set[strings.ToLower(name)] = true
	}
	return set
}

// SetAccess changes what a credential may do, by store; nil is Write to each.
func (w *World) SetAccess(value string, access map[string]Access) {
	w.mu.Lock()
	defer w.mu.Unlock()
	x := w.credentials[value]
	if x == nil {
		panic("sandbox: GitHub does not know this credential")
	}
	x.Access = access
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

// bearer returns the credential that a request to GitHub carries.
func (c *call) bearer() string {
	scheme, value, _ := strings.Cut(c.header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") && !strings.EqualFold(scheme, "token") {
		return ""
	}
	return value
}

// authenticate rejects a request to GitHub without a valid credential. Codacy's
// operations check theirs themselves, because some require none.
func (w *World) authenticate(c *call) *response {
	if c.Service == Codacy {
		return nil
	}
	if c.Kind == KindInstallation || c.Kind == KindAccessToken {
		return w.authenticateApp(c)
	}
	x := w.credentials[c.bearer()]
	unknown := x != nil && w.time().Before(x.knownAt)
	if x == nil || !x.Expires.IsZero() && !w.now(GitHub).Before(x.Expires) || unknown && x.UnknownStatus != http.StatusForbidden {
		a := githubError(http.StatusUnauthorized, "Bad credentials")
		return &a
	}
	if unknown {
		a := x.notAccessible()
		return &a
	}
	if x.app != nil && w.suspended() {
		a := suspendedInstallation()
		return &a
	}
	c.credential = x
	return nil
}

// seesRepository reports whether a repository is visible to a credential.
func (x *credential) seesRepository(repo *repository) bool {
	if repo.NotOnGitHub {
		return false
	}
	if repo.Private && (x.PublicOnly || x.isPersonal() && !slices.Contains(x.scopes(), "repo")) {
		return false
	}
	if x.selected != nil && repo.Private && !x.selected[lower(repo.Owner, repo.Name)] {
		return false
	}
	if x.sees == nil {
		return !repo.Hidden
	}
	return x.sees[lower(repo.Owner, repo.Name)]
}

// isPersonal reports whether a credential has scopes.
func (x *credential) isPersonal() bool { return x.Kind == Classic || x.Kind == OAuth }

// scopes returns the scopes of a Classic or OAuth credential.
func (x *credential) scopes() []string {
	if x.Scopes == nil {
		return []string{"repo"}
	}
	return x.Scopes
}

// denied denies a credential that the organization itself does not accept: it
// was not authorized for single sign-on, or belongs to a restricted OAuth App.
// https://docs.github.com/rest/authentication/authenticating-to-the-rest-api
// https://docs.github.com/organizations/managing-oauth-access-to-your-organizations-data
func (w *World) denied(x *credential, organization string) *response {
	var a response
	switch {
	case x.NoSSO:
		a = githubError(http.StatusForbidden, "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.")
		if !x.NoSSOHeader {
			a.set("X-Github-Sso", "required; url=https://github.com/orgs/"+organization+"/sso?authorization_request=sandbox")
		}
	case x.Kind == OAuth && w.options.OAuthForbidden:
		a = githubError(http.StatusForbidden, "Although you appear to have the correct authorization credentials, the `"+organization+
			"` organization has enabled OAuth App access restrictions, meaning that data access to third-parties is limited. "+
			"For more information on these restrictions, including how to enable this app, visit "+
			"https://docs.github.com/articles/restricting-access-to-your-organization-s-data/")
	default:
		return nil
	}
	return &a
}

// may denies a request for which a credential lacks the permission. Codespaces
// secrets need write access even to be read.
// https://docs.github.com/rest/codespaces/repository-secrets
func (x *credential) may(store int, access Access) *response {
	if storeNames[store] == "codespaces" {
		access = Write
	}
	has := Write
	if x.Access != nil {
		has = x.Access[storeNames[store]]
	} else if x.Kind == Workflow || x.PublicOnly || x.isPersonal() && !slices.Contains(x.scopes(), "repo") {
		has = ""
	}
	if x.app != nil && x.app.Access != nil {
		has = lowest(has, x.app.Access[storeNames[store]])
	}
	if has == Write || has == access {
		return nil
	}
	a := x.lacks(store, access)
	return &a
}

// lowest returns the lower of two levels of access.
func lowest(a, b Access) Access {
	if a == "" || b == Write {
		return a
	}
	if b == "" || a == Write {
		return b
	}
	return Read
}

// lacks is GitHub's response if the permission for a store is missing, with its name.
func (x *credential) lacks(store int, access Access) response {
	a := x.notAccessible()
	if !x.isPersonal() {
		a.set("X-Accepted-GitHub-Permissions", permissions[store]+"="+string(access))
	}
	return a
}

// notAccessible is GitHub's response if a permission is missing.
func (x *credential) notAccessible() response {
	switch x.Kind {
	case Classic, OAuth:
		return githubError(http.StatusForbidden, "Must have admin rights to Repository.")
	case FineGrained:
		return githubError(http.StatusForbidden, "Resource not accessible by personal access token")
	}
	return githubError(http.StatusForbidden, "Resource not accessible by integration")
}

// isApp reports whether a credential belongs to an App instead of a person.
func (x *credential) isApp() bool { return x.Kind == Installation || x.Kind == Workflow }
