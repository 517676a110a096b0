package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/diagnosis"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/match"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// sides are what both services listed.
type listings struct {
	matcher        *match.Matcher
	codacy         []codacy.Repository
	owner          github.Owner
	onlyRepository string // the one repository that GitHub shows, if it is one
}

// list proves the credentials, lists both sides and selects. Nil targets: the run
// ends here, with the code.
func (s *session) list(ctx context.Context) ([]match.Target, int) {
	both, code := s.listBoth(ctx)
	if code != ExitOK {
		return nil, code
	}
	targets, left := both.matcher.Select(match.Selection{
		Include: s.Repositories.Match,
		Exclude: s.ExcludeRepositories.Match,
		Index:   s.Shard.Index, Count: s.Shard.Count,
	})
	s.rep.Selected(len(both.codacy), both.matcher.GitHubCount(), len(targets), left)
	s.warnExpiring(both.owner)
	if len(targets) == 0 && left.OtherShards > 0 {
		s.started = true
		return nil, ExitOK
	}
	p := s.Misconfiguration(both, targets, left)
	switch {
	case p == nil:
	case diagnosis.Lookup(p.id).Exit == ExitOK:
		s.rep.Warning(s.render(p))
	default:
		return nil, s.failStart(p)
	}
	return targets, ExitOK
}

// listBoth lists both sides at once.
func (s *session) listBoth(ctx context.Context) (*listings, int) {
	both := &listings{matcher: match.New(s.Organization)}
	var unknown, codacyErr, gitHubErr error
	codacySide := make(chan struct{})
	go func() {
		defer close(codacySide)
		unknown, codacyErr = s.listCodacy(ctx, func(r codacy.Repository) {
			both.codacy = append(both.codacy, r)
			if r.Private && r.Added {
				s.private.onCodacy++
			}
		})
	}()
	both.owner, gitHubErr = s.listGitHub(ctx, func(r github.Repository) {
		both.matcher.AddGitHub(r)
		both.onlyRepository = r.Owner + "/" + r.Name
		if r.Private {
			s.private.onGitHub++
		}
	})
	<-codacySide
	s.owner = both.owner
	if ctx.Err() != nil {
		s.rep.Warning("interrupted before anything was changed", "")
		return nil, ExitInterrupted
	}
	if unknown != nil {
		codacyErr = s.OrganizationError(ctx, unknown, both.owner.Login)
	}
	code := ExitOK
	for _, err := range []error{codacyErr, gitHubErr} {
		if err != nil {
			code = max(code, s.failStart(err))
		}
	}
	for _, r := range both.codacy {
		both.matcher.AddCodacy(r)
	}
	return both, code
}

// strange is the case that a selection shows in which nothing, or little, can be
// done; nil for none.
func (s *session) Misconfiguration(both *listings, targets []match.Target, left match.Counts) *Problem {
	unseen, closed := 0, 0
	for _, t := range targets {
		switch {
		case t.NotVisible:
			unseen++
		case t.Skip != "":
			closed++
		}
	}
	hidden := func(id diagnosis.ID, n int) *Problem {
		return &Problem{id, diagnosis.Values{"hidden": fmt.Sprint(n), "selected": fmt.Sprint(len(targets))}, nil}
	}
	shown, owner := both.matcher.GitHubCount(), both.owner
	switch {
	case len(targets) == 0 && left.Excluded > 0:
		return hidden(diagnosis.NoMatch, left.Excluded)
	case len(targets) == 0:
		return hidden(diagnosis.NothingAdded, left.NotAdded)
	case unseen == len(targets) && s.isInstallationToken() && shown <= 1 && strings.EqualFold(both.onlyRepository, s.cmd.Getenv("GITHUB_REPOSITORY")):
		return &Problem{id: diagnosis.WorkflowToken}
	case shown == 0 && s.private.onCodacy > 0 && owner.Scope == github.Organization && !owner.Classic:
		return &Problem{id: diagnosis.TokenOtherOwner}
	case shown == 0:
		return &Problem{id: diagnosis.TokenSeesNothing}
	case unseen > 0 && s.app != nil && s.app.Installation().Selection == "selected":
		return hidden(diagnosis.AppSelected, unseen)
	case closed == len(targets):
		p := hidden(diagnosis.AllArchived, closed)
		p.values["first"] = targets[0].GitHub.Owner + "/" + targets[0].GitHub.Name
		return p
	}
	return nil
}

// listCodacy lists Codacy's repositories. Where it does not know the
// organization, unknown is the error.
func (s *session) listCodacy(ctx context.Context, yield func(codacy.Repository)) (unknown, err error) {
	if err := s.codacy.User(ctx); err != nil {
		return nil, s.CodacyError(err)
	}
	err = s.codacy.Repositories(ctx, yield)
	switch {
	case err == nil:
		// Only for a warning: a run does without it.
		s.accountTokenExpires, _ = s.codacy.Expiry(ctx, s.CodacyAPIToken)
		return nil, nil
	case wire.IsNotFound(err):
		return err, nil
	case isRejected(err):
		return nil, &Problem{diagnosis.AccountTokenRefused, nil, err}
	}
	return nil, s.unreachable(err, s.CodacyAPIURL, "codacy-api-url")
}

// listGitHub lists GitHub's repositories; owner is empty where an installation's
// token is used.
func (s *session) listGitHub(ctx context.Context, yield func(github.Repository)) (owner github.Owner, err error) {
	owner.Scope = github.Installation
	switch {
	case s.app != nil:
		if err := s.app.Start(ctx); err != nil {
			return owner, s.AppError(err)
		}
		if p := s.MissingPermission(); p != nil && s.DryRun {
			s.rep.Warning(s.render(p))
		} else if p != nil {
			return owner, p
		}
	case !s.isInstallationToken():
		owner, err = s.github.Owner(ctx, s.Organization)
		switch {
		case wire.IsNotFound(err) && !asWire(err).Page:
			return owner, &Problem{diagnosis.GitHubOwner, nil, err}
		case err != nil:
			return owner, s.GitHubError(err)
		case owner.Classic && !slices.Contains(owner.Scopes, "repo"):
			found := cmp.Or(strings.Join(owner.Scopes, ", "), "none")
			return owner, &Problem{diagnosis.TokenScope, diagnosis.Values{"found": found}, nil}
		}
	}
	err = s.github.Repositories(ctx, owner.Scope, s.Organization, yield)
	switch {
	case err == nil:
		return owner, nil
	case wire.IsNotFound(err) && !asWire(err).Page:
		return owner, &Problem{diagnosis.TokenSeesNothing, nil, err}
	}
	return owner, s.GitHubError(err)
}
