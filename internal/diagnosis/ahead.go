package diagnosis

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/codacy/codacy-project-tokens/internal/rotation"
)

// The cases of what will break.
const (
	AccountTokenExpiring ID = "account-token-expires-soon"
	GitHubTokenExpiring  ID = "github-token-expires-soon"
	CannotRenew          ID = "repositories-that-cant-be-renewed"
	ScheduleTooRare      ID = "schedule-too-rare"
	TokensPileUp         ID = "old-tokens-pile-up"
)

var aheadCases = []Case{
	{
		ID: AccountTokenExpiring, Input: "codacy-api-token", Exit: 0,
		Message:     "{which} expires on {date}, in {left}; after that, no token can be renewed",
		Hint:        "Create an account API token at {account-tokens}, and replace the stored one",
		CommandLine: "Create an account API token at {account-tokens}, and set {:codacy-api-token} to it",
		Details: "Every run warns from 30 days before the expiry. If Codacy masks the values in its list, the action can't find its own token there. " +
			"Then it warns about the token that expires first, as \"one of the account's API tokens\".",
	},
	{
		ID: GitHubTokenExpiring, Input: "github-token", Exit: 0,
		Message:     "the token expires on {date}, in {left}; after that, no secret can be written",
		Hint:        "Choose Regenerate token at {page}, and replace the stored one",
		CommandLine: "Choose Regenerate token at {page}, and set {:github-token} to the new value",
		Details:     "Every run warns from 30 days before the expiry, if GitHub shows it. An App's private key does not expire.",
	},
	{
		ID: CannotRenew, Exit: 0,
		Message: "{hidden} repositories can't be renewed; the first one to expire is {first}, on {date}",
		Hint:    "Give the credential access to them at {page}",
		Details: "Each has a valid token from this action, but GitHub doesn't show the repository to the credential. It was deleted, transferred, or removed from the credential's access. " +
			"If a repository was deleted for good, remove it from Codacy.",
	},
	{
		ID: ScheduleTooRare, Input: "renew-before-days", Exit: 0,
		Message: `the schedule "{cron}" has up to {interval} between runs, over half of the {renew} days for renewals`,
		Hint:    "Run weekly, or renew earlier: https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows#schedule",
		Details: "A run can fail, and GitHub drops scheduled runs when it is busy. If runs are at most half of these days apart, one missed run does no harm.",
	},
	{
		ID: TokensPileUp, Input: "revoke-after-hours", Exit: 0,
		Message: "{hours} is not below the schedule's interval of {interval}, so with {:rotate} always, old tokens are never revoked",
		Hint:    "Set {:revoke-after-hours} below the schedule's interval, or {:rotate} to expiring: https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows#schedule",
		Details: "Every run writes the secrets, and a token is only revoked that many hours after the last write. " +
			"Codacy allows 100 tokens per repository. At 100, the action deletes the lowest one that no secret holds.",
	},
}

// warnWithin is how long before its expiry a credential is warned of.
const warnWithin = 30 * 24 * time.Hour

// Expiries are the times at which the credentials expire, on this machine's clock:
// zero if never or unknown.
type Expiries struct {
	AccountToken, GitHubToken time.Time
	// AccountTokenUncertain means that AccountToken is the soonest expiry of the
	// account's tokens, because Codacy masks their values.
	AccountTokenUncertain bool
	// Classic reports whether GitHub's token is a classic one.
	Classic bool
}

// Ahead returns the warnings of what will break: credentials that expire in less
// than 30 days, a schedule with more than half of the time in which tokens are
// renewed between two runs, and one that never lets old tokens be revoked. Schedule
// is in cron's form, or empty.
func (s *Setup) Ahead(e Expiries, schedule string, policy rotation.Policy) []*Problem {
	page := s.Pages.Tokens()
	if e.Classic {
		page = s.Pages.ClassicTokens()
	}
	which := "the account API token"
	if e.AccountTokenUncertain {
		which = "one of the account's API tokens"
	}
	var problems []*Problem
	for _, c := range []struct {
		id      ID
		expires time.Time
	}{{AccountTokenExpiring, e.AccountToken}, {GitHubTokenExpiring, e.GitHubToken}} {
		if left := time.Until(c.expires); !c.expires.IsZero() && left < warnWithin {
			problems = append(problems, &Problem{c.id, Values{
				"which": which, "date": c.expires.UTC().Format(time.DateOnly), "left": formatDuration(left), "page": page,
			}, nil})
		}
	}
	return append(problems, s.scheduleProblems(schedule, policy)...)
}

// scheduleProblems returns the warnings of a schedule that doesn't fit the policy.
func (s *Setup) scheduleProblems(schedule string, policy rotation.Policy) []*Problem {
	gap, err := longestGap(schedule)
	if err != nil || gap == 0 {
		return nil
	}
	values := Values{
		"cron": schedule, "interval": formatDuration(gap),
		"renew": fmt.Sprint(int(policy.RenewBefore.Hours() / 24)), "hours": fmt.Sprint(int(policy.RevokeAfter.Hours())),
	}
	var problems []*Problem
	if 2*gap > policy.RenewBefore {
		problems = append(problems, &Problem{ScheduleTooRare, values, nil})
	}
	// Every run writes the secrets, so none is ever old enough for a token to be
	// revoked.
	if policy.Rotate == rotation.RotateAlways && policy.RevokeAfter >= gap {
		problems = append(problems, &Problem{TokensPileUp, values, nil})
	}
	return problems
}

// Schedule returns the schedule that started this run, in cron's form; empty if
// none did. It is in the event, in the file that the runner names.
// https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows#schedule
func Schedule(getenv func(string) string) string {
	if getenv("GITHUB_EVENT_NAME") != "schedule" {
		return ""
	}
	var event struct {
		Schedule string `json:"schedule"`
	}
	b, err := os.ReadFile(getenv("GITHUB_EVENT_PATH"))
	if err != nil || json.Unmarshal(b, &event) != nil {
		return ""
	}
	return event.Schedule
}

// longestGap returns the longest time between two runs of a schedule in UTC, zero
// for one that never runs. The library only knows the next run after a time. As a
// schedule has the same times on each of its days, it is asked for the times of one
// day, and for the first run of each of the others.
func longestGap(schedule string) (time.Duration, error) {
	const day = 24 * time.Hour
	s, err := cron.ParseStandard(schedule)
	if err != nil || strings.HasPrefix(strings.TrimSpace(schedule), "@") { // GitHub knows no @daily
		return 0, cmp.Or(err, errors.New("not five fields"))
	}
	// Two leap years, so that each day of a year is among them.
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	first := s.Next(start.Add(-time.Second))
	if first.IsZero() {
		return 0, nil
	}
	var longest time.Duration
	last := first // the last run of the day
	for next := s.Next(last); next.Truncate(day).Equal(first.Truncate(day)); next = s.Next(last) {
		longest = max(longest, next.Sub(last))
		last = next
	}
	times := last.Sub(first)
	for run := first; run.Before(start.AddDate(8, 0, 0)); {
		next := s.Next(run.Truncate(day).Add(day - time.Second))
		if next.IsZero() { // in the next five years
			break
		}
		longest = max(longest, next.Sub(run.Add(times)))
		run = next
	}
	return longest, nil
}

// formatDuration returns a duration in days, or in hours below two days.
func formatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	switch hours := int(d.Hours()); {
	case d >= 2*day:
		return fmt.Sprintf("%d days", d/day)
	case hours == 1:
		return "1 hour"
	case hours < 1:
		return "less than an hour"
	default:
		return fmt.Sprintf("%d hours", hours)
	}
}
