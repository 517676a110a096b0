package diagnosis

import (
	"errors"
	"maps"
	"net/url"

	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// Credential is the kind of GitHub's credential.
type Credential int

const (
	// Token is a personal token.
	Token Credential = iota
	// InstallationToken is a token that starts with ghs_, passed as the token.
	InstallationToken
	// App is a GitHub App whose tokens the action creates.
	App
)

// Setup is what a diagnosis has to know of a run: how it was set up, and what was
// listed.
type Setup struct {
	Organization, Provider  string
	CodacyAPIURL, GitHubURL *url.URL // of the APIs
	Pages                   Pages
	Credential              Credential
	// AppID and Installation describe the App, if there is one.
	AppID        string
	Installation github.InstallationInfo
	// LooksLikeProjectToken reports whether the account token has the form of a
	// project token.
	LooksLikeProjectToken bool
	Stores                []rotation.Store
	// Runner reports whether the program runs on a runner of GitHub Actions.
	Runner bool
	// Traits reports whether a pattern matches topics or visibility.
	Traits bool
	// WorkflowRepository is the repository of the workflow, "owner/name"; empty
	// outside a runner.
	WorkflowRepository string
	// PrivateOnCodacy and PrivateOnGitHub count the private repositories that were
	// listed.
	PrivateOnCodacy, PrivateOnGitHub int
	// Label returns the name by which the user knows an input.
	Label func(input string) string
}

// Problem is an error or a warning whose case is known.
type Problem struct {
	ID     ID
	Values Values // in addition to the values that every case can use
	Err    error  // the service's error; nil if there isn't one
}

func (p *Problem) Error() string { return string(p.ID) }

// Unwrap returns the service's error.
func (p *Problem) Unwrap() error { return p.Err }

// Render returns the two lines of a problem: what is wrong, and what to do.
func (s *Setup) Render(p *Problem) (message, hint string) {
	pages := s.Pages
	pages.Installation = s.Installation.Page
	values := pages.values(s.Organization)
	maps.Copy(values, Values{
		"organization": s.Organization, "provider": s.Provider, "app": s.AppID, "repository": s.WorkflowRepository,
	})
	maps.Copy(values, p.Values)
	message, hint = Render(p.ID, s.Runner, s.label, values)
	if p.Err != nil {
		message += " (" + p.Err.Error() + ")"
	}
	return message, hint
}

// label returns the label of the input that a case is about. What is said of the
// token applies to an App's tokens as well.
func (s *Setup) label(input string) string {
	if input == "github-token" && s.Credential == App {
		input = "github-app-id"
	}
	return s.Label(input)
}

// asWire returns err as a *wire.Error: a zero one otherwise.
func asWire(err error) *wire.Error {
	var e *wire.Error
	if errors.As(err, &e) {
		return e
	}
	return &wire.Error{}
}
