package report

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The chart has a bar for each week or month in which tokens expire. The last bar
// also counts later ones.
func TestChart(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		days []int // from now, a Friday
		want string
	}{
		"none":   {nil, ""},
		"a week": {[]int{0, 1, 2}, `week|"2026-11-16: 3"|10|3`},
		"weeks":  {[]int{2, 3, 3, 80}, `week|"2026-11-16: 1", "2026-11-23: 2", "2027-02-08: 1"|10|1, 2, 1`},
		"months": {[]int{0, 10, 11, 200, 364}, `month|"2026-11: 2", "2026-12: 1", "2027-06: 1", "2027-11: 1"|10|2, 1, 1, 1`},
		"years":  {[]int{0, 400, 800, 4000}, `month|"2026-11: 1", "2027-12: 1", "2029-01: 1", "2037-11: 1"|10|1, 1, 1, 1`},
		"ages": {
			[]int{0, 50, 100, 150, 200, 250, 300, 350, 400, 450, 500, 550, 600, 650, 700, 750},
			`month|"2026-11: 1", "2027-01: 1", "2027-02: 1", "2027-04: 1", "2027-06: 1", "2027-07: 1", "2027-09: 1", "2027-11: 1", "2027-12: 1", "2028-02: 1", "2028-04: 1", "2028-05: 1", "2028-07: 1", "2028-08 or later: 3"|10|` +
				`1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3`,
		},
		"many": {slices.Repeat([]int{30}, 25), `week|"2026-12-14: 25"|25|25`},
	} {
		f := newFixture(t, nil)
		for i, days := range c.days {
			f.Add(current(i, days))
		}
		s, got := f.Summary(), ""
		if m := regexp.MustCompile("(?s)```mermaid\n.*by (week|month) of expiry[^\n]*\n.*x-axis \\[(.*?)\\]\n.*--> (\\d+)\n  bar \\[(.*?)\\]\n```\n").FindStringSubmatch(s); m != nil {
			got = strings.Join(m[1:], "|")
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s\n%s", name, got, c.want, s)
		}
	}
}
