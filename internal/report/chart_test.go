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
		"a week": {[]int{0, 1, 2}, `week"|"16 Nov: 3"|10|3`},
		"weeks":  {[]int{2, 3, 3, 80}, `week"|"16 Nov: 1", "23 Nov: 2", "8 Feb: 1"|10|1, 2, 1`},
		"months": {[]int{0, 10, 11, 200, 364}, `month"|"Nov 26: 2", "Dec 26: 1", "Jun 27: 1", "Nov 27: 1"|10|2, 1, 1, 1`},
		"years":  {[]int{0, 400, 800, 4000}, `month"|"Nov 26: 1", "Dec 27: 1", "Jan 29: 1", "Nov 37: 1"|10|1, 1, 1, 1`},
		"ages": {
			[]int{0, 50, 100, 150, 200, 250, 300, 350, 400, 450, 500, 550, 600, 650, 700, 750},
			`month"|"Nov 26: 1", "Jan 27: 1", "Feb 27: 1", "Apr 27: 1", "Jun 27: 1", "Jul 27: 1", "Sep 27: 1", "Nov 27: 1", "Dec 27: 1", "Feb 28: 1", "Apr 28: 1", "May 28: 1", "Jul 28: 1", "Aug 28 on: 3"|10|` +
				`1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3`,
		},
		"many": {slices.Repeat([]int{30}, 25), `week"|"14 Dec: 25"|25|25`},
	} {
		f := newFixture(t, nil)
		for i, days := range c.days {
			f.Add(current(i, days))
		}
		s, got := f.Summary(), ""
		if m := regexp.MustCompile("(?s)```mermaid\n.*by (.*?)\n.*x-axis \\[(.*?)\\]\n.*--> (\\d+)\n  bar \\[(.*?)\\]\n```\n").FindStringSubmatch(s); m != nil {
			got = strings.Join(m[1:], "|")
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s\n%s", name, got, c.want, s)
		}
	}
}
