package diagnosis

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// The cases of a credential for GitHub.
const (
	WorkflowToken       ID = "workflow-token"
	GitHubTokenRejected ID = "github-token-rejected"
	TokenPermission     ID = "token-without-permission"
	TokenStore          ID = "token-without-the-permission-of-a-store"
	TokenOtherOwner     ID = "token-not-approved-or-of-another-owner"
	TokenScope          ID = "classic-token-without-repo"
	TokenPolicy         ID = "kind-of-token-forbidden"
	OAuthRestricted     ID = "oauth-app-not-approved"
	OtherPermission     ID = "another-permission-missing"
	SingleSignOn        ID = "single-sign-on-not-authorized"
	IPAllowList         ID = "ip-allow-list"
	GitHubOwner         ID = "owner-unknown-to-github"
	GitHubURL           ID = "github-api-url-is-not-the-api"
)

var githubCases = []Case{
	{
		ID: WorkflowToken, Input: "github-token", Exit: 2,
		Message:     "this is a workflow's GITHUB_TOKEN, or a token for one repository; it can't write the secrets of {organization}'s repositories",
		Hint:        "Create a fine-grained token for {organization} with Secrets: Read and write at {new-token}, store it as a secret, and pass that secret",
		CommandLine: "Create a fine-grained token for {organization} with Secrets: Read and write at {new-token}, and set {:github-token} to it",
		Details: "`GITHUB_TOKEN` can't write secrets, whatever its `permissions`, and can only access its own repository. " +
			"A token from `actions/create-github-app-token` without `owner` is limited in the same way: set `owner`, or pass the App's key to this action. " +
			"For the new token, choose *Resource owner*: the organization, and *Repository access*: *All repositories*.",
	},
	{
		ID: GitHubTokenRejected, Input: "github-token", Exit: 2,
		Message:     "GitHub rejects this token: it has expired, was revoked, or is incomplete",
		Hint:        "Regenerate it at {tokens} (a classic token at {classic-tokens}), and store the new value",
		CommandLine: "Regenerate it at {tokens} (a classic token at {classic-tokens}), and set {:github-token} to the new value",
		Details:     "GitHub's response had the status 401, twice.",
	},
	{
		ID: TokenPermission, Input: "github-token", Exit: 2,
		Message: "the token has no permission to write secrets of {organization}'s repositories",
		Hint: "Set Secrets to Read and write at {tokens}, or ask an owner of {organization} " +
			"to approve the token at {token-requests}",
		Details: "GitHub denied access to a public key or a secret, and named the permission. A permission that is added to an approved token has to be approved again. " +
			"Only a write shows that a token can read secrets but not write them. Tokens that were created for such a write are deleted immediately.",
	},
	{
		ID: TokenStore, Input: "github-token", Exit: 2,
		Message: "the token has no permission for the store {store} of {:secret-stores} ({permission})",
		Hint:    "Set {permission} to Read and write at {tokens}, or remove {store} from {:secret-stores}",
		Details: "Each store has its own permission. Codespaces requires write access even to read. " +
			"Stores that the token can access are written anyway; then the exit code is 1.",
	},
	{
		ID: TokenOtherOwner, Input: "github-token", Exit: 2,
		Message: "the token can see none of {organization}'s private repositories and can't write secrets: " +
			"{organization} has not approved it, or is not its resource owner",
		Hint: "Check its resource owner at {tokens}, and ask an owner of {organization} " +
			"to approve it at {token-requests}",
		Details: "A fine-grained token can only read public data until the organization approves it, or if another organization is its resource owner. " +
			"GitHub's responses are the same in both cases.",
	},
	{
		ID: TokenScope, Input: "github-token", Exit: 2,
		Message: "this classic token has no scope repo (its scopes: {found})",
		Hint:    "Select repo (Full control of private repositories) for the token at {classic-tokens}",
		Details: "GitHub lists the scopes of a classic token in each response. With single sign-on, authorize the token again after the change.",
	},
	{
		ID: TokenPolicy, Input: "github-token", Exit: 2,
		Message: "{organization} doesn't allow this kind of token",
		Hint:    "Use a GitHub App or an allowed kind of token; owners of {organization} change the policy at {token-policy}",
		Details: "An organization can forbid classic tokens, fine-grained tokens, or tokens with a long lifetime. GitHub's own message follows in parentheses.",
	},
	{
		ID: OAuthRestricted, Input: "github-token", Exit: 2,
		Message: "{organization} doesn't allow the OAuth App of this token, for example the GitHub CLI",
		Hint:    "Ask an owner of {organization} to approve the OAuth App at {oauth-policy}, or create a fine-grained token at {new-token}",
		Details: "`gh auth token` prints a token of the OAuth App *GitHub CLI*. Such tokens start with `gho_`.",
	},
	{
		ID: OtherPermission, Input: "github-token", Exit: 2,
		Message: "the credential has no permission {permission} in {organization}",
		Hint:    "Add it to the token at {tokens} or the App at {apps}, and have an owner of {organization} accept it",
		Details: "GitHub named a permission that belongs to none of the stores.",
	},
	{
		ID: SingleSignOn, Input: "github-token", Exit: 2,
		Message: "{organization} uses SAML single sign-on, and this token is not authorized for it",
		Hint:    "Choose Configure SSO next to the token at {classic-tokens}, then Authorize for {organization}",
		Details: "GitHub says so in the header `X-GitHub-SSO` or in its message. Fine-grained tokens and Apps don't need this step.",
	},
	{
		ID: IPAllowList, Input: "github-token", Exit: 2,
		Message:     "{organization} has an IP allow list that does not contain this machine's address",
		Hint:        "Use an allowed runner, or ask an owner to add the address: https://docs.github.com/organizations/keeping-your-organization-secure/managing-allowed-ip-addresses-for-your-organization",
		CommandLine: "Use a machine with an allowed address, or ask an owner to add this one's: https://docs.github.com/organizations/keeping-your-organization-secure/managing-allowed-ip-addresses-for-your-organization",
		Details:     "The addresses of GitHub-hosted runners change. Larger runners can have static addresses.",
	},
	{
		ID: GitHubOwner, Input: "organization", Exit: 2,
		Message: `GitHub has no organization or user "{organization}" that this token can see`,
		Hint:    "Copy the name from the address of the owner's page at {web}",
		Details: "The name is the one in the address of its page, not the display name.",
	},
	{
		ID: GitHubURL, Input: "github-api-url", Exit: 2,
		Message: "{address} is not the address of GitHub's API; it returns a web page",
		Hint:    "Use https://api.github.com, or https://HOST/api/v3 for an Enterprise Server: https://docs.github.com/rest/using-the-rest-api/getting-started-with-the-rest-api",
		Details: "It is the address of the web pages, and the response was not JSON.",
	},
}

// OwnerError returns why GitHub's owner could not be read.
func (s *Setup) OwnerError(err error) error {
	if wire.IsNotFound(err) && !asWire(err).Page {
		return &Problem{ID: GitHubOwner, Err: err}
	}
	return s.GitHubError(err)
}

// ScopeError returns the problem of a classic token without the scope repo; nil if
// it has it.
func (s *Setup) ScopeError(scopes []string) error {
	for _, scope := range scopes {
		if scope == "repo" {
			return nil
		}
	}
	return &Problem{TokenScope, Values{"found": cmp.Or(strings.Join(scopes, ", "), "none")}, nil}
}

// GitHubListError returns why GitHub's repositories could not be listed.
func (s *Setup) GitHubListError(err error) error {
	if wire.IsNotFound(err) && !asWire(err).Page {
		return &Problem{ID: TokenSeesNothing, Err: err}
	}
	return s.GitHubError(err)
}

// GitHubError returns why a request to GitHub failed.
func (s *Setup) GitHubError(err error) error {
	e := asWire(err)
	host := strings.ToLower(s.GitHubURL.Hostname())
	isAPI := strings.HasSuffix(s.GitHubURL.Path, "/api/v3") || strings.HasPrefix(host, "api.")
	switch {
	case e.Page && !isAPI:
		return &Problem{GitHubURL, Values{"address": s.GitHubURL.String()}, err}
	case !isRejected(err) || e.Page:
		return s.Unreachable(err, github.Name)
	}
	return s.Denial(err)
}

// Denial returns why GitHub rejects a credential, at the start or at a write.
func (s *Setup) Denial(err error) *Problem {
	e := asWire(err)
	permission, store := permissionOf(e)
	p := &Problem{TokenPermission, Values{"permission": permission, "store": string(store)}, err}
	switch {
	case e.SSO || github.IsSingleSignOn(err):
		p.ID = SingleSignOn
	case github.IsIPBlocked(err):
		p.ID = IPAllowList
	case github.IsOAuthRestricted(err):
		p.ID = OAuthRestricted
	case github.IsTokenKindForbidden(err):
		p.ID = TokenPolicy
	case s.Credential == App && wire.IsUnauthorized(err):
		p.ID = AppSuspended
	case s.Credential == App && store == "":
		p.ID = OtherPermission
	case s.Credential == App:
		p.ID = AppPermission
	case wire.IsUnauthorized(err):
		p.ID = GitHubTokenRejected
	case github.IsNotAdmin(err):
		p.ID = GitHubRole
	case s.Credential == InstallationToken:
		p.ID = WorkflowToken
	case store == "":
		p.ID = OtherPermission
	case store != rotation.StoreActions:
		p.ID = TokenStore
	case s.PrivateOnCodacy > 0 && s.PrivateOnGitHub == 0:
		p.ID = TokenOtherOwner
	}
	return p
}

// WritesDenied returns the problem of a run that GitHub's denials ended. Every says
// that each repository that was tried was denied.
func (s *Setup) WritesDenied(err *wire.Error, every bool) *Problem {
	p := s.Denial(err)
	p.Values["first"], p.Values["hidden"] = "the repositories", "each of them"
	tried := "GitHub denied several repositories in a row, so the run stopped"
	if every {
		tried = "GitHub denied access to every repository that was tried"
	}
	p.Err = fmt.Errorf("%s; GitHub requires %q: %w", tried, cmp.Or(err.Permission, "secrets=write"), err)
	return p
}

// permissionOf returns the permission that GitHub requires, as its pages name it if
// that is known, and the store that it belongs to: none for another permission.
// Where GitHub names no permission it is that of the actions store.
func permissionOf(e *wire.Error) (string, rotation.Store) {
	name, _, _ := strings.Cut(e.Permission, "=")
	for _, store := range rotation.Stores() {
		if p := store.Permission(); p.Name == name {
			return p.Page, store
		}
	}
	if name != "" {
		return name, ""
	}
	return rotation.StoreActions.Permission().Page, rotation.StoreActions
}
