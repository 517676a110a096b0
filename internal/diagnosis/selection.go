package diagnosis

import (
	"fmt"
	"strings"

	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/match"
)

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
		case t.Skip != "":
			closed++
		}
	}
	hidden := func(id ID, n int) *Problem {
		return &Problem{id, Values{"hidden": fmt.Sprint(n), "selected": fmt.Sprint(len(targets))}, nil}
	}
	switch {
	case len(targets) == 0 && counts.Excluded > 0:
		return hidden(NoMatch, counts.Excluded)
	case len(targets) == 0:
		return hidden(NothingAdded, counts.NotAdded)
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
