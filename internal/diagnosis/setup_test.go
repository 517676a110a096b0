package diagnosis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/config"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/match"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

func address(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// newSetup returns the setup of a run with a personal token.
func newSetup(t *testing.T) *Setup {
	t.Helper()
	return &Setup{
		Organization: "acme", Provider: "gh", Stores: []rotation.Store{rotation.StoreActions},
		CodacyAPIURL: address(t, "https://codacy.test/api/v3"), GitHubURL: address(t, "https://api.github.test"),
		Pages: Pages{GitHub: "https://github.test", Codacy: "https://codacy.test"},
		Label: func(input string) string { return input },
	}
}

// rejected returns a rejection by a service.
func rejected(service string, status int, message string) *wire.Error {
	return &wire.Error{Service: service, Op: "do it", Status: status, Message: message, Disposition: wire.Rejected}
}

// lost returns a request that got no response.
func lost(cause error) error {
	return &wire.Error{Service: codacy.Name, Op: "do it", Message: "no connection", Disposition: wire.NotSent, Err: cause}
}

// failed returns the result of a repository that failed.
func failed(name string, err error) outcome.Result {
	return outcome.Result{Owner: "acme", Name: name, Outcome: outcome.Failed, Err: err}
}

// found returns the only problem that the results show.
func found(s *Setup, secrets int, results ...outcome.Result) error {
	f := s.Findings()
	for _, r := range results {
		f.Add(r)
	}
	problems := f.Problems(context.Background(), "", func(context.Context, string, string, rotation.Store) (int, error) { return secrets, nil })
	if len(problems) != 1 {
		return fmt.Errorf("%d problems: %v", len(problems), problems)
	}
	return problems[0]
}

func selected(n int, change func(*match.Target)) []match.Target {
	targets := make([]match.Target, n)
	for i := range targets {
		targets[i].GitHub = github.Repository{Owner: "acme", Name: fmt.Sprint("r", i)}
		change(&targets[i])
	}
	return targets
}

// TestSetup has a row for each case, and for the errors that are not.
func TestSetup(t *testing.T) {
	t.Parallel()

	const integration = "Resource not accessible by integration"
	denied := func(permission string) *wire.Error {
		e := rejected(github.Name, 403, "Resource not accessible by personal access token")
		e.Permission = permission
		return e
	}
	page := func(service string, status int) *wire.Error {
		e := rejected(service, status, "<html>")
		e.Page = true
		return e
	}
	unknown := rejected(codacy.Name, 404, "Organization not found")
	exists := func(provider, organization string) func(string, string) bool {
		return func(p, o string) bool { return p == provider && o == organization }
	}
	notVisible := func(t *match.Target) { t.Skip, t.NotVisible = "not on GitHub", true }
	archived := func(t *match.Target) { t.Skip = "archived" }
	soon := time.Now().Add(12 * 24 * time.Hour)

	tests := []struct {
		name string
		id   ID // empty for an error that is not one of the cases
		find func(*Setup) error
	}{
		{"a workflow's token that lists nothing", WorkflowToken, func(s *Setup) error {
			s.Credential = InstallationToken
			return s.GitHubListError(rejected(github.Name, 403, integration))
		}},
		{"a workflow's token that lists its own repository", WorkflowToken, func(s *Setup) error {
			s.Credential, s.WorkflowRepository = InstallationToken, "acme/infra"
			return s.Misconfiguration(Listed{OnGitHub: 1, Only: "Acme/Infra"}, selected(2, notVisible), match.Counts{})
		}},
		{"status 401", GitHubTokenRejected, func(s *Setup) error { return s.OwnerError(rejected(github.Name, 401, "Bad credentials")) }},
		{"no permission", TokenPermission, func(s *Setup) error { return s.Denial(denied("secrets=write")) }},
		{"no permission is named", TokenPermission, func(s *Setup) error { return s.Denial(denied("")) }},
		{"no permission for a store", TokenStore, func(s *Setup) error { return s.Denial(denied("agent_secrets=read")) }},
		{"a permission of no store", OtherPermission, func(s *Setup) error { return s.Denial(denied("administration=read")) }},
		{"only public repositories, by a denial", TokenOtherOwner, func(s *Setup) error {
			s.PrivateOnCodacy = 2
			return s.Denial(denied("secrets=write"))
		}},
		{"only public repositories, by the list", TokenOtherOwner, func(s *Setup) error {
			s.PrivateOnCodacy = 2
			return s.Misconfiguration(Listed{Owner: github.Owner{Scope: github.Organization}}, selected(2, notVisible), match.Counts{})
		}},
		{"a scope is missing", TokenScope, func(s *Setup) error { return s.ScopeError([]string{"public_repo"}) }},
		{"a kind of token is forbidden", TokenPolicy, func(s *Setup) error {
			return s.GitHubListError(rejected(github.Name, 403, "`acme` forbids access via a personal access token (classic)."))
		}},
		{"an OAuth App is forbidden", OAuthRestricted, func(s *Setup) error {
			return s.GitHubListError(rejected(github.Name, 403, "the `acme` organization has enabled OAuth App access restrictions"))
		}},
		{"an empty list", TokenSeesNothing, func(s *Setup) error {
			return s.Misconfiguration(Listed{Owner: github.Owner{Scope: github.Organization, Classic: true}}, selected(2, notVisible), match.Counts{})
		}},
		{"the list has status 404", TokenSeesNothing, func(s *Setup) error { return s.GitHubListError(rejected(github.Name, 404, "Not Found")) }},
		{"single sign-on, by the header", SingleSignOn, func(s *Setup) error {
			e := rejected(github.Name, 403, "Forbidden")
			e.SSO = true
			return s.GitHubListError(e)
		}},
		{"single sign-on, by the message", SingleSignOn, func(s *Setup) error {
			return s.GitHubListError(rejected(github.Name, 403, "Resource protected by organization SAML enforcement."))
		}},
		{"an IP allow list", IPAllowList, func(s *Setup) error {
			return s.GitHubListError(rejected(github.Name, 403, "the `acme` organization has an IP allow list enabled"))
		}},
		{"the role on GitHub", GitHubRole, func(s *Setup) error {
			return found(s, 0, failed("api", rejected(github.Name, 403, "Must have admin rights to Repository.")))
		}},
		{"denied, and another repository was written", DeniedInSome, func(s *Setup) error {
			return found(s, 0, failed("api", denied("secrets=write")),
				outcome.Result{Owner: "acme", Name: "web", Outcome: outcome.Created, Writes: []outcome.Write{{Store: rotation.StoreActions}}})
		}},
		{"reading is denied, and another repository was read", DeniedInSome, func(s *Setup) error {
			return found(s, 0, failed("api", denied("secrets=read")),
				outcome.Result{Owner: "acme", Name: "web", Outcome: outcome.Current, Stores: []rotation.Store{rotation.StoreActions}})
		}},
		{"writing is denied, and another repository was only read", TokenPermission, func(s *Setup) error {
			return found(s, 0, failed("api", denied("secrets=write")),
				outcome.Result{Owner: "acme", Name: "web", Outcome: outcome.Current, Stores: []rotation.Store{rotation.StoreActions}})
		}},
		{"a store is denied, and another store was written", TokenStore, func(s *Setup) error {
			return found(s, 0, failed("api", denied("dependabot_secrets=read")),
				outcome.Result{Owner: "acme", Name: "web", Outcome: outcome.Created, Writes: []outcome.Write{{Store: rotation.StoreActions}}})
		}},
		{"an unknown owner", GitHubOwner, func(s *Setup) error { return s.OwnerError(rejected(github.Name, 404, "Not Found")) }},

		{"an unknown App", AppUnknown, func(s *Setup) error {
			return s.AppError(rejected(github.Name, 401, "Integration must generate a public key"))
		}},
		{"another App's key", AppKey, func(s *Setup) error {
			return s.AppError(rejected(github.Name, 401, "A JSON web token could not be decoded"))
		}},
		{"a JWT's time", AppClock, func(s *Setup) error {
			return s.AppError(rejected(github.Name, 401, "'Issued at' claim ('iat') must be an Integer representing the time"))
		}},
		{"no installation", AppNotInstalled, func(s *Setup) error { return s.AppError(rejected(github.Name, 404, "Not Found")) }},
		{"a suspended installation", AppSuspended, func(s *Setup) error {
			return s.AppError(rejected(github.Name, 403, "This installation has been suspended"))
		}},
		{"an App's token is rejected during the run", AppSuspended, func(s *Setup) error {
			s.Credential = App
			return s.Denial(rejected(github.Name, 401, "Bad credentials"))
		}},
		{"selected repositories", AppSelected, func(s *Setup) error {
			s.Credential, s.Installation.Selection = App, "selected"
			return s.Misconfiguration(Listed{OnGitHub: 1}, selected(2, notVisible), match.Counts{})
		}},
		{"an installation's permission", AppPermission, func(s *Setup) error {
			s.Installation.Permissions = map[string]string{"secrets": "read"}
			return s.MissingPermission()
		}},
		{"an App's denial", AppPermission, func(s *Setup) error {
			s.Credential = App
			return s.Denial(denied("secrets=write"))
		}},

		{"an account token", AccountTokenRejected, func(s *Setup) error { return s.CodacyError(rejected(codacy.Name, 401, "Unauthorized")) }},
		{"an account token, at the list", AccountTokenRejected, func(s *Setup) error { return s.CodacyListError(rejected(codacy.Name, 403, "Forbidden")) }},
		{"an expired account token", AccountTokenExpired, func(s *Setup) error { return s.CodacyError(rejected(codacy.Name, 401, "token expired")) }},
		{"a project token", ProjectToken, func(s *Setup) error {
			s.LooksLikeProjectToken = LooksLikeProjectToken(strings.Repeat("0123456789abcdef", 2))
			return s.CodacyError(rejected(codacy.Name, 401, "Unauthorized"))
		}},
		{"the role on Codacy", CodacyRole, func(s *Setup) error { return found(s, 0, failed("api", rejected(codacy.Name, 404, "not found"))) }},
		{"an unknown organization", CodacyOrganization, func(s *Setup) error { return s.OrganizationError(unknown, "acme", exists("gh", "Acme")) }},
		{"an organization that both don't know", UnknownToBoth, func(s *Setup) error {
			return onlyOne(BothErrors(s.OrganizationError(unknown, "", exists("", "")), s.OwnerError(rejected(github.Name, 404, "Not Found"))))
		}},
		{"only Codacy doesn't know it", CodacyOrganization, func(s *Setup) error {
			return onlyOne(BothErrors(s.OrganizationError(unknown, "acme", exists("", "")), nil))
		}},
		{"another capitalization", OrganizationCase, func(s *Setup) error { return s.OrganizationError(unknown, "Acme", exists("gh", "Acme")) }},
		{"another provider", Provider, func(s *Setup) error { return s.OrganizationError(unknown, "acme", exists("ghe", "acme")) }},
		{"nothing is added", NothingAdded, func(s *Setup) error { return s.Misconfiguration(Listed{}, nil, match.Counts{NotAdded: 2}) }},

		{"a web page of Codacy's", CodacyURL, func(s *Setup) error {
			s.CodacyAPIURL = address(t, "https://codacy.test")
			return s.CodacyError(page(codacy.Name, 200))
		}},
		{"a web page of GitHub's", GitHubURL, func(s *Setup) error {
			s.GitHubURL = address(t, "https://github.test")
			return s.OwnerError(page(github.Name, 404))
		}},
		{"a web page in between", WebPage, func(s *Setup) error { return s.CodacyError(page(codacy.Name, 403)) }},
		{"a certificate", Certificate, func(s *Setup) error {
			return s.CodacyError(lost(&tls.CertificateVerificationError{Err: errors.New("unknown authority")}))
		}},
		{"a proxy", Proxy, func(s *Setup) error {
			return s.CodacyError(lost(&net.OpError{Op: "proxyconnect", Err: errors.New("refused")}))
		}},
		{"an unknown host", HostUnknown, func(s *Setup) error { return s.CodacyError(lost(&net.DNSError{IsNotFound: true})) }},
		{"no response", "", func(s *Setup) error { return s.CodacyError(lost(errors.New("connection reset"))) }},
		{"an error of the server", "", func(s *Setup) error {
			return s.OwnerError(&wire.Error{Service: github.Name, Status: http.StatusBadGateway, Disposition: wire.Indeterminate})
		}},

		{"a blank credential", NoCredential, func(*Setup) error { return inputProblem(config.Blank) }},
		{"a reserved name", ReservedName, func(*Setup) error { return inputProblem(config.Reserved) }},
		{"another input error", "", func(*Setup) error { return inputProblem(config.Invalid) }},
		{"the patterns", NoMatch, func(s *Setup) error {
			return s.Misconfiguration(Listed{}, nil, match.Counts{NotAdded: 2, Excluded: 1})
		}},
		{"the topics", TraitsNoMatch, func(s *Setup) error {
			s.Traits = true
			return s.Misconfiguration(Listed{}, nil, match.Counts{Excluded: 1})
		}},
		{"archived repositories", AllArchived, func(s *Setup) error {
			return s.Misconfiguration(Listed{OnGitHub: 2}, selected(2, archived), match.Counts{})
		}},
		{"repositories that can't be matched", "", func(s *Setup) error {
			conflict := func(t *match.Target) { t.Skip, t.Conflict = "two entries", true }
			if p := s.Misconfiguration(Listed{OnGitHub: 2}, selected(2, conflict), match.Counts{}); p != nil {
				return p
			}
			return errors.New("two entries")
		}},
		{"100 secrets", SecretsFull, func(s *Setup) error { return found(s, 100, failed("api", rejected(github.Name, 422, "too many"))) }},
		{"another 422", "", func(s *Setup) error { return found(s, 99, failed("api", rejected(github.Name, 422, "too many"))) }},

		{"an account token that expires", AccountTokenExpiring, func(s *Setup) error {
			return s.Ahead(Expiries{AccountToken: soon}, "", rotation.Policy{})[0]
		}},
		{"a token that expires", GitHubTokenExpiring, func(s *Setup) error {
			return s.Ahead(Expiries{GitHubToken: soon}, "", rotation.Policy{})[0]
		}},
		{"repositories that are not visible", CannotRenew, func(s *Setup) error {
			warned := outcome.Result{Owner: "acme", Outcome: outcome.Skipped, Warning: "it expires"}
			return found(s, 0, warned, warned)
		}},
		{"a rare schedule", ScheduleTooRare, func(s *Setup) error {
			return s.Ahead(Expiries{}, "17 4 1 */2 *", rotation.Policy{RenewBefore: 90 * 24 * time.Hour})[0]
		}},
		{"rotate always", TokensPileUp, func(s *Setup) error {
			return s.Ahead(Expiries{}, "17 4 * * *", rotation.Policy{RenewBefore: 90 * 24 * time.Hour, RevokeAfter: 864 * time.Hour, Rotate: rotation.RotateAlways})[0]
		}},
	}
	var covered []ID
	for _, tt := range tests {
		covered = append(covered, tt.id)
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSetup(t)
			err := tt.find(s)
			var p *Problem
			switch {
			case !errors.As(err, &p):
				if tt.id != "" {
					t.Errorf("%v, want the case %s", err, tt.id)
				}
				return
			case p.ID != tt.id:
				t.Fatalf("the case %s, want %q", p.ID, tt.id)
			}
			if message, hint := s.Render(p); p.ID != NoCredential && p.ID != ReservedName && strings.ContainsAny(message+hint, "{}") {
				t.Errorf("a placeholder has no value:\n%s\n%s", message, hint)
			}
		})
	}
	for _, c := range Cases() {
		if !slices.Contains(covered, c.ID) {
			t.Errorf("no row for the case %s", c.ID)
		}
	}
}

// onlyOne returns the only error of several.
func onlyOne(errs []error) error {
	if len(errs) != 1 {
		return fmt.Errorf("%d errors: %v", len(errs), errs)
	}
	return errs[0]
}

// inputProblem returns the problem of an input error; nil if the error says it all.
func inputProblem(k config.Kind) error {
	if id, ok := InputCase(k); ok {
		return &Problem{ID: id}
	}
	return nil
}

// TestEndedCase: the case that ended the run is not reported again.
func TestEndedCase(t *testing.T) {
	t.Parallel()

	f := newSetup(t).Findings()
	f.Add(failed("api", rejected(github.Name, 403, "Resource not accessible by personal access token")))
	f.Add(failed("web", rejected(codacy.Name, 404, "not found")))
	for ended, want := range map[ID][]ID{"": {CodacyRole, TokenPermission}, TokenPermission: {CodacyRole}} {
		var got []ID
		for _, p := range f.Problems(t.Context(), ended, nil) {
			got = append(got, p.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q ended the run: %v, want %v", ended, got, want)
		}
	}
}
