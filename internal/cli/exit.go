package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/diagnosis"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/provision"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
)

// diagnosisWithin bounds the requests of the diagnosis at the end of a run.
const diagnosisWithin = 30 * time.Second

// exitCode reports how the run ended, and returns its exit code. Err is the error of
// the run.
func (s *session) exitCode(ctx context.Context, err error) int {
	if ctx.Err() != nil {
		s.rep.Interrupted()
		return outcome.ExitInterrupted
	}
	ctx, cancel := context.WithTimeout(ctx, diagnosisWithin)
	defer cancel()
	code := s.unlistedCode()
	var stopped *provision.StopError
	if !errors.As(err, &stopped) {
		s.reportFindings(ctx, "")
		if !s.tally.Healthy(s.codacyNow()) {
			code = outcome.ExitFailed
		}
		return code
	}
	code = outcome.ExitFailed
	if !stopped.Wrote && stopped.Cause != provision.Outage {
		code = outcome.ExitUsage
	}
	why := fmt.Errorf("the run stopped early, and the remaining repositories are deferred: %w", stopped)
	switch {
	case stopped.Cause == provision.Permission:
		p := s.setup.WritesDenied(stopped.Err, stopped.AtEnd)
		s.reportFindings(ctx, p.ID)
		s.rep.Error(s.setup.Render(p))
	case stopped.Cause == provision.Credentials && stopped.Err.Service == codacy.Name:
		p := s.setup.AccountTokenError(stopped.Err)
		p.Err = why
		s.rep.Error(s.setup.Render(p))
	case stopped.Cause == provision.Credentials:
		p := s.setup.Denial(stopped.Err)
		p.Err = why
		s.rep.Error(s.setup.Render(p))
	default:
		s.rep.Error(why.Error(), "")
	}
	return code
}

// unlistedCode warns of the repositories whose tokens were not listed. A run that
// listed none fails.
func (s *session) unlistedCode() int {
	n := s.tally.NotListed()
	if n == 0 {
		return outcome.ExitOK
	}
	hint := ""
	if !time.Now().Before(s.startBefore) {
		hint = fmt.Sprintf("Set %s so that a run reaches every repository, or split the work with %s", s.cfg.Label("max-duration"), s.cfg.Label("shard"))
	}
	s.rep.Warning(fmt.Sprintf("the tokens of %d of %d repositories were not listed, so nothing is known of them", n, s.tally.Len()), hint)
	if n == s.tally.Len()-s.tally.Count(outcome.Skipped) {
		return outcome.ExitFailed
	}
	return outcome.ExitOK
}

// reportFindings reports the cases that the repositories' results show, except the
// one that ended the run.
func (s *session) reportFindings(ctx context.Context, ended diagnosis.ID) {
	countSecrets := func(ctx context.Context, owner, name string, store rotation.Store) (int, error) {
		return s.github.Secrets(ctx, github.Repository{Owner: owner, Name: name}, string(store))
	}
	for _, p := range s.findings.Problems(ctx, ended, countSecrets) {
		if diagnosis.Lookup(p.ID).Exit == outcome.ExitOK {
			s.rep.Warning(s.setup.Render(p))
		} else {
			s.rep.Error(s.setup.Render(p))
		}
	}
}
