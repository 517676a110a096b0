package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/config"
	"github.com/codacy/codacy-project-tokens/internal/diagnosis"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/match"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/provision"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

var errListingTimeUp = errors.New("max-duration passed while the repositories were listed")

// listings are what both services listed.
type listings struct {
	matcher *match.Matcher
	codacy  []codacy.Repository
	diagnosis.Listed
}

// list verifies the credentials, lists the repositories of both services and
// selects. Without targets the run ends here, with the exit code.
func (s *session) list(ctx context.Context) (targets []match.Target, code int) {
	bounded, cancel := context.WithDeadlineCause(ctx, s.startBefore, errListingTimeUp)
	defer cancel()
	both, errs := s.listBoth(bounded)
	if len(errs) == 0 {
		if err := provision.SettleClocks(bounded, provision.DecidingResponses, s.clockSources()...); err != nil {
			errs = append(errs, err)
		}
	}
	if ctx.Err() != nil {
		s.rep.Interrupted()
		return nil, outcome.ExitInterrupted
	}
	for _, err := range errs {
		code = max(code, s.failStart(err))
	}
	if code != outcome.ExitOK {
		return nil, code
	}
	targets, skipped := both.matcher.Select(match.Selection{
		Include: func(r github.Repository) bool { return s.cfg.Repositories.Match(selectable(r)) },
		Exclude: func(r github.Repository) bool { return s.cfg.ExcludeRepositories.Match(selectable(r)) },
		Index:   s.cfg.Shard.Index, Count: s.cfg.Shard.Count,
	})
	s.rep.Selected(len(both.codacy), both.matcher.GitHubCount(), len(targets), skipped)
	s.warn(s.setup.Ahead(diagnosis.Expiries{
		AccountToken: s.codacyClock.ToLocal(s.accountExpiry.Time), AccountTokenUncertain: s.accountExpiry.Uncertain,
		GitHubToken: s.githubClock.ToLocal(both.Owner.Expires), Classic: both.Owner.Classic,
	}, s.schedule(), s.cfg.Policy)...)
	if len(targets) == 0 && skipped.OtherShards > 0 {
		s.started = true
		return nil, outcome.ExitOK
	}
	p := s.setup.Misconfiguration(both.Listed, targets, skipped)
	switch {
	case p == nil:
	case diagnosis.Lookup(p.ID).Exit == outcome.ExitOK:
		s.warn(p)
	default:
		return nil, s.failStart(p)
	}
	return targets, outcome.ExitOK
}

func selectable(r github.Repository) config.Selectable {
	s := config.Selectable{Name: r.Name}
	if r.Traits != nil {
		s.Topics, s.Visibility = r.Traits.Topics, r.Traits.Visibility
	}
	return s
}

// listBoth lists both services' repositories at the same time.
func (s *session) listBoth(ctx context.Context) (*listings, []error) {
	both := &listings{matcher: match.New(s.cfg.Organization)}
	var unknown, codacyErr, gitHubErr error
	codacyDone := make(chan struct{})
	go func() {
		defer close(codacyDone)
		unknown, codacyErr = s.listCodacy(ctx, func(r codacy.Repository) {
			both.codacy = append(both.codacy, r)
			if r.Private && r.Added {
				s.setup.PrivateOnCodacy++
			}
		})
	}()
	var spelled string // the owner's name as GitHub spells it
	both.Owner, gitHubErr = s.listGitHub(ctx, func(r github.Repository) {
		both.matcher.AddGitHub(r)
		both.Only = r.Owner + "/" + r.Name
		if strings.EqualFold(r.Owner, s.cfg.Organization) {
			spelled = r.Owner
		}
		if r.Private {
			s.setup.PrivateOnGitHub++
		}
	})
	<-codacyDone
	both.OnGitHub = both.matcher.GitHubCount()
	if both.Owner.Login != "" {
		spelled = both.Owner.Login
	}
	if unknown != nil {
		codacyErr = s.setup.OrganizationError(unknown, spelled, func(provider, organization string) bool {
			return s.codacy.OrganizationExists(ctx, provider, organization)
		})
	}
	for _, r := range both.codacy {
		both.matcher.AddCodacy(r)
	}
	return both, diagnosis.BothErrors(codacyErr, gitHubErr)
}

// listCodacy lists Codacy's repositories. If it does not know the organization,
// unknown is the error.
func (s *session) listCodacy(ctx context.Context, yield func(codacy.Repository)) (unknown, err error) {
	if err := s.codacy.User(ctx); err != nil {
		return nil, s.setup.CodacyError(err)
	}
	err = s.codacy.Repositories(ctx, yield)
	switch {
	case wire.IsNotFound(err):
		return err, nil
	case err != nil:
		return nil, s.setup.CodacyListError(err)
	}
	// Ignore the error: the expiry is only needed for a warning.
	s.accountExpiry, _ = s.codacy.Expiry(ctx, s.cfg.CodacyAPIToken, s.codacyNow())
	return nil, nil
}

// listGitHub lists GitHub's repositories. The owner is empty with an installation
// token.
func (s *session) listGitHub(ctx context.Context, yield func(github.Repository)) (owner github.Owner, err error) {
	owner.Scope = github.Installation
	switch s.setup.Credential {
	case diagnosis.App:
		err := s.app.Start(ctx)
		s.setup.Installation = s.app.Installation()
		if err != nil {
			return owner, s.setup.AppError(err)
		}
		if p := s.setup.MissingPermission(); p != nil && s.cfg.DryRun {
			s.warn(p)
		} else if p != nil {
			return owner, p
		}
	case diagnosis.Token:
		if owner, err = s.github.Owner(ctx, s.cfg.Organization); err != nil {
			return owner, s.setup.OwnerError(err)
		}
		if owner.Classic {
			if err := s.setup.ScopeError(owner.Scopes); err != nil {
				return owner, err
			}
		}
	}
	s.scope = owner.Scope
	if err := s.github.Repositories(ctx, owner.Scope, s.cfg.Organization, yield); err != nil {
		return owner, s.setup.GitHubListError(err)
	}
	return owner, nil
}

// schedule returns the schedule that started the run; empty if none did.
func (s *session) schedule() string {
	if !s.cfg.Runner {
		return ""
	}
	return diagnosis.Schedule(s.cmd.Getenv)
}

func (s *session) warn(problems ...*diagnosis.Problem) {
	for _, p := range problems {
		s.rep.Warning(s.setup.Render(p))
	}
}

// failStart reports an error that ends the run at its start, and returns the exit
// code.
func (s *session) failStart(err error) int {
	var p *diagnosis.Problem
	if !errors.As(err, &p) {
		s.rep.Error(err.Error(), "")
		return outcome.ExitFailed
	}
	s.rep.Error(s.setup.Render(p))
	return diagnosis.Lookup(p.ID).Exit
}
