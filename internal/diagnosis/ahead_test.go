package diagnosis

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/rotation"
)

func TestScheduleProblems(t *testing.T) {
	t.Parallel()

	const day = 24 * time.Hour
	always := func(hours int) rotation.Policy {
		return rotation.Policy{Rotate: rotation.RotateAlways, RenewBefore: 90 * day, RevokeAfter: time.Duration(hours) * time.Hour}
	}
	expiring := rotation.Policy{Rotate: rotation.RotateExpiring, RenewBefore: 90 * day, RevokeAfter: 864 * time.Hour}
	for _, tt := range []struct {
		schedule string
		policy   rotation.Policy
		want     []ID
	}{
		{"17 4 * * 1", expiring, nil},
		{"17 4 1 * *", expiring, nil},
		{"17 4 1 */2 *", expiring, []ID{ScheduleTooRare}}, // 62 days
		{"17 4 30 2 *", expiring, nil},                    // never
		{"17 4 * * *", always(864), []ID{TokensPileUp}},
		{"17 4 * * *", always(24), []ID{TokensPileUp}},
		{"17 4 * * *", always(23), nil},
		{"17 4 * * 1", always(167), nil},
		{"17 4 * * 1", always(168), []ID{TokensPileUp}},
		{"17 4 * * 1-5", always(71), nil}, // over the weekend
		{"17 4 1 */2 *", always(9999), []ID{ScheduleTooRare, TokensPileUp}},
		{"", always(864), nil},
	} {
		var got []ID
		for _, p := range (&Setup{}).Ahead(Expiries{}, tt.schedule, tt.policy) {
			got = append(got, p.ID)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q, %+v: %v, want %v", tt.schedule, tt.policy, got, tt.want)
		}
	}
}

func TestExpiries(t *testing.T) {
	t.Parallel()

	const day = 24 * time.Hour
	in := func(days int) time.Time { return time.Now().Add(time.Duration(days)*day + 90*time.Minute) }
	setup := &Setup{Pages: Pages{GitHub: "https://github.test"}}
	for name, tt := range map[string]struct {
		e    Expiries
		want []string // the case, and two of its values
	}{
		"none":             {Expiries{}, nil},
		"late":             {Expiries{AccountToken: in(31), GitHubToken: in(31)}, nil},
		"account token":    {Expiries{AccountToken: in(29)}, []string{"account-token-expires-soon, the account API token, 29 days"}},
		"masked":           {Expiries{AccountToken: in(2), AccountTokenUncertain: true}, []string{"account-token-expires-soon, one of the account's API tokens, 2 days"}},
		"GitHub's token":   {Expiries{GitHubToken: in(0)}, []string{"github-token-expires-soon, https://github.test/settings/personal-access-tokens, 1 hour"}},
		"a classic token":  {Expiries{GitHubToken: in(1), Classic: true}, []string{"github-token-expires-soon, https://github.test/settings/tokens, 25 hours"}},
		"an expired token": {Expiries{AccountToken: in(-1)}, []string{"account-token-expires-soon, the account API token, less than an hour"}},
	} {
		var got []string
		for _, p := range setup.Ahead(tt.e, "", rotation.Policy{}) {
			what := p.Values["which"]
			if p.ID == GitHubTokenExpiring {
				what = p.Values["page"]
			}
			got = append(got, fmt.Sprintf("%s, %s, %s", p.ID, what, p.Values["left"]))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestLongestGap(t *testing.T) {
	t.Parallel()

	const day = 24 * time.Hour
	for schedule, want := range map[string]time.Duration{
		"17 4 * * 1":        7 * day,
		"17 4 * * MON":      7 * day,
		"17 4 * * 1,4":      4 * day,
		"17 4 * * 1-5":      3 * day,
		"17 4 * * 0":        7 * day,
		"17 4 * * *":        day,
		"17 */6 * * *":      6 * time.Hour,
		"17 4,6 * * *":      22 * time.Hour,
		"*/15 * * * *":      15 * time.Minute,
		"5/20 * * * *":      20 * time.Minute,
		"17 4 1 * *":        31 * day,
		"17 4 31 * *":       61 * day,
		"17 4 1 */3 *":      92 * day,
		"17 4 1 jan *":      366 * day,
		"17 4 1,15 * *":     17 * day,
		"17 4 1 * 1":        7 * day, // one of the two is enough
		"17 4 */2 * *":      2 * day,
		"17 4 29 2 *":       (4*365 + 1) * day,
		"17 4 30 2 *":       0,
		"  17  4  *  *  2 ": 7 * day,
	} {
		got, err := longestGap(schedule)
		if err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", schedule, got, err, want)
		}
	}
	for _, schedule := range []string{
		"", "17 4 * *", "17 4 * * 1 1", "60 4 * * *", "17 24 * * *", "17 4 0 * *", "17 4 32 * *", "17 4 * 13 *", "17 4 * * 8",
		"17 4 * foo *", "17 4 * * 5-1", "17 4 */0 * *", "17 4 */x * *", "17 4 1- * *", "@daily", "-1 4 * * *",
	} {
		if got, err := longestGap(schedule); err == nil {
			t.Errorf("%q: %v, want an error", schedule, got)
		}
	}
}

// FuzzLongestGap: no schedule causes a panic or an endless loop, and a gap has bounds.
func FuzzLongestGap(f *testing.F) {
	f.Add("17 4 * * 1")
	f.Add("*/99999999999 1-2/3 29 feb sun,7")
	f.Fuzz(func(t *testing.T, schedule string) {
		gap, err := longestGap(schedule)
		if err != nil && gap != 0 || gap < 0 || gap > 13*366*24*time.Hour {
			t.Errorf("%q: %v, %v", schedule, gap, err)
		}
	})
}
