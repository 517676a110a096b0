package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/diagnosis"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// problem is a failure at the start whose case is known.
type Problem struct {
	id     diagnosis.ID
	values diagnosis.Values // beside those that every case may use
	err    error            // what the service said; nil if nothing
}

func (p *Problem) Error() string { return string(p.id) }

func (p *Problem) Unwrap() error { return p.err }

// lines are the two lines of a case, the second one what to do.
func (s *session) render(p *Problem) (what, do string) {
	values := diagnosis.Values{
		"organization": s.Organization, "provider": s.Provider, "app": s.GitHubAppID,
		"web": GitHubWeb(s.GitHubAPIURL), "codacy": CodacyWeb(s.CodacyAPIURL),
		"settings":     GitHubWeb(s.GitHubAPIURL) + "/settings/apps",
		"installation": fmt.Sprintf("%s/organizations/%s/settings/installations", GitHubWeb(s.GitHubAPIURL), s.Organization),
		"repository":   s.cmd.Getenv("GITHUB_REPOSITORY"),
	}
	if s.app != nil && s.app.Installation().Page != "" {
		values["installation"] = s.app.Installation().Page
	}
	maps.Copy(values, p.values)
	what, do = diagnosis.Render(p.id, s.label, values)
	if p.err != nil {
		what += " (" + p.err.Error() + ")"
	}
	return what, do
}

// label names the input that a case is about. What is said of the token counts
// for an App's, too.
func (s *session) label(input string) string {
	if input == "github-token" {
		return s.gitHubInput()
	}
	return s.Label(input)
}

// fail tells an error that ends the run at its start, and returns the exit code.
func (s *session) failStart(err error) int {
	var p *Problem
	if !errors.As(err, &p) {
		s.rep.Error(err.Error(), "")
		return ExitFailed
	}
	s.rep.Error(s.render(p))
	return diagnosis.Lookup(p.id).Exit
}

// codacyWeb is Codacy's web address that belongs to an API's.
func CodacyWeb(api *url.URL) string {
	if !SelfHosted(api) {
		return "https://app.codacy.com"
	}
	return api.Scheme + "://" + api.Host
}

// noCodacy tells why the account token could not be proved.
func (s *session) CodacyError(err error) error {
	isAPI := strings.HasSuffix(s.CodacyAPIURL.Path, "/api/v3")
	switch e := asWire(err); {
	case (e.Page || e.Status == http.StatusNotFound) && !isAPI:
		return &Problem{diagnosis.CodacyURL, diagnosis.Values{"address": s.CodacyAPIURL.String()}, err}
	case !isRejected(err) || e.Page:
		return s.unreachable(err, s.CodacyAPIURL, "codacy-api-url")
	}
	return &Problem{s.accountToken(err), nil, err}
}

// refused tells what the service itself refused, from a redirect that we did.
func isRejected(err error) bool {
	return wire.DispositionOf(err) == wire.Rejected && wire.StatusOf(err) != 0
}

// accountToken tells why Codacy refuses the account token: "token expired" has
// no code of its own. A dead one may be answered by a 404, too.
func (s *session) accountToken(err error) diagnosis.ID {
	switch {
	case strings.Contains(asWire(err).Message, "expired"):
		return diagnosis.AccountTokenExpired
	case looksLikeProjectToken(s.CodacyAPIToken.Reveal()): // for its form alone
		return diagnosis.ProjectToken
	}
	return diagnosis.AccountTokenRefused
}

// looksLikeProjectToken: 32 hexadecimal digits, which account tokens are not.
func looksLikeProjectToken(value string) bool {
	return len(value) == 32 && strings.Trim(value, "0123456789abcdef") == ""
}

// noOrganization tells why Codacy does not know the organization, by asking for
// what it may be meant by.
func (s *session) OrganizationError(ctx context.Context, err error, spelled string) error {
	other := map[string]string{"gh": "ghe", "ghe": "gh"}[s.Provider]
	switch {
	case spelled != "" && spelled != s.Organization && s.codacy.OrganizationExists(ctx, s.Provider, spelled):
		return &Problem{diagnosis.OrganizationCase, diagnosis.Values{"spelled": spelled}, err}
	case s.codacy.OrganizationExists(ctx, other, s.Organization):
		return &Problem{diagnosis.Provider, diagnosis.Values{"other": other}, err}
	}
	return &Problem{diagnosis.CodacyOrganization, nil, err}
}

// noGitHub tells why GitHub's side could not be listed.
func (s *session) GitHubError(err error) error {
	e := asWire(err)
	host := strings.ToLower(s.GitHubAPIURL.Hostname())
	isAPI := strings.HasSuffix(s.GitHubAPIURL.Path, "/api/v3") || strings.HasPrefix(host, "api.")
	switch {
	case e.Page && !isAPI:
		return &Problem{diagnosis.GitHubURL, diagnosis.Values{"address": s.GitHubAPIURL.String()}, err}
	case !isRejected(err) || e.Page:
		return s.unreachable(err, s.GitHubAPIURL, "github-api-url")
	}
	id, values := s.Denial(err)
	return &Problem{id, values, err}
}

// noApp tells which of the App's inputs is at fault, if one is.
func (s *session) AppError(err error) error {
	id := diagnosis.ID("")
	e := asWire(err)
	switch {
	case github.IsUnknownApp(err):
		id = diagnosis.AppUnknown
	case github.IsClockSkew(err):
		id = diagnosis.AppClock
	case wire.IsNotFound(err) && !e.Page:
		id = diagnosis.AppNotInstalled
	case wire.IsUnauthorized(err), errors.Is(err, github.ErrKey):
		id = diagnosis.AppKey
	case e.Disposition == wire.Rejected && e.Status != 0 && !e.Page:
		id = diagnosis.AppSuspended
	default:
		return s.GitHubError(err)
	}
	return &Problem{id, diagnosis.Values{"date": time.Now().UTC().Format(time.RFC3339)}, err}
}

// refusal tells why GitHub refuses a credential, at the start or a write.
func (s *session) Denial(err error) (diagnosis.ID, diagnosis.Values) {
	e := asWire(err)
	permission, store := s.permission(e)
	values := diagnosis.Values{"permission": permission, "store": string(store)}
	switch {
	case e.SSO:
		return diagnosis.SingleSignOn, values
	case github.IsIPBlocked(err):
		return diagnosis.IPAllowList, values
	case github.IsTokenKindForbidden(err):
		return diagnosis.TokenPolicy, values
	case s.app != nil && wire.IsUnauthorized(err):
		return diagnosis.AppSuspended, values
	case s.app != nil:
		return diagnosis.AppPermission, values
	case wire.IsUnauthorized(err):
		return diagnosis.GitHubTokenRefused, values
	case github.IsNotAdmin(err):
		return diagnosis.GitHubRole, values
	case s.isInstallationToken():
		return diagnosis.WorkflowToken, values
	case store != rotation.StoreActions:
		return diagnosis.TokenStore, values
	case s.private.onCodacy > 0 && s.private.onGitHub == 0:
		return diagnosis.TokenOtherOwner, values
	}
	return diagnosis.TokenPermission, values
}

// permissions are the stores' in the words of GitHub's pages, and in its API's.
var permissions = map[rotation.Store]struct{ page, api string }{
	rotation.StoreActions:    {"Secrets", "secrets"},
	rotation.StoreDependabot: {"Dependabot secrets", "dependabot_secrets"},
	rotation.StoreCodespaces: {"Codespaces secrets", "codespaces_secrets"},
}

// permission is the one that GitHub would have wanted, in the words of its pages
// where they are known, and the store that it is for.
func (s *session) permission(e *wire.Error) (string, rotation.Store) {
	name, _, _ := strings.Cut(e.Permission, "=")
	for store, p := range permissions {
		if p.api == name {
			return p.page, store
		}
	}
	if name != "" {
		return name, rotation.StoreAgents
	}
	return permissions[rotation.StoreActions].page, rotation.StoreActions
}

// isInstallationToken: one that begins with ghs_, given as the token.
func (s *session) isInstallationToken() bool {
	return s.app == nil && strings.HasPrefix(s.GitHubToken.Reveal(), "ghs_") // for its kind alone
}

// unreachable tells why a service can't be had, as far as this end can see.
func (s *session) unreachable(err error, api *url.URL, input string) error {
	service := asWire(err).Service
	values := diagnosis.Values{"service": service, "host": api.Host, "address": api.String()}
	var dns *net.DNSError
	proxy := proxyFor(err, api)
	switch {
	case asWire(err).Page:
		return &Problem{diagnosis.WebPage, values, err}
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return &Problem{diagnosis.Certificate, values, err}
	case proxy != "":
		values["proxy"] = proxy
		return &Problem{diagnosis.Proxy, values, err}
	case errors.As(err, &dns) && dns.IsNotFound:
		return &Problem{diagnosis.HostUnknown, values, err}
	}
	return fmt.Errorf("%w; is the service up, and %s its API's address?", err, s.Label(input))
}

// proxyFor names the proxy that kept a request from its service; empty if there
// was none, or an answer came through.
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

// asWire is err as a *wire.Error, a zero one where it is none.
func asWire(err error) *wire.Error {
	var e *wire.Error
	if errors.As(err, &e) {
		return e
	}
	return &wire.Error{}
}

// missing is the permission that the App's installation lacks, nil for none.
// Where GitHub doesn't list them, or not by a known name, the first write tells.
func (s *session) MissingPermission() *Problem {
	granted := s.app.Installation().Permissions
	for _, store := range s.SecretStores {
		p, known := permissions[store]
		if known && len(granted) > 0 && granted[p.api] != "write" {
			return &Problem{diagnosis.AppPermission, diagnosis.Values{"permission": p.page, "store": string(store)}, nil}
		}
	}
	return nil
}
