package contract

import (
	"regexp"
	"slices"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// undeclared is an answer that a service gives although its description does
// not declare the status for the operation.
type undeclared struct {
	service   sandbox.Service
	operation string // a regular expression; empty for all
	status    []int
	schema    string // of the body, in the service's description
	why       string
	source    string
}

// exceptions are all answers that may come undeclared. Each must occur in the
// runs, so that none outlives its reason.
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
		"no answer of Codacy's own, but any gateway before it may give it",
		"https://www.rfc-editor.org/rfc/rfc6585#section-4",
	},
	{
		sandbox.Codacy, "",
		[]int{502},
		"BadRequest",
		"declared for listOrganizationRepositories alone; the gateway is before all of them",
		"https://api.codacy.com/api/api-docs",
	},
	{
		sandbox.Codacy, "createRepositoryApiToken",
		[]int{409},
		"BadRequest",
		"names of tokens are unique in a repository; the description is from before there were names",
		"https://docs.codacy.com/codacy-api/api-tokens/",
	},
	{
		sandbox.Codacy, "getUser",
		[]int{404},
		"DeadToken",
		`a deleted account token is answered with {"error":"not found"}`,
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
		[]int{403, 429},
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
		sandbox.GitHub, "/(get-repo-public-key|get-repo-secret|create-or-update-repo-secret)$",
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
		sandbox.GitHub, "/create-or-update-repo-secret$",
		[]int{422},
		"basic-error",
		"the key is not the repository's any more",
		"https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api",
	},
	{
		sandbox.GitHub, "/(get-repo-public-key|get-repo-secret)$",
		[]int{301},
		"basic-error",
		"the repository was renamed",
		"https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api",
	},
	{
		sandbox.GitHub, "/create-or-update-repo-secret$",
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
