package diagnosis

// The cases.
const (
	WorkflowToken       ID = "workflow-token"
	GitHubTokenRejected ID = "github-token-rejected"
	TokenPermission     ID = "token-without-permission"
	TokenStore          ID = "token-without-the-permission-of-a-store"
	TokenOtherOwner     ID = "token-not-approved-or-of-another-owner"
	TokenScope          ID = "classic-token-without-repo"
	TokenPolicy         ID = "kind-of-token-forbidden"
	TokenSeesNothing    ID = "token-sees-no-repository"
	SingleSignOn        ID = "single-sign-on-not-authorized"
	IPAllowList         ID = "ip-allow-list"
	GitHubRole          ID = "not-an-admin-on-github"
	GitHubOwner         ID = "owner-unknown-to-github"
	OAuthRestricted     ID = "oauth-app-not-approved"
	OtherPermission     ID = "another-permission-missing"

	AppUnknown      ID = "app-unknown"
	AppKey          ID = "key-of-another-app"
	AppClock        ID = "clock-off"
	AppNotInstalled ID = "app-not-installed"
	AppSuspended    ID = "app-suspended"
	AppSelected     ID = "app-installed-on-selected-repositories"
	AppPermission   ID = "app-without-permission"

	AccountTokenRejected ID = "account-token-rejected"
	AccountTokenExpired  ID = "account-token-expired"
	ProjectToken         ID = "project-token-for-account-token"
	CodacyRole           ID = "not-an-admin-on-codacy"
	CodacyOrganization   ID = "organization-not-on-codacy"
	OrganizationCase     ID = "organization-case"
	Provider             ID = "wrong-provider"
	NothingAdded         ID = "no-repository-added-to-codacy"

	CodacyURL   ID = "codacy-api-url-without-api-v3"
	GitHubURL   ID = "github-api-url-is-not-the-api"
	WebPage     ID = "a-web-page-answers"
	Certificate ID = "tls-inspection"
	Proxy       ID = "proxy"
	HostUnknown ID = "host-unknown"

	NoCredential ID = "credential-is-empty"
	ReservedName ID = "secret-name-reserved"
	NoMatch      ID = "patterns-match-nothing"
	AllArchived  ID = "all-repositories-archived"
	SecretsFull  ID = "100-secrets-reached"

	AccountTokenExpiring ID = "account-token-expires-soon"
	GitHubTokenExpiring  ID = "github-token-expires-soon"
	CannotRenew          ID = "repositories-that-cant-be-renewed"
	ScheduleTooRare      ID = "schedule-too-rare"
)

// Cases lists all cases, in the order of the docs.
func Cases() []Case {
	return []Case{
		{
			ID: WorkflowToken, Input: "github-token", Exit: 2,
			Message: "this is the GITHUB_TOKEN of a workflow, or reaches no further than one: it may not write the secrets of {organization}",
			Hint: "Generate a fine-grained token (Resource owner: {organization}; Repository access: All repositories; Repository permissions: Secrets, Read and write) " +
				"at {new-token}, and pass it as a secret",
			Details: "Whatever `permissions` a workflow gives its own `GITHUB_TOKEN`, secrets are none of them, and it reaches its own repository only. " +
				"An App's token made by `actions/create-github-app-token` without `owner` reaches no further; give it `owner`, or the App's key to this action.",
		},
		{
			ID: GitHubTokenRejected, Input: "github-token", Exit: 2,
			Message: "GitHub does not accept this credential: it expired, was revoked or regenerated, or was not copied whole",
			Hint:    "Look for it at {tokens} (a classic one: {classic-tokens}), and generate a new one",
			Details: "GitHub answered with status 401.",
		},
		{
			ID: TokenPermission, Input: "github-token", Exit: 2,
			Message: "the token lacks the permission to write secrets of {organization}'s repositories",
			Hint: "Set Repository permissions, Secrets to Read and write at {tokens}; is it so already, " +
				"an owner of {organization} has to approve it at {token-requests}",
			Details: "GitHub refused to give the key for secrets, or to take a secret, and named the permission. A permission that was added to an approved token has to be approved again. " +
				"A token that may read secrets but not write them is found out by its first three writes: these tokens are deleted at once. " +
				"Where fewer than three repositories are to be written, the exit code is 1.",
		},
		{
			ID: TokenStore, Input: "github-token", Exit: 2,
			Message: "the token lacks the permission for the store {store} of {:secret-stores} ({permission})",
			Hint:    "Set Repository permissions, {permission} to Read and write at {tokens}, or take {store} off {:secret-stores}",
			Details: "The same as the case before, for Dependabot's, Codespaces' or the agents' secrets: each store has a permission of its own. " +
				"No token was made: the store that is refused most is asked first.",
		},
		{
			ID: TokenOtherOwner, Input: "github-token", Exit: 2,
			Message: "the token sees none of {organization}'s private repositories, and may write no secret: " +
				"{organization} has not approved it yet, or is not its Resource owner",
			Hint: "Compare its Resource owner at {tokens}; an owner of {organization} approves it " +
				"at {token-requests}",
			Details: "Until an organization approves a fine-grained token, and for ever where its resource owner is another one, it reads what is public and nothing else. " +
				"GitHub's answers do not tell which of the two it is.",
		},
		{
			ID: TokenScope, Input: "github-token", Exit: 2,
			Message: "this classic token lacks the scope repo (it has: {found})",
			Hint:    "Tick repo, Full control of private repositories, for it at {classic-tokens}",
			Details: "GitHub tells the scopes of a classic token with each answer. Where the organization uses single sign-on, a changed token has to be authorized again.",
		},
		{
			ID: TokenPolicy, Input: "github-token", Exit: 2,
			Message: "{organization} forbids access with this kind of token",
			Hint:    "Use a GitHub App, or a token of a kind that it allows; its owners set that at {token-policy}",
			Details: "An organization can forbid classic tokens, fine-grained ones, or those that live for long. GitHub's own words stand behind the first line.",
		},
		{
			ID: OAuthRestricted, Input: "github-token", Exit: 2,
			Message: "{organization} does not allow the OAuth App that this token belongs to, such as the GitHub CLI",
			Hint:    "Ask an owner of {organization} to approve it at {oauth-policy}, or use a fine-grained token from {new-token}",
			Details: "`gh auth token` prints a token of the OAuth App *GitHub CLI* (`gho_…`).",
		},
		{
			ID: OtherPermission, Input: "github-token", Exit: 2,
			Message: "the credential lacks the permission {permission} in {organization}",
			Hint:    "Add it to the token at {tokens}, or to the App at {apps}; an owner of {organization} has to accept it",
			Details: "GitHub named a permission that belongs to no store of secrets.",
		},
		{
			ID: TokenSeesNothing, Input: "github-token", Exit: 2,
			Message: "it sees no repository of {organization} on GitHub",
			Hint: "Compare Resource owner and Repository access at {tokens}; an owner of {organization} approves it " +
				"at {token-requests}",
			Details: "The list came back empty. With a GitHub App: choose its repositories on the installation's page.",
		},
		{
			ID: SingleSignOn, Input: "github-token", Exit: 2,
			Message: "{organization} uses SAML single sign-on, and this token is not authorized for it",
			Hint:    "Choose Configure SSO beside the token at {classic-tokens}, and Authorize for {organization}",
			Details: "GitHub said so in the header `X-GitHub-SSO`. Fine-grained tokens and Apps need no such step.",
		},
		{
			ID: IPAllowList, Input: "github-token", Exit: 2,
			Message: "{organization} has an IP allow list, and this runner's address is not on it",
			Hint:    "Run on a runner that it allows, or have an owner add the address: https://docs.github.com/organizations/keeping-your-organization-secure/managing-allowed-ip-addresses-for-your-organization",
			Details: "GitHub-hosted runners have changing addresses; larger runners can have fixed ones.",
		},
		{
			ID: GitHubRole, Input: "github-token", Exit: 1,
			Message: "the token's owner is not an admin of {first} ({hidden} in all), and only admins write secrets",
			Hint:    "Give its owner the role Admin at {web}/{first}/settings/access, or use the token of one who has it",
			Details: "GitHub answered `Must have admin rights to Repository`. The token that was made for it was deleted at once.",
		},
		{
			ID: GitHubOwner, Input: "organization", Exit: 2,
			Message: `GitHub knows no organization or user "{organization}", or does not show it to this token`,
			Hint:    "Copy the name out of its address, {web}/NAME",
			Details: "The name is the one in the address of its page, not the display name.",
		},

		{
			ID: AppUnknown, Input: "github-app-id", Exit: 2,
			Message: "GitHub knows no such App as {app}",
			Hint:    "Copy the App ID or the Client ID from General, About at {apps}; {:github-app-private-key} has to be a key of that App",
			Details: "An older Enterprise Server takes the App ID only.",
		},
		{
			ID: AppKey, Input: "github-app-private-key", Exit: 2,
			Message: "GitHub does not accept this key as one of the App {app}",
			Hint:    "Choose Generate a private key under Private keys at {apps}, and pass the whole file; or correct {:github-app-id}",
			Details: "The key is an RSA key, but none that GitHub has for this App: it was deleted there, or belongs to another App.",
		},
		{
			ID: AppClock, Input: "github-app-id", Exit: 2,
			Message: "GitHub finds the time in the App's JWT wrong: this machine's clock says {date}",
			Hint:    "Set the clock of the runner, by NTP: https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app",
			Details: "The action reckons with a clock that is off, by the dates of GitHub's answers. Where it can't, because a proxy changes these, this is told.",
		},
		{
			ID: AppNotInstalled, Input: "github-app-id", Exit: 2,
			Message: "the App {app} is not installed for {organization}",
			Hint:    "Choose Install App, Install for {organization} at {apps}; or correct {:organization}",
			Details: "An App has to be made public in its settings before it can be installed for an owner other than its own.",
		},
		{
			ID: AppSuspended, Input: "github-app-id", Exit: 2,
			Message: "GitHub gives the App {app} no token for {organization}: its installation is suspended, or blocked",
			Hint:    "Choose Unsuspend at {installation}",
			Details: "The installation was found, and a token for it refused.",
		},
		{
			ID: AppSelected, Input: "github-app-id", Exit: 0,
			Message: "GitHub does not show {hidden} of the {selected} selected repositories: the App is installed on selected repositories only",
			Hint:    "Choose All repositories under Repository access, or add them, at {installation}",
			Details: "The repositories are skipped, each with that reason. To do without them, leave them out with `repositories` or `exclude-repositories`.",
		},
		{
			ID: AppPermission, Input: "github-app-id", Exit: 2,
			Message: "the App's installation lacks {permission}: Read and write, which the store {store} needs",
			Hint:    "Set Repository permissions, {permission} at {apps} (Permissions & events), then have the new permissions accepted at {installation}",
			Details: "GitHub tells an installation's permissions, so this is found before anything is written. In a dry run it is a warning.",
		},

		{
			ID: AccountTokenRejected, Input: "codacy-api-token", Exit: 2,
			Message: "Codacy does not accept this account API token: it was revoked, belongs to another Codacy, or was not copied whole",
			Hint:    "Choose Create API token under Account API tokens at {account-tokens}, or correct {:codacy-api-url}",
			Details: "Codacy answered `GET /user` with status 401, or with 404 as it does for revoked tokens.",
		},
		{
			ID: AccountTokenExpired, Input: "codacy-api-token", Exit: 2,
			Message: "this account API token has expired",
			Hint:    "Choose Create API token under Account API tokens at {account-tokens}, and store it in place of the old one",
			Details: "From 30 days before the day, every run warns of it.",
		},
		{
			ID: ProjectToken, Input: "codacy-api-token", Exit: 2,
			Message: "Codacy does not accept it, and it looks like the API token of one repository; an account API token is needed",
			Hint:    "Choose Create API token under Account API tokens at {account-tokens}",
			Details: "Codacy refused it, and it has the form of a project token: 32 hexadecimal digits. Project tokens are what this action makes; it needs the token of an account.",
		},
		{
			ID: CodacyRole, Input: "codacy-api-token", Exit: 1,
			Message: "Codacy shows {first} ({hidden} in all), but not its tokens: the account is not an admin of it",
			Hint:    "Give the account that owns the token admin rights on the repositories: https://docs.codacy.com/organizations/roles-and-permissions-for-organizations",
			Details: "Codacy listed the repository, and answered 404 or 403 when asked for its tokens. On GitHub's side the account's role has to be admin, too.",
		},
		{
			ID: CodacyOrganization, Input: "organization", Exit: 2,
			Message: `Codacy knows no organization "{organization}" of the provider "{provider}" that this account sees`,
			Hint:    "Add it at {codacy}, or have the token's owner join it there",
			Details: "Codacy answered the list of its repositories with status 404.",
		},
		{
			ID: OrganizationCase, Input: "organization", Exit: 2,
			Message: `Codacy knows "{spelled}", in other letters than "{organization}"`,
			Hint:    "Write it as it stands at {codacy}",
			Details: "GitHub does not mind upper and lower case, Codacy may. The action asked Codacy for the name as GitHub spells it, and it is there.",
		},
		{
			ID: Provider, Input: "provider", Exit: 2,
			Message: `Codacy knows {organization} of the provider "{other}", not "{provider}"`,
			Hint:    "Set {:provider} to {other}; an organization's provider stands in its address at {codacy}",
			Details: "`gh` is github.com, `ghe` an Enterprise Server. The action asked Codacy for the other one, and it is there.",
		},
		{
			ID: NothingAdded, Input: "organization", Exit: 2,
			Message: "{organization} has no repositories added to Codacy that this account token sees ({hidden} not added)",
			Hint:    "Add them at {codacy}",
			Details: "Codacy lists repositories that it does not analyse, too; those take no tokens.",
		},

		{
			ID: CodacyURL, Input: "codacy-api-url", Exit: 2,
			Message: "{address} is not the address of Codacy's API: a web page answers there",
			Hint:    "Use https://app.codacy.com/api/v3, or https://HOST/api/v3 of a self-hosted Codacy: https://docs.codacy.com/codacy-api/using-the-codacy-api/",
			Details: "The address does not end in `/api/v3`, and the answer was no JSON.",
		},
		{
			ID: GitHubURL, Input: "github-api-url", Exit: 2,
			Message: "{address} is not the address of GitHub's API: a web page answers there",
			Hint:    "Use https://api.github.com, or https://HOST/api/v3 of an Enterprise Server: https://docs.github.com/rest/using-the-rest-api/getting-started-with-the-rest-api",
			Details: "The address is that of the web pages, and the answer was no JSON.",
		},
		{
			ID: WebPage, Exit: 1,
			Message: "{service}'s API at {address} answers with a web page: something stands between",
			Hint:    "Let the runner reach {host} directly, or through HTTPS_PROXY: https://docs.github.com/actions/how-tos/manage-runners/use-proxy-servers",
			Details: "A proxy's login page, a maintenance page, or a firewall's. The address looks right.",
		},
		{
			ID: Certificate, Exit: 1,
			Message: "{service}'s certificate at {host} is not to be trusted: a proxy inspects TLS, or the server uses an authority of its own",
			Hint:    "Add the authority's PEM file to the workspace, and set SSL_CERT_FILE to its path in the step's env: https://pkg.go.dev/crypto/x509#SystemCertPool",
			Details: "In the container the workspace is `/github/workspace`, so: `env: { SSL_CERT_FILE: /github/workspace/ca.pem }`. Nothing was sent.",
		},
		{
			ID: Proxy, Exit: 1,
			Message: "the proxy {proxy} lets nothing through to {service} at {host}",
			Hint:    "Correct HTTPS_PROXY, or name the host in NO_PROXY: https://docs.github.com/actions/how-tos/manage-runners/use-proxy-servers",
			Details: "Both are read from the environment, as Go's and other programs do. Without a scheme a proxy is taken for `http://`.",
		},
		{
			ID: HostUnknown, Exit: 1,
			Message: "the name {host} of {service}'s API can't be resolved",
			Hint:    "Correct the address, or run where the host is known: https://docs.github.com/actions/how-tos/manage-runners/self-hosted-runners",
			Details: "A typing error in `codacy-api-url` or `github-api-url`, or a host that only a self-hosted runner in its network knows.",
		},

		{
			ID: NoCredential, Exit: 2,
			Example: "codacy-api-token: is required; a secret that doesn't exist, or is hidden from this run, is empty",
			Message: "{fault}",
			Hint:    "Add the secret that the workflow uses at {web}/{repository}/settings/secrets/actions",
			Details: "A secret that does not exist is empty, without any error. Workflows of pull requests from forks and from Dependabot do not see it, " +
				"nor does a repository that an organization's secret is not shared with.",
		},
		{
			ID: ReservedName, Exit: 2,
			Example: `secret-name: must be a name that does not start with GITHUB_, which GitHub reserves, not "GITHUB_CODACY"`,
			Message: "{fault}",
			Hint:    "Choose a name by GitHub's rules: https://docs.github.com/actions/reference/security/secrets#naming-your-secrets",
			Details: "All inputs are validated before the first request, and all errors are reported together.",
		},
		{
			ID: NoMatch, Input: "repositories", Exit: 2,
			Message: "the patterns select none of the {hidden} repositories of {organization}",
			Hint:    "Match the names at {web}/orgs/{organization}/repositories, without the owner, such as api-*",
			Details: "Together with `exclude-repositories`.",
		},
		{
			ID: AllArchived, Exit: 0,
			Message: "every selected repository of {organization} ({hidden} in all) is archived or disabled, so there is nothing to write",
			Hint:    "Unarchive those that build, first {first}: Danger Zone at {web}/{first}/settings",
			Details: "An archived repository takes no secrets; each one is skipped.",
		},
		{
			ID: SecretsFull, Exit: 1,
			Message: "{first} has 100 secrets in the store {store}, as many as GitHub allows (so in {hidden} repositories in all)",
			Hint:    "Delete one that nothing uses at {web}/{first}/settings/secrets/{store}",
			Details: "GitHub refused the secret, and its list shows 100. The token that was made for it was deleted at once. Environments and the organization have limits of their own.",
		},

		{
			ID: AccountTokenExpiring, Input: "codacy-api-token", Exit: 0,
			Message: "the account API token expires on {date}, in {left}; from then on nothing is renewed",
			Hint:    "Choose Create API token under Account API tokens at {account-tokens}, and store it in place of the old one",
			Details: "Told from 30 days before, in every run.",
		},
		{
			ID: GitHubTokenExpiring, Input: "github-token", Exit: 0,
			Message: "the token expires on {date}, in {left}; from then on nothing is written",
			Hint:    "Choose Regenerate token at {page}, and store it in place of the old one",
			Details: "Told from 30 days before, in every run, where GitHub says when it expires. An App's key does not expire.",
		},
		{
			ID: CannotRenew, Exit: 0,
			Message: "{hidden} of the repositories can't be renewed; the first to break is {first}, on {date}",
			Hint:    "Let the credential see them at {page}",
			Details: "Each has a living token of ours, and GitHub does not show it: it was deleted, moved to another owner, or taken off the credential. " +
				"A repository that is gone for good is best removed from Codacy.",
		},
		{
			ID: ScheduleTooRare, Input: "renew-before-days", Exit: 0,
			Message: `the schedule "{cron}" leaves up to {interval} between two runs, more than half of the {renew} days before the expiry in which tokens are renewed`,
			Hint:    "Run once a week, or renew earlier: https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows#schedule",
			Details: "With half of them a run may fail, or be dropped as GitHub's schedules are when it is busy, and the next one still comes in time.",
		},
	}
}
