package diagnosis

import (
	"fmt"
	"strings"

	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/match"
)

// The cases of a selection.
const (
	NoMatch          ID = "patterns-match-nothing"
	TraitsNoMatch    ID = "topics-or-visibility-match-nothing"
	NothingAdded     ID = "no-repository-added-to-codacy"
	TokenSeesNothing ID = "token-sees-no-repository"
	AppSelected      ID = "app-installed-on-selected-repositories"
	AllArchived      ID = "all-repositories-archived"
)

var selectionCases = []Case{
	{
		ID: NoMatch, Input: "repositories", Exit: 2,
		Message: "the patterns select none of {organization}'s repositories (excluded: {hidden})",
		Hint:    "Use names from {web}/{organization} without the owner, for example api-*",
		Details: "`exclude-repositories` applies as well.",
	},
	{
		ID: TraitsNoMatch, Input: "repositories", Exit: 2,
		Message: "the patterns select none of {organization}'s repositories (excluded: {hidden})",
		Hint:    "Use topics and visibility as {web}/{organization} shows them, for example topic:backend or visibility:private",
		Details: "`exclude-repositories` applies as well. Topics and visibility come from GitHub: no such pattern matches a repository that GitHub doesn't show.",
	},
	{
		ID: NothingAdded, Input: "organization", Exit: 2,
		Message: "no repository of {organization} that this account can see is added to Codacy (not added: {hidden})",
		Hint:    "Add repositories at {codacy}",
		Details: "Codacy also lists repositories that it doesn't analyze. They accept no tokens.",
	},
	{
		ID: TokenSeesNothing, Input: "github-token", Exit: 2,
		Message: "the credential can see no repository of {organization} on GitHub",
		Hint: "Check Resource owner and Repository access at {tokens}, and ask an owner of {organization} " +
			"to approve the token at {token-requests}",
		Details: "GitHub's list is empty. For a GitHub App, choose its repositories on the installation's page.",
	},
	{
		ID: AppSelected, Input: "github-app-id", Exit: 0,
		Message: "GitHub doesn't show {hidden} of {selected} selected repositories, because the App is installed on selected repositories only",
		Hint:    "Choose All repositories, or add the missing ones, under Repository access at {installation}",
		Details: "These repositories are skipped. If that is intended, exclude them with `repositories` or `exclude-repositories`.",
	},
	{
		ID: AllArchived, Exit: 0,
		Message: "all {hidden} selected repositories of {organization} are archived or disabled, so there is nothing to write",
		Hint:    "Unarchive repositories that still run builds, for example {first}: Danger Zone at {web}/{first}/settings",
		Details: "An archived repository accepts no secrets, so it is skipped.",
	},
}

// Listed is what both services listed.
type Listed struct {
	Owner github.Owner
	// OnGitHub is the number of the owner's repositories that GitHub shows, and Only
	// one of them, "owner/name".
	OnGitHub int
	Only     string
}

// Misconfiguration returns the case that a selection shows in which nothing, or
// little, can be done; nil if there isn't one.
func (s *Setup) Misconfiguration(listed Listed, targets []match.Target, counts match.Counts) *Problem {
	notVisible, closed := 0, 0
	for _, t := range targets {
		switch {
		case t.NotVisible:
			notVisible++
		case t.Skip != "" && !t.Conflict:
			closed++
		}
	}
	hidden := func(id ID, n int) *Problem {
		return &Problem{id, Values{"hidden": fmt.Sprint(n), "selected": fmt.Sprint(len(targets))}, nil}
	}
	switch {
	case len(targets) == 0:
		return s.nothingSelected(counts)
	case notVisible == len(targets) && s.Credential == InstallationToken && listed.OnGitHub <= 1 && strings.EqualFold(listed.Only, s.WorkflowRepository):
		return &Problem{ID: WorkflowToken}
	case listed.OnGitHub == 0 && s.PrivateOnCodacy > 0 && listed.Owner.Scope == github.Organization && !listed.Owner.Classic:
		return &Problem{ID: TokenOtherOwner}
	case listed.OnGitHub == 0:
		return &Problem{ID: TokenSeesNothing}
	case notVisible > 0 && s.Credential == App && s.Installation.Selection == "selected":
		return hidden(AppSelected, notVisible)
	case closed == len(targets):
		p := hidden(AllArchived, closed)
		p.Values["first"] = targets[0].GitHub.Owner + "/" + targets[0].GitHub.Name
		return p
	}
	return nil
}

// nothingSelected returns why no repository is selected.
func (s *Setup) nothingSelected(counts match.Counts) *Problem {
	id, n := NoMatch, counts.Excluded
	switch {
	case counts.Excluded > 0 && s.Traits:
		id = TraitsNoMatch
	case counts.Excluded == 0:
		id, n = NothingAdded, counts.NotAdded
	}
	return &Problem{id, Values{"hidden": fmt.Sprint(n)}, nil}
}
