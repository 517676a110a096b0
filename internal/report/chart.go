package report

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// maxBars is the number of bars of a chart.
	maxBars = 14
	day     = 24 * time.Hour
)

// bar is one bar of a chart.
type bar struct {
	label string
	n     int
}

// chart shows when the current tokens expire: by week if all expire within a
// quarter, otherwise by month. The bars are horizontal, so that a phone can show
// them.
func (r *Report) chart() string {
	var expiries []time.Time
	for res := range r.tally.Results() {
		if !res.ExpiresAt.IsZero() {
			expiries = append(expiries, res.ExpiresAt.UTC())
		}
	}
	if len(expiries) == 0 {
		return ""
	}
	period, bars := expiryBars(expiries)
	// Below ten the axis would count in fractions.
	most := 10
	var labels, values []string
	for _, b := range bars {
		labels = append(labels, fmt.Sprintf(`"%s: %s"`, b.label, number(b.n)))
		values = append(values, fmt.Sprint(b.n))
		most = max(most, b.n)
	}
	title := count(len(expiries), "token", "tokens") + " by " + period
	return fmt.Sprintf(chartFormat, 90+26*len(bars), title, strings.Join(labels, ", "), most, strings.Join(values, ", "))
}

// expiryBars counts the expiries by week or month, which is returned too. Empty
// ones have no bar; the last bar also counts what comes after it.
func expiryBars(expiries []time.Time) (period string, bars []bar) {
	slices.SortFunc(expiries, time.Time.Compare)
	first, last := expiries[0], expiries[len(expiries)-1]
	period, layout := "week of expiry, from Monday", time.DateOnly
	from := first.Truncate(day).AddDate(0, 0, -(int(first.Weekday())+6)%7) // Monday
	next := func(t time.Time) time.Time { return t.AddDate(0, 0, 7) }
	if last.Sub(from) >= maxBars*7*day {
		period, layout = "month of expiry", "2006-01"
		from = time.Date(first.Year(), first.Month(), 1, 0, 0, 0, 0, time.UTC)
		next = func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }
	}
	for len(expiries) > 0 {
		to, label, n := next(from), from.Format(layout), len(expiries)
		if len(bars) == maxBars-1 && !last.Before(to) {
			label += " or later"
		} else if i := slices.IndexFunc(expiries, func(t time.Time) bool { return !t.Before(to) }); i >= 0 {
			n = i
		}
		if n > 0 {
			bars = append(bars, bar{label, n})
		}
		from, expiries = to, expiries[n:]
	}
	return period, bars
}

// chartFormat is a chart: its height in pixels, title, labels, the end of the axis,
// bars. https://mermaid.js.org/syntax/xyChart.html
const chartFormat = "```mermaid\n" +
	`%%%%{init: {"xyChart": {"width": 480, "height": %d, "titleFontSize": 16, "xAxis": {"labelFontSize": 13, "labelPadding": 10}, "yAxis": {"labelFontSize": 12}}, ` +
	`"themeVariables": {"xyChart": {"plotColorPalette": "#1f883d"}}}}%%%%` + `
xychart-beta horizontal
  title "%s"
  x-axis [%s]
  y-axis 0 --> %d
  bar [%s]
` + "```\n\n"
