package cli

import (
	"context"
	"errors"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/match"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/provision"
)

const (
	// progressInterval is the interval of the progress in the log, and barInterval
	// that of the progress bar on a terminal.
	progressInterval = 30 * time.Second
	barInterval      = 200 * time.Millisecond
)

// run does the work and returns the exit code, before the report is written.
func (s *session) run(ctx context.Context) int {
	defer s.rep.WatchWaits(s.waitingFor)()
	s.rep.Activity("listing repositories")
	targets, code := s.list(ctx)
	if targets == nil {
		return code
	}
	s.started = true
	run := s.provision(targets)
	if s.cmd.Terminal && !s.cfg.Runner {
		defer context.AfterFunc(ctx, func() {
			s.rep.Info("Interrupted. Finishing the repositories in progress; press Ctrl-C again to quit now.")
		})()
	}
	if s.cfg.DryRun || !s.cfg.Runner {
		if done, code := s.plan(ctx, run); done {
			return code
		}
	}
	err := run.Apply(ctx)
	s.rep.RemoveBar()
	return s.exitCode(ctx, err)
}

// waitingFor returns what the run has waited for longest, whichever part of it; zero
// if it only waits for responses.
func (s *session) waitingFor() outcome.Wait {
	for _, w := range s.waits.List() {
		return outcome.Wait{Cause: w.Cause(), Until: w.Until, Resets: w.Resets}
	}
	return outcome.Wait{}
}

// provision returns the run over the targets.
func (s *session) provision(targets []match.Target) *provision.Run {
	interval := progressInterval
	if s.cmd.Screen && !s.cfg.Runner {
		interval = barInterval
	}
	return provision.New(provision.Options{
		Codacy: s.codacy, GitHub: s.github, Policy: s.cfg.Policy,
		CodacyLimiter: s.codacyLimiter, GitHubLimiter: s.githubLimiter, WaitingFor: s.waitingFor,
		CodacyClock: s.codacyClock, GitHubClock: s.githubClock, ClockSources: s.clockSources(),
		WritesPerMinute: min(s.cfg.WritesPerMinute, github.MaxWritesPerMinute),
		Retry:           s.laterRetry, Concurrency: s.cfg.Concurrency, StartBefore: s.startBefore,
		DryRun: s.cfg.DryRun, Mask: s.rep.Mask, Rand: s.cmd.Rand,
		OnResult: func(res outcome.Result) {
			s.rep.Add(res)
			s.findings.Add(res)
		},
		OnProgress: s.rep.Progress, ProgressEvery: interval,
	}, targets)
}

// plan shows what the run will do, and on the command line asks whether to apply it.
// Done says that the run ends here, with the exit code.
func (s *session) plan(ctx context.Context, run *provision.Run) (done bool, code int) {
	err := run.Plan(ctx)
	s.rep.RemoveBar()
	if err != nil {
		return true, s.exitCode(ctx, err)
	}
	planned := run.Planned()
	if s.cfg.DryRun {
		outcome.DestructiveFirst(planned)
		for _, res := range planned {
			s.rep.Add(*res)
		}
		return true, s.exitCode(ctx, nil)
	}
	if len(planned) == 0 {
		return true, s.exitCode(ctx, nil)
	}
	confirmed, err := s.confirm(ctx, planned)
	if confirmed {
		return false, outcome.ExitOK
	}
	s.rep.Declined()
	run.Decline()
	switch {
	case ctx.Err() != nil:
		return true, s.exitCode(ctx, nil)
	case err != nil:
		s.rep.Error(err.Error(), "")
		return true, outcome.ExitUsage
	}
	return true, outcome.ExitOK
}

// confirm shows the plan and asks whether to apply it. The error says that there is
// no terminal to ask on.
func (s *session) confirm(ctx context.Context, planned []*outcome.Result) (bool, error) {
	ask := !s.cfg.Yes && s.cmd.Terminal
	requests := len(planned) * len(s.cfg.Policy.Stores) // a key's read and a write for each secret
	s.rep.Plan(planned, s.githubLimiter.Estimate(requests, requests), ask)
	switch {
	case s.cfg.Yes:
		return true, nil
	case !ask:
		return false, errors.New("not a terminal: use --yes to apply or --dry-run to preview")
	}
	return s.rep.Confirmed(ctx, s.cmd.Stdin), ctx.Err()
}
