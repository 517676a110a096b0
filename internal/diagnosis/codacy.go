package diagnosis

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
)

// The cases of Codacy.
const (
	AccountTokenRejected ID = "account-token-rejected"
	AccountTokenExpired  ID = "account-token-expired"
	ProjectToken         ID = "project-token-for-account-token"
	CodacyOrganization   ID = "organization-not-on-codacy"
	OrganizationCase     ID = "organization-case"
	Provider             ID = "wrong-provider"
	CodacyURL            ID = "codacy-api-url-without-api-v3"
	UnknownToBoth        ID = "organization-unknown-to-both"
)

var codacyCases = []Case{
	{
		ID: AccountTokenRejected, Input: "codacy-api-token", Exit: 2,
		Message:     "Codacy rejects this account API token: it was revoked, is for a different Codacy instance, or is incomplete",
		Hint:        "Create an account API token at {account-tokens} and store it, or correct {:codacy-api-url}",
		CommandLine: "Create an account API token at {account-tokens} and set {:codacy-api-token} to it, or correct {:codacy-api-url}",
		Details:     "Codacy's response to `GET /user` had the status 401, or 404 as it can have for a revoked token.",
	},
	{
		ID: AccountTokenExpired, Input: "codacy-api-token", Exit: 2,
		Message:     "this account API token has expired",
		Hint:        "Create an account API token at {account-tokens}, and replace the stored one",
		CommandLine: "Create an account API token at {account-tokens}, and set {:codacy-api-token} to it",
		Details:     "Every run warns from 30 days before the expiry.",
	},
	{
		ID: ProjectToken, Input: "codacy-api-token", Exit: 2,
		Message: "Codacy rejects this token, and it looks like the API token of one repository; an account API token is required",
		Hint:    "Create an account API token at {account-tokens}",
		Details: "It has the form of a project token: 32 hexadecimal digits, as a repository's *Settings*, *API tokens* page shows them. This action creates such tokens, and needs an account API token for that.",
	},
	{
		ID: CodacyOrganization, Input: "organization", Exit: 2,
		Message: `Codacy has no organization "{organization}" of the provider "{provider}" that this account can see`,
		Hint:    "Add the organization at {codacy}, or have the token's account join it there",
		Details: "Codacy's response to the list of repositories had the status 404.",
	},
	{
		ID: UnknownToBoth, Input: "organization", Exit: 2,
		Message: `neither Codacy nor GitHub has an organization "{organization}" that these tokens can see`,
		Hint:    "Copy the name from the address of the owner's page at {web}",
		Details: "The responses of both services had the status 404. There is a typing error in the name, or both credentials are for another organization.",
	},
	{
		ID: OrganizationCase, Input: "organization", Exit: 2,
		Message: `Codacy spells the organization "{spelled}", not "{organization}"`,
		Hint:    "Use the name in the organization's address at {codacy}",
		Details: "GitHub ignores upper and lower case, but Codacy may not. The action found the organization on Codacy under the name that GitHub shows.",
	},
	{
		ID: Provider, Input: "provider", Exit: 2,
		Message: `Codacy has {organization} under the provider "{other}", not "{provider}"`,
		Hint:    "Set {:provider} to {other}; the organization's address at {codacy} contains it",
		Details: "`gh` is GitHub.com, `ghe` is GitHub Enterprise Server. The action found the organization on Codacy under the other one.",
	},
	{
		ID: CodacyURL, Input: "codacy-api-url", Exit: 2,
		Message: "{address} is not the address of Codacy's API; it returns a web page",
		Hint:    "Use https://app.codacy.com/api/v3, or https://HOST/api/v3 for a self-hosted Codacy: https://docs.codacy.com/codacy-api/using-the-codacy-api/",
		Details: "The address does not end in `/api/v3`, and the response was not JSON.",
	},
}

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

// BothErrors returns what to report of the errors of both services, of which each may
// be nil. An organization that neither of them knows is one error.
func BothErrors(codacyErr, gitHubErr error) []error {
	var c, g *Problem
	if errors.As(codacyErr, &c) && errors.As(gitHubErr, &g) && c.ID == CodacyOrganization && g.ID == GitHubOwner {
		return []error{&Problem{ID: UnknownToBoth, Err: fmt.Errorf("%w; %w", c.Err, g.Err)}}
	}
	var errs []error
	for _, err := range []error{codacyErr, gitHubErr} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}
