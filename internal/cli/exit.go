package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/provision"
)

// The exit codes; Exits tells what they mean.
const (
	ExitOK          = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitInterrupted = 3
)

// Exit is an exit code with its meaning: in few words for --help, and in a line of
// Markdown for README.
type Exit struct {
	Code           int
	Short, Meaning string
}

// Exits lists the exit codes.
func Exits() []Exit {
	return []Exit{
		{ExitOK, "all well", "all is well"},
		{
			ExitFailed, "failures",
			"a repository failed, or its token expires within 7 days and the run did not reach it; or a service could not be had, " +
				"or refused the credential in mid-run; or the report or the outputs could not be written",
		},
		{
			ExitUsage, "inputs or credentials",
			"an input is wrong, nothing was selected, or a credential was refused at the start; the error names the input",
		},
		{ExitInterrupted, "interrupted", "interrupted"},
	}
}

// ended is the exit code of a run that ended with err.
func (s *session) exitCode(ctx context.Context, err error) int {
	var stopped *provision.StopError
	if ctx.Err() != nil {
		s.rep.Interrupted()
		return ExitInterrupted
	}
	if !errors.As(err, &stopped) {
		s.findings.report(ctx, "")
		if !s.tally.Healthy(s.codacyNow()) {
			return ExitFailed
		}
		return ExitOK
	}
	code := ExitFailed
	if !stopped.Wrote {
		code = ExitUsage
	}
	why := fmt.Errorf("the run ended early, and what was left is deferred: %w", stopped)
	switch {
	case stopped.Cause == provision.Permission:
		id, values := s.Denial(stopped.Err)
		values["first"], values["hidden"] = "the repositories", "each of them"
		s.findings.report(ctx, id)
		tried := "the run stopped because GitHub denied the writes of several repositories in a row"
		if stopped.AtEnd {
			tried = "GitHub denied access to every repository that was tried"
		}
		s.rep.Error(s.render(&Problem{id, values, fmt.Errorf("%s; GitHub requires %q: %w", tried, cmp.Or(stopped.Err.Permission, "secrets=write"), stopped.Err)}))
	case stopped.Cause == provision.Credentials && stopped.Err.Service == codacy.Name:
		s.rep.Error(s.render(&Problem{s.accountToken(stopped.Err), nil, why}))
	case stopped.Cause == provision.Credentials:
		id, values := s.Denial(stopped.Err)
		s.rep.Error(s.render(&Problem{id, values, why}))
	default:
		code = ExitFailed
		s.rep.Error(why.Error(), "")
	}
	return code
}
