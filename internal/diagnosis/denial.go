package diagnosis

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// CodacyError returns why the account token could not be verified.
func (s *Setup) CodacyError(err error) error {
	isAPI := strings.HasSuffix(s.CodacyAPIURL.Path, "/api/v3")
	switch e := asWire(err); {
	case (e.Page || e.Status == http.StatusNotFound) && !isAPI:
		return &Problem{CodacyURL, Values{"address": s.CodacyAPIURL.String()}, err}
	case !isRejected(err) || e.Page:
		return s.Unreachable(err, codacy.Name)
	}
	return s.AccountTokenError(err)
}

// isRejected reports whether the service rejected the request, as opposed to the
// action refusing to follow a redirect.
func isRejected(err error) bool {
	return wire.DispositionOf(err) == wire.Rejected && wire.StatusOf(err) != 0
}

// CodacyListError returns why Codacy's repositories could not be listed.
func (s *Setup) CodacyListError(err error) error {
	if isRejected(err) {
		return &Problem{ID: AccountTokenRejected, Err: err}
	}
	return s.Unreachable(err, codacy.Name)
}

// AccountTokenError returns why Codacy rejects the account token. "Token expired" has
// no status of its own, and the response for a revoked token may be 404.
func (s *Setup) AccountTokenError(err error) *Problem {
	p := &Problem{ID: AccountTokenRejected, Err: err}
	switch {
	case strings.Contains(asWire(err).Message, "expired"):
		p.ID = AccountTokenExpired
	case s.LooksLikeProjectToken:
		p.ID = ProjectToken
	}
	return p
}

// LooksLikeProjectToken reports whether a value has the form of a project token: 32
// hexadecimal digits, which account tokens are not.
func LooksLikeProjectToken(value string) bool {
	return len(value) == 32 && strings.Trim(value, "0123456789abcdef") == ""
}

// OrganizationError returns why Codacy does not know the organization. Spelled is
// its name as GitHub spells it, if that is known. Exists reports whether Codacy
// knows another organization.
func (s *Setup) OrganizationError(err error, spelled string, exists func(provider, organization string) bool) error {
	other := map[string]string{"gh": "ghe", "ghe": "gh"}[s.Provider]
	switch {
	case spelled != "" && spelled != s.Organization && exists(s.Provider, spelled):
		return &Problem{OrganizationCase, Values{"spelled": spelled}, err}
	case exists(other, s.Organization):
		return &Problem{Provider, Values{"other": other}, err}
	}
	return &Problem{ID: CodacyOrganization, Err: err}
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

// AppError returns which of the App's inputs is wrong, if one is.
func (s *Setup) AppError(err error) error {
	id := ID("")
	e := asWire(err)
	switch {
	case github.IsUnknownApp(err):
		id = AppUnknown
	case github.IsClockSkew(err):
		id = AppClock
	case wire.IsNotFound(err) && !e.Page:
		id = AppNotInstalled
	case wire.IsUnauthorized(err), errors.Is(err, github.ErrKey):
		id = AppKey
	case isRejected(err) && !e.Page:
		id = AppSuspended
	default:
		return s.GitHubError(err)
	}
	return &Problem{id, Values{"date": time.Now().UTC().Format(time.RFC3339)}, err}
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

// permissions names the stores' permissions as GitHub's pages and its API do.
// https://docs.github.com/rest/authentication/permissions-required-for-fine-grained-personal-access-tokens
var permissions = map[rotation.Store]struct{ page, api string }{
	rotation.StoreActions:    {"Secrets", "secrets"},
	rotation.StoreDependabot: {"Dependabot secrets", "dependabot_secrets"},
	rotation.StoreCodespaces: {"Codespaces secrets", "codespaces_secrets"},
	rotation.StoreAgents:     {"Agent secrets", "agent_secrets"},
}

// permissionOf returns the permission that GitHub requires, as its pages name it if
// that is known, and the store that it belongs to: none for another permission.
// Where GitHub names no permission it is that of the actions store.
func permissionOf(e *wire.Error) (string, rotation.Store) {
	name, _, _ := strings.Cut(e.Permission, "=")
	for store, p := range permissions {
		if p.api == name {
			return p.page, store
		}
	}
	if name != "" {
		return name, ""
	}
	return permissions[rotation.StoreActions].page, rotation.StoreActions
}

// MissingPermission returns the permission that the App's installation lacks; nil
// if it lacks none. Where GitHub doesn't list them, the first write shows it.
func (s *Setup) MissingPermission() *Problem {
	granted := s.Installation.Permissions
	for _, store := range s.Stores {
		if p := permissions[store]; len(granted) > 0 && granted[p.api] != "write" {
			return &Problem{AppPermission, Values{"permission": p.page, "store": string(store)}, nil}
		}
	}
	return nil
}

// Unreachable returns why there is no connection to a service, as far as that can
// be seen from here.
func (s *Setup) Unreachable(err error, service string) error {
	api, input := s.CodacyAPIURL, "codacy-api-url"
	if service == github.Name {
		api, input = s.GitHubURL, "github-api-url"
	}
	values := Values{"service": service, "host": api.Host, "address": api.String()}
	var dns *net.DNSError
	proxy := proxyFor(err, api)
	switch {
	case asWire(err).Page:
		return &Problem{WebPage, values, err}
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return &Problem{Certificate, values, err}
	case proxy != "":
		values["proxy"] = proxy
		return &Problem{Proxy, values, err}
	case errors.As(err, &dns) && dns.IsNotFound:
		return &Problem{HostUnknown, values, err}
	}
	return fmt.Errorf("%w; check that the service is up, and that %s is the address of its API", err, s.label(input))
}

// proxyFor names the proxy that kept a request from its service; empty if there
// wasn't one, or a response came through.
func proxyFor(err error, api *url.URL) string {
	var op *net.OpError
	switch proxy, _ := http.ProxyFromEnvironment(&http.Request{URL: api}); {
	case asWire(err).Status != 0:
		return ""
	case proxy != nil:
		return proxy.Host
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return "of this machine"
	}
	return ""
}
