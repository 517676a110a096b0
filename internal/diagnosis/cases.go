package diagnosis

// The IDs of the cases.
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
	DeniedInSome        ID = "access-denied-to-some-repositories"
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
	WebPage     ID = "web-page-instead-of-the-api"
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
	TokensPileUp         ID = "old-tokens-pile-up"
)

// Cases lists all cases, in the order of the docs.
func Cases() []Case {
	return []Case{
		{
			ID: WorkflowToken, Input: "github-token", Exit: 2,
			Message: "this is a workflow's GITHUB_TOKEN, or a token for one repository; it can't write the secrets of {organization}'s repositories",
			Hint:    "Create a fine-grained token for {organization} with Secrets: Read and write at {new-token}, store it as a secret, and pass that secret",
			Details: "`GITHUB_TOKEN` can't write secrets, whatever its `permissions`, and can only access its own repository. " +
				"A token from `actions/create-github-app-token` without `owner` is limited in the same way: set `owner`, or pass the App's key to this action. " +
				"For the new token, choose *Resource owner*: the organization, and *Repository access*: *All repositories*.",
		},
		{
			ID: GitHubTokenRejected, Input: "github-token", Exit: 2,
			Message: "GitHub rejects this token: it has expired, was revoked, or is incomplete",
			Hint:    "Find it at {tokens}, or at {classic-tokens} if it is a classic token; regenerate it and store the new value",
			Details: "GitHub's response had the status 401, twice.",
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
			ID: TokenSeesNothing, Input: "github-token", Exit: 2,
			Message: "the credential can see no repository of {organization} on GitHub",
			Hint: "Check Resource owner and Repository access at {tokens}, and ask an owner of {organization} " +
				"to approve the token at {token-requests}",
			Details: "GitHub's list is empty. For a GitHub App, choose its repositories on the installation's page.",
		},
		{
			ID: SingleSignOn, Input: "github-token", Exit: 2,
			Message: "{organization} uses SAML single sign-on, and this token is not authorized for it",
			Hint:    "Choose Configure SSO next to the token at {classic-tokens}, then Authorize for {organization}",
			Details: "GitHub says so in the header `X-GitHub-SSO` or in its message. Fine-grained tokens and Apps don't need this step.",
		},
		{
			ID: IPAllowList, Input: "github-token", Exit: 2,
			Message: "{organization} has an IP allow list that does not contain this machine's address",
			Hint:    "Use an allowed runner, or ask an owner to add the address: https://docs.github.com/organizations/keeping-your-organization-secure/managing-allowed-ip-addresses-for-your-organization",
			Details: "The addresses of GitHub-hosted runners change. Larger runners can have static addresses.",
		},
		{
			ID: GitHubRole, Exit: 1,
			Message: "the token's owner has no admin rights on {first}, which GitHub requires for secrets (affected: {hidden})",
			Hint:    "Give the owner the role Admin at {web}/{first}/settings/access, or use a token from an admin",
			Details: "GitHub's message is `Must have admin rights to Repository`. Tokens that were created for such a repository are deleted immediately.",
		},
		{
			ID: DeniedInSome, Exit: 1,
			Message: "GitHub denies access to the secrets of {first} in the store {store}, but not to those of other repositories (affected: {hidden})",
			Hint:    "Give the credential access to them at {page}, or exclude them with {:exclude-repositories}",
			Details: "A fine-grained token for selected repositories also lists public repositories that were not selected. " +
				"The other repositories are served.",
		},
		{
			ID: GitHubOwner, Input: "organization", Exit: 2,
			Message: `GitHub has no organization or user "{organization}" that this token can see`,
			Hint:    "Copy the name from the address of the owner's page at {web}",
			Details: "The name is the one in the address of its page, not the display name.",
		},

		{
			ID: AppUnknown, Input: "github-app-id", Exit: 2,
			Message: "GitHub has no App with the ID {app}",
			Hint:    "Copy the App ID or client ID from the App's page at {apps}, and pass a key of that App in {:github-app-private-key}",
			Details: "Older versions of GitHub Enterprise Server accept only the App ID.",
		},
		{
			ID: AppKey, Input: "github-app-private-key", Exit: 2,
			Message: "GitHub rejects this private key for the App {app}",
			Hint:    "Choose Generate a private key at {apps} and pass the whole file, or correct {:github-app-id}",
			Details: "The value is an RSA key, but GitHub doesn't have it for this App. It was deleted there, or belongs to another App.",
		},
		{
			ID: AppClock, Input: "github-app-id", Exit: 2,
			Message: "GitHub rejects the time in the App's JWT; this machine's clock shows {date}",
			Hint:    "Synchronize the clock with NTP: https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app",
			Details: "The action compensates for clock skew with the dates of GitHub's responses. That fails if a proxy changes these dates.",
		},
		{
			ID: AppNotInstalled, Input: "github-app-id", Exit: 2,
			Message: "the App {app} is not installed on {organization}",
			Hint:    "Choose Install App at {apps} and install it on {organization}, or correct {:organization}",
			Details: "An App of another owner has to be public before you can install it.",
		},
		{
			ID: AppSuspended, Input: "github-app-id", Exit: 2,
			Message: "GitHub doesn't create a token for the App {app} on {organization}",
			Hint:    "Check the installation at {installation}; if it is suspended, choose Unsuspend",
			Details: "The installation exists, but GitHub rejected the request for a token. GitHub's own message follows in parentheses.",
		},
		{
			ID: AppSelected, Input: "github-app-id", Exit: 0,
			Message: "GitHub doesn't show {hidden} of {selected} selected repositories, because the App is installed on selected repositories only",
			Hint:    "Choose All repositories, or add the missing ones, under Repository access at {installation}",
			Details: "These repositories are skipped. If that is intended, exclude them with `repositories` or `exclude-repositories`.",
		},
		{
			ID: AppPermission, Input: "github-app-id", Exit: 2,
			Message: "the App's installation has no permission {permission}: Read and write, which the store {store} requires",
			Hint:    "Set {permission} to Read and write under Permissions & events at {apps}, then accept the new permission at {installation}",
			Details: "GitHub lists an installation's permissions, so the run ends before it writes anything. In a dry run this is a warning.",
		},

		{
			ID: AccountTokenRejected, Input: "codacy-api-token", Exit: 2,
			Message: "Codacy rejects this account API token: it was revoked, is for a different Codacy instance, or is incomplete",
			Hint:    "Create an account API token at {account-tokens} and store it, or correct {:codacy-api-url}",
			Details: "Codacy's response to `GET /user` had the status 401, or 404 as it can have for a revoked token.",
		},
		{
			ID: AccountTokenExpired, Input: "codacy-api-token", Exit: 2,
			Message: "this account API token has expired",
			Hint:    "Create an account API token at {account-tokens}, and replace the stored one",
			Details: "Every run warns from 30 days before the expiry.",
		},
		{
			ID: ProjectToken, Input: "codacy-api-token", Exit: 2,
			Message: "Codacy rejects this token, and it looks like the API token of one repository; an account API token is required",
			Hint:    "Create an account API token at {account-tokens}",
			Details: "It has the form of a project token: 32 hexadecimal digits, as a repository's *Settings*, *API tokens* page shows them. This action creates such tokens, and needs an account API token for that.",
		},
		{
			ID: CodacyRole, Input: "codacy-api-token", Exit: 1,
			Message: "Codacy doesn't show the tokens of {first}, because the account has no admin rights on it (affected: {hidden})",
			Hint:    "Give the token's account admin rights: https://docs.codacy.com/organizations/roles-and-permissions-for-organizations",
			Details: "Codacy listed the repository, but its response for the tokens had the status 404 or 403. Codacy takes the role from GitHub, so the account needs admin rights there.",
		},
		{
			ID: CodacyOrganization, Input: "organization", Exit: 2,
			Message: `Codacy has no organization "{organization}" of the provider "{provider}" that this account can see`,
			Hint:    "Add the organization at {codacy}, or have the token's account join it there",
			Details: "Codacy's response to the list of repositories had the status 404.",
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
			ID: NothingAdded, Input: "organization", Exit: 2,
			Message: "no repository of {organization} that this account can see is added to Codacy (not added: {hidden})",
			Hint:    "Add repositories at {codacy}",
			Details: "Codacy also lists repositories that it doesn't analyze. They accept no tokens.",
		},

		{
			ID: CodacyURL, Input: "codacy-api-url", Exit: 2,
			Message: "{address} is not the address of Codacy's API; it returns a web page",
			Hint:    "Use https://app.codacy.com/api/v3, or https://HOST/api/v3 for a self-hosted Codacy: https://docs.codacy.com/codacy-api/using-the-codacy-api/",
			Details: "The address does not end in `/api/v3`, and the response was not JSON.",
		},
		{
			ID: GitHubURL, Input: "github-api-url", Exit: 2,
			Message: "{address} is not the address of GitHub's API; it returns a web page",
			Hint:    "Use https://api.github.com, or https://HOST/api/v3 for an Enterprise Server: https://docs.github.com/rest/using-the-rest-api/getting-started-with-the-rest-api",
			Details: "It is the address of the web pages, and the response was not JSON.",
		},
		{
			ID: WebPage, Exit: 1,
			Message: "{service}'s API at {address} returned a web page; a proxy or firewall intercepts the connection",
			Hint:    "Let the runner connect to {host} directly or through HTTPS_PROXY: https://docs.github.com/actions/how-tos/manage-runners/use-proxy-servers",
			Details: "The page may be a proxy's login page, a firewall's message, or the service's maintenance page. The address itself looks correct.",
		},
		{
			ID: Certificate, Exit: 1,
			Message: "{service}'s certificate at {host} is not trusted: a proxy inspects TLS, or the server has a private CA",
			Hint:    "Set SSL_CERT_FILE in the step's env to the CA's PEM file in the workspace: https://pkg.go.dev/crypto/x509#SystemCertPool",
			Details: "In the container the workspace is `/github/workspace`, for example `env: { SSL_CERT_FILE: /github/workspace/ca.pem }`. Nothing was sent.",
		},
		{
			ID: Proxy, Exit: 1,
			Message: "the proxy {proxy} blocks connections to {service} at {host}",
			Hint:    "Correct HTTPS_PROXY, or add the host to NO_PROXY: https://docs.github.com/actions/how-tos/manage-runners/use-proxy-servers",
			Details: "Both are environment variables. An address without a scheme means `http://`.",
		},
		{
			ID: HostUnknown, Exit: 1,
			Message: "the host name {host} of {service}'s API can't be resolved",
			Hint:    "Correct the address, or use a runner in the network that knows the host: https://docs.github.com/actions/how-tos/manage-runners/self-hosted-runners",
			Details: "There is a typing error in `codacy-api-url` or `github-api-url`, or only the network of a self-hosted runner knows the host.",
		},

		{
			ID: NoCredential, Exit: 2,
			Example: "codacy-api-token: is required; a secret that doesn't exist, or is hidden from this run, is empty",
			Message: "{fault}",
			Hint:    "Check that the secret that the workflow passes exists at {web}/{repository}/settings/secrets/actions",
			Details: "A secret that doesn't exist is empty, without an error. Workflows of pull requests from forks and from Dependabot don't see it. " +
				"Neither does a repository that an organization's secret is not shared with.",
		},
		{
			ID: ReservedName, Exit: 2,
			Example: `secret-name: must be a name that does not start with GITHUB_, which GitHub reserves, not "GITHUB_CODACY"`,
			Message: "{fault}",
			Hint:    "Choose another name: https://docs.github.com/actions/reference/security/secrets#naming-your-secrets",
			Details: "All inputs are checked before the first request, and all errors are reported together.",
		},
		{
			ID: NoMatch, Input: "repositories", Exit: 2,
			Message: "the patterns select none of {organization}'s repositories (excluded: {hidden})",
			Hint:    "Use names from {web}/orgs/{organization}/repositories without the owner, for example api-*",
			Details: "`exclude-repositories` applies as well.",
		},
		{
			ID: AllArchived, Exit: 0,
			Message: "all {hidden} selected repositories of {organization} are archived or disabled, so there is nothing to write",
			Hint:    "Unarchive repositories that still run builds, for example {first}: Danger Zone at {web}/{first}/settings",
			Details: "An archived repository accepts no secrets, so it is skipped.",
		},
		{
			ID: SecretsFull, Exit: 1,
			Message: "{first} has 100 secrets in the store {store}, GitHub's limit (affected: {hidden})",
			Hint:    "Delete an unused secret at {web}/{first}/settings/secrets/{store}",
			Details: "GitHub rejected the secret, and the store has 100. The token that was created for it is deleted immediately. Environments and organizations have limits of their own.",
		},

		{
			ID: AccountTokenExpiring, Input: "codacy-api-token", Exit: 0,
			Message: "{which} expires on {date}, in {left}; after that, no token can be renewed",
			Hint:    "Create an account API token at {account-tokens}, and replace the stored one",
			Details: "Every run warns from 30 days before the expiry. If Codacy masks the values in its list, the action can't find its own token there. " +
				"Then it warns about the token that expires first, as \"one of the account's API tokens\".",
		},
		{
			ID: GitHubTokenExpiring, Input: "github-token", Exit: 0,
			Message: "the token expires on {date}, in {left}; after that, no secret can be written",
			Hint:    "Choose Regenerate token at {page}, and replace the stored one",
			Details: "Every run warns from 30 days before the expiry, if GitHub shows it. An App's private key does not expire.",
		},
		{
			ID: CannotRenew, Exit: 0,
			Message: "{hidden} repositories can't be renewed; the first one to expire is {first}, on {date}",
			Hint:    "Give the credential access to them at {page}",
			Details: "Each has a valid token from this action, but GitHub doesn't show the repository to the credential. It was deleted, transferred, or removed from the credential's access. " +
				"If a repository was deleted for good, remove it from Codacy.",
		},
		{
			ID: ScheduleTooRare, Input: "renew-before-days", Exit: 0,
			Message: `the schedule "{cron}" has up to {interval} between runs, more than half of the {renew} days in which tokens are renewed`,
			Hint:    "Run weekly, or renew earlier: https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows#schedule",
			Details: "A run can fail, and GitHub drops scheduled runs when it is busy. With half of the days between runs, the next run is still in time.",
		},
		{
			ID: TokensPileUp, Input: "revoke-after-hours", Exit: 0,
			Message: "{hours} is not below the schedule's interval of {interval}, so with {:rotate} always, old tokens are never revoked",
			Hint:    "Set {:revoke-after-hours} below the schedule's interval, or {:rotate} to expiring: https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows#schedule",
			Details: "Every run writes the secrets, and a token is only revoked that many hours after the last write. " +
				"Codacy allows 100 tokens per repository. At 100, the action deletes the lowest one that no secret holds.",
		},
	}
}
