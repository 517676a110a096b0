package diagnosis

// Pages knows the addresses of the pages on which a setup is changed.
type Pages struct {
	// GitHub and Codacy are the addresses of the pages of both services, without a
	// slash at the end.
	GitHub, Codacy string
	// Installation is the page of the App's installation; empty if it is unknown.
	Installation string
}

// Tokens lists the user's fine-grained tokens.
// https://docs.github.com/authentication/keeping-your-account-and-data-secure/managing-your-personal-access-tokens
func (p Pages) Tokens() string { return p.GitHub + "/settings/personal-access-tokens" }

// NewToken creates a fine-grained token.
func (p Pages) NewToken() string { return p.Tokens() + "/new" }

// ClassicTokens lists the user's classic tokens.
func (p Pages) ClassicTokens() string { return p.GitHub + "/settings/tokens" }

// TokenRequests lists the fine-grained tokens that an organization has to approve.
func (p Pages) TokenRequests(organization string) string {
	return p.GitHub + "/organizations/" + organization + "/settings/personal-access-token-requests"
}

// TokenPolicy is where an organization allows kinds of tokens.
func (p Pages) TokenPolicy(organization string) string {
	return p.GitHub + "/organizations/" + organization + "/settings/personal-access-tokens"
}

// OAuthPolicy is where an organization approves OAuth Apps.
// https://docs.github.com/organizations/managing-oauth-access-to-your-organizations-data/approving-oauth-apps-for-your-organization
func (p Pages) OAuthPolicy(organization string) string {
	return p.GitHub + "/organizations/" + organization + "/settings/oauth_application_policy"
}

// Apps lists the user's GitHub Apps.
func (p Pages) Apps() string { return p.GitHub + "/settings/apps" }

// InstallationOf configures the App's installation in an organization.
func (p Pages) InstallationOf(organization string) string {
	if p.Installation != "" {
		return p.Installation
	}
	return p.GitHub + "/organizations/" + organization + "/settings/installations"
}

// Access is where the repositories of a credential are chosen.
func (p Pages) Access() string {
	if p.Installation != "" {
		return p.Installation
	}
	return p.Tokens()
}

// AccountTokens lists the user's account API tokens on Codacy.
// https://docs.codacy.com/codacy-api/api-tokens/
func (p Pages) AccountTokens() string { return p.Codacy + "/account/access-management" }

// values returns the placeholders that stand for pages.
func (p Pages) values(organization string) Values {
	return Values{
		"web": p.GitHub, "codacy": p.Codacy, "tokens": p.Tokens(), "new-token": p.NewToken(), "classic-tokens": p.ClassicTokens(),
		"token-requests": p.TokenRequests(organization), "token-policy": p.TokenPolicy(organization),
		"oauth-policy": p.OAuthPolicy(organization), "apps": p.Apps(),
		"installation": p.InstallationOf(organization), "account-tokens": p.AccountTokens(), "page": p.Access(),
	}
}
