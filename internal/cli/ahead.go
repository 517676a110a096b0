package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/cron"
	"github.com/codacy/codacy-project-tokens/internal/diagnosis"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// warnWithin is how long before its expiry a credential is warned of.
const warnWithin = 30 * 24 * time.Hour

// warnAhead warns of what will break: credentials that expire, and a schedule
// that comes too seldom to renew in time.
func (s *session) warnExpiring(owner github.Owner) {
	page := GitHubWeb(s.GitHubAPIURL) + "/settings/personal-access-tokens"
	if owner.Classic {
		page = GitHubWeb(s.GitHubAPIURL) + "/settings/tokens"
	}
	for _, c := range []struct {
		id      diagnosis.ID
		expires time.Time
		clock   *wire.Clock
	}{
		{diagnosis.AccountTokenExpiring, s.accountTokenExpires, s.codacyClock},
		{diagnosis.GitHubTokenExpiring, owner.Expires, s.githubClock},
	} {
		left := time.Until(c.clock.ToLocal(c.expires))
		if !c.expires.IsZero() && left < warnWithin {
			s.rep.Warning(s.render(&Problem{c.id, diagnosis.Values{
				"date": c.expires.UTC().Format(time.DateOnly), "left": formatDuration(left), "page": page,
			}, nil}))
		}
	}
	schedule := s.schedule()
	if gap, err := cron.LongestGap(schedule); err == nil && 2*gap > s.RenewBefore {
		s.rep.Warning(s.render(&Problem{diagnosis.RareSchedule, diagnosis.Values{
			"cron": schedule, "interval": formatDuration(gap), "renew": fmt.Sprint(int(s.RenewBefore.Hours() / 24)),
		}, nil}))
	}
}

// schedule is the one that started this run, in cron's form; empty if none did,
// or nobody says. It stands in the event, in the file that the runner names.
// https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows#schedule
func (s *session) schedule() string {
	if !s.Runner || s.cmd.Getenv("GITHUB_EVENT_NAME") != "schedule" {
		return ""
	}
	var event struct {
		Schedule string `json:"schedule"`
	}
	b, err := os.ReadFile(s.cmd.Getenv("GITHUB_EVENT_PATH"))
	if err != nil || json.Unmarshal(b, &event) != nil {
		return ""
	}
	return event.Schedule
}

// inWords is a duration in whole days, or in hours below two of them.
func formatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	switch hours := int(d.Hours()); {
	case d >= 2*day:
		return fmt.Sprintf("%d days", d/day)
	case hours == 1:
		return "an hour"
	case hours < 1:
		return "less than an hour"
	default:
		return fmt.Sprintf("%d hours", hours)
	}
}
