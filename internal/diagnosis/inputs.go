package diagnosis

import (
	"github.com/codacy/codacy-project-tokens/internal/config"
)

// The cases of single inputs.
const (
	NoCredential ID = "credential-is-empty"
	ReservedName ID = "secret-name-reserved"
)

var inputsCases = []Case{
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
}

// InputCase returns the case of an input error; false if there is nothing more to
// say than the error itself.
func InputCase(k config.Kind) (ID, bool) {
	switch k {
	case config.Blank:
		return NoCredential, true
	case config.Reserved:
		return ReservedName, true
	}
	return "", false
}
