package contract

import (
	"regexp"
	"slices"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// undeclared is a response whose status the service's description does not declare
// for the operation.
type undeclared struct {
	service   sandbox.Service
	operation string // a regular expression; empty for all
	status    []int
	schema    string // of the body, in the service's description
	why       string // the service sends it
	source    string
}

// exceptions are all undeclared responses that are allowed. Each must occur, so
// that none outlives its reason.
var exceptions = []undeclared{
	{
		sandbox.Codacy, "",
		[]int{503, 504},
		"BadRequest",
		"beyond the rate limit of Codacy Cloud, or overloaded",
		"https://docs.codacy.com/codacy-api/using-the-codacy-api/",
	},
	{
		sandbox.Codacy, "",
		[]int{429},
		"BadRequest",
		"not one of Codacy's own responses, but any gateway in front of it may send it",
		"https://www.rfc-editor.org/rfc/rfc6585#section-4",
	},
	{
		sandbox.Codacy, "",
		[]int{502},
		"BadRequest",
		"declared for listOrganizationRepositories only; the gateway is in front of all operations",
		"https://api.codacy.com/api/api-docs",
	},
	{
		sandbox.Codacy, "createRepositoryApiToken",
		[]int{409},
		"BadRequest",
		"token names are unique in a repository, and the status is not documented; the description is older than the names",
		"https://docs.codacy.com/codacy-api/api-tokens/",
	},
	{
		sandbox.Codacy, "getUser",
		[]int{404},
		"InvalidToken",
		`the response to a deleted account token is {"error":"not found"}`,
		"https://docs.codacy.com/codacy-api/api-tokens/",
	},
	{
		sandbox.GitHub, "",
		[]int{401},
		"basic-error",
		"bad credentials",
		"https://docs.github.com/rest/authentication/authenticating-to-the-rest-api",
	},
	{
		sandbox.GitHub, "",
		[]int{403},
		"basic-error",
		"a rate limit, a missing permission, a repository that is archived, blocked or locked, or a suspended installation",
		"https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api",
	},
	{
		sandbox.GitHub, "",
		[]int{429},
		"basic-error",
		"a rate limit",
		"https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api",
	},
	{
		sandbox.GitHub, "",
		[]int{500, 502, 503},
		"basic-error",
		"GitHub is down",
		"https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api",
	},
	{
		sandbox.GitHub, "/(list-repo-secrets|get-repo-public-key|get-repo-secret|create-or-update-repo-secret|delete-repo-secret)$",
		[]int{404},
		"basic-error",
		"no such secret, or the credential does not see the repository",
		"https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api",
	},
	{
		sandbox.GitHub, "^apps/get-org-installation$",
		[]int{404},
		"basic-error",
		"the App is not installed there, or the owner is a user",
		"https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api",
	},
	{
		sandbox.GitHub, "/(list-repo-secrets|get-repo-public-key|get-repo-secret|create-or-update-repo-secret|delete-repo-secret)$",
		[]int{451},
		"basic-error",
		"the repository is unavailable for legal reasons",
		"https://docs.github.com/site-policy/content-removal-policies/dmca-takedown-policy",
	},
	{
		sandbox.GitHub, "/create-or-update-repo-secret$",
		[]int{409},
		"basic-error",
		"a sporadic conflict",
		"https://github.com/integrations/terraform-provider-github/issues/940",
	},
	{
		sandbox.GitHub, "/create-or-update-repo-secret$",
		[]int{422},
		"basic-error",
		"the key no longer belongs to the repository",
		"https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api",
	},
	{
		sandbox.GitHub, "/(list-repo-secrets|get-repo-public-key|get-repo-secret)$",
		[]int{301},
		"basic-error",
		"the repository was renamed",
		"https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api",
	},
	{
		sandbox.GitHub, "/(create-or-update-repo-secret|delete-repo-secret)$",
		[]int{307},
		"basic-error",
		"the repository was renamed",
		"https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api",
	},
}

func exceptionFor(s sandbox.Service, operation string, status int) *undeclared {
	for i := range exceptions {
		e := &exceptions[i]
		if e.service == s && slices.Contains(e.status, status) && regexp.MustCompile(e.operation).MatchString(operation) {
			return e
		}
	}
	return nil
}
