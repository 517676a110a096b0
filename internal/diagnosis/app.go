package diagnosis

import (
	"errors"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// The cases of a GitHub App.
const (
	AppUnknown      ID = "app-unknown"
	AppKey          ID = "key-of-another-app"
	AppClock        ID = "clock-off"
	AppNotInstalled ID = "app-not-installed"
	AppSuspended    ID = "app-suspended"
	AppPermission   ID = "app-without-permission"
)

var appCases = []Case{
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
		ID: AppPermission, Input: "github-app-id", Exit: 2,
		Message: "the App's installation has no permission {permission}: Read and write, which the store {store} requires",
		Hint:    "Set {permission} to Read and write under Permissions & events at {apps}, then accept the new permission at {installation}",
		Details: "GitHub lists an installation's permissions, so the run ends before it writes anything. In a dry run this is a warning.",
	},
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

// MissingPermission returns the permission that the App's installation lacks; nil
// if it lacks none. Where GitHub doesn't list them, the first write shows it.
func (s *Setup) MissingPermission() *Problem {
	granted := s.Installation.Permissions
	for _, store := range s.Stores {
		if p := store.Permission(); len(granted) > 0 && granted[p.Name] != "write" {
			return &Problem{AppPermission, Values{"permission": p.Page, "store": string(store)}, nil}
		}
	}
	return nil
}
