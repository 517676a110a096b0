package cli

import (
	"bufio"
	"context"
	"errors"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/provision"
)

// progressEvery is how often the log tells the progress.
const progressEvery = 30 * time.Second

// barEvery is how often the bar of a terminal moves.
const barEvery = 200 * time.Millisecond

// run does the work and returns the exit code, but for what Finish finds.
func (s *session) run(ctx context.Context) int {
	targets, code := s.list(ctx)
	if targets == nil {
		return code
	}
	s.started = true
	every := progressEvery
	if s.cmd.Screen && !s.Runner {
		every = barEvery
	}
	stores := s.SecretStores
	run := provision.New(provision.Options{
		Codacy: s.codacy, GitHub: s.github,
		Policy: rotation.Policy{
			SecretName: s.SecretName, Stores: stores, Existing: s.ExistingSecrets, Rotate: s.Rotate,
			Lifetime: s.TokenLifetime, RenewBefore: s.RenewBefore, RevokeAfter: s.RevokeAfter,
			SelfHosted: SelfHosted(s.CodacyAPIURL), CheckAllSecrets: s.DryRun || !s.Runner,
		},
		CodacyLimiter: s.codacyLimiter, GitHubLimiter: s.githubLimiter,
		CodacyClock: s.codacyClock, GitHubClock: s.githubClock, SettleClocks: s.settleClocks,
		Retry: laterRetry, Concurrency: s.Concurrency, StartBefore: s.startBefore,
		WritesPerMinute: min(s.WritesPerMinute, github.MaxWritesPerMinute),
		DryRun:          s.DryRun,
		Mask:            s.rep.Mask, Rand: s.cmd.Rand,
		OnResult: func(res outcome.Result) {
			s.rep.Add(res)
			s.findings.add(res)
		},
		OnProgress: s.rep.Progress, ProgressEvery: every,
	}, targets)

	if s.cmd.Terminal && !s.Runner {
		defer context.AfterFunc(ctx, func() {
			s.rep.Info("Interrupted: what was begun is finished; another Ctrl-C ends it at once.")
		})()
	}
	if s.DryRun || !s.Runner {
		err := run.Plan(ctx)
		s.rep.RemoveBar()
		if err != nil {
			return s.exitCode(ctx, err)
		}
		plan := run.Planned()
		if s.DryRun {
			outcome.DestructiveFirst(plan)
			for _, res := range plan {
				s.rep.Add(res)
			}
			return s.exitCode(ctx, nil)
		}
		answer, err := s.confirm(ctx, plan)
		if !answer && len(plan) > 0 {
			s.rep.Declined()
			run.Decline()
		}
		switch {
		case ctx.Err() != nil:
			return s.exitCode(ctx, nil)
		case err != nil:
			s.rep.Error(err.Error(), "")
			return ExitUsage
		case !answer && len(plan) > 0:
			return ExitOK
		case !answer:
			return s.exitCode(ctx, nil)
		}
	}
	err := run.Apply(ctx)
	s.rep.RemoveBar()
	return s.exitCode(ctx, err)
}

// confirm shows the plan by hand and has it answered. False without an error:
// nothing is to be done.
func (s *session) confirm(ctx context.Context, plan []outcome.Result) (bool, error) {
	if len(plan) == 0 {
		return false, nil
	}
	ask := !s.Yes && s.cmd.Terminal
	s.rep.Plan(plan, s.githubLimiter.EstimateWrites(len(plan)*len(s.SecretStores)), ask)
	switch {
	case s.Yes:
		return true, nil
	case !ask:
		return false, errors.New("not a terminal: use --yes to apply or --dry-run to preview")
	}
	answer := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(s.cmd.Stdin).ReadString('\n') // no answer is a no
		answer <- text
	}()
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case text := <-answer:
		text = strings.ToLower(strings.TrimSpace(text))
		return text == "y" || text == "yes", nil
	}
}
