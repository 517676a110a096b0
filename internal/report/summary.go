package report

import (
	"fmt"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// maxSummary is what GitHub shows of a summary, in bytes, less room for the last
// lines. https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
const maxSummary = 1<<20 - 1<<10

// Summary is what the run did, in GitHub-flavoured Markdown.
func (r *Report) Summary() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.summary()
}

func (r *Report) summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s %s\n\n", r.icon(), r.headline())
	if counts := r.outcomes(); len(counts) > 0 {
		for i, o := range counts {
			fmt.Fprintf(&b, "%s**%d** %s", map[bool]string{false: " · "}[i == 0], r.tally.Count(o), o)
		}
		b.WriteString("\n\n")
	}
	for _, e := range r.errors {
		b.WriteString(alert("CAUTION", e))
	}
	for _, w := range r.warnings {
		b.WriteString(alert("WARNING", w))
	}
	var care, done, rest []outcome.Result
	for _, res := range r.tally.Results() {
		switch {
		case outcome.NeedsAttention(res, r.o.Now()):
			care = append(care, res)
		case res.Changed():
			done = append(done, res)
		default:
			rest = append(rest, res)
		}
	}
	b.WriteString(r.chart())
	r.table(&b, "### "+r.attentionTitle(len(care))+"\n\n", "", care)
	title := map[bool]string{true: "Would change", false: "Changed"}[r.o.DryRun]
	r.table(&b, fmt.Sprintf("### %s (%d)\n\n", title, len(done)), "", done)
	r.table(&b, fmt.Sprintf("<details><summary>All others (%d)</summary>\n\n", len(rest)), "</details>\n\n", rest)
	if r.selected > 0 {
		b.WriteString(r.footer())
	}
	return b.String()
}

// alert is a note in GitHub's frame for it.
func alert(kind string, n message) string {
	text := "> [!" + kind + "]\n> " + markdown(n.text)
	if n.hint != "" {
		// An address is a link; the rest is text.
		text += "<br>\n> **" + address.ReplaceAllStringFunc(markdown(n.hint), unescape) + "**"
	}
	return text + "\n\n"
}

// careTitle tells how many of n results failed or are about to, and how many only
// warn.
func (r *Report) attentionTitle(n int) string {
	problems := r.tally.Problems(r.o.Now())
	switch {
	case problems == 0:
		return fmt.Sprintf("Warnings (%d)", n)
	case problems < n:
		return fmt.Sprintf("Needs care (%d), and warnings (%d)", problems, n-problems)
	}
	return fmt.Sprintf("Needs care (%d)", n)
}

// headline answers: is all well, and until when?
func (r *Report) headline() string {
	problems, deferred, next := r.tally.Problems(r.o.Now()), r.tally.Count(outcome.Deferred), r.tally.NextExpiry()
	changes := r.tally.Count(outcome.Created) + r.tally.Count(outcome.Renewed)
	repositories := count(r.tally.Len(), "repository", "repositories")
	verb := func(n int, one, many string) string { return map[bool]string{true: one, false: many}[n == 1] }
	text := "All is well"
	switch {
	case problems > 0:
		text = fmt.Sprintf("%d of %s %s care", problems, repositories, verb(problems, "needs", "need"))
		switch {
		case next.IsZero():
		case next.After(r.o.Now()):
			text += "; the next token expires " + date(next)
		default:
			text += "; a token expired on " + date(next)
		}
		return text
	case r.declined > 0:
		return fmt.Sprintf("Nothing was changed: %s left as before", count(r.declined, "repository is", "repositories are"))
	case len(r.errors) > 0 && r.tally.Len() == 0:
		return "The run did not begin, and nothing was changed"
	case len(r.errors) > 0:
		return "The run did not come to its end"
	case r.o.DryRun:
		return fmt.Sprintf("Dry run: %s would change, nothing was changed", count(changes, "repository", "repositories"))
	case deferred > 0:
		text = fmt.Sprintf("Nothing failed; %d of %s %s left to the next run", deferred, repositories, verb(deferred, "is", "are"))
	case !next.IsZero():
		text += " until " + date(next)
	}
	if n := (len(r.warnings) + r.tally.Warned()); n > 0 {
		text += ", with " + count(n, "warning", "warnings")
	}
	return text
}

// sign is the headline at a glance.
func (r *Report) icon() string {
	switch {
	case r.tally.Problems(r.o.Now()) > 0 || len(r.errors) > 0:
		return "❌"
	case (len(r.warnings) + r.tally.Warned()) > 0:
		return "⚠️"
	case r.o.DryRun:
		return "🔎"
	case r.tally.Count(outcome.Deferred) > 0:
		return "⏳"
	}
	return "✅"
}

// aside tells what the counts don't.
func (r *Report) footer() string {
	s := fmt.Sprintf("Secret `%s` of %s.", r.o.SecretName, count(r.selected, "selected repository", "selected repositories"))
	for _, c := range []struct {
		n    int
		what string
	}{
		{r.left.NotAdded, "not added to Codacy"},
		{r.left.Excluded, "left out by the patterns"},
		{r.left.OtherShards, "in other shards"},
	} {
		if c.n > 0 {
			s += fmt.Sprintf(" %d %s.", c.n, c.what)
		}
	}
	return s + "\n"
}

const (
	// chartBars is how many bars a chart has at most.
	chartBars = 14
	day       = 24 * time.Hour
)

// chart shows when the tokens in place expire: by week where all do within a
// quarter, else by month. The bars lie, so that it can be read on a phone.
func (r *Report) chart() string {
	var all []time.Time
	for _, res := range r.tally.Results() {
		if !res.ExpiresAt.IsZero() {
			all = append(all, res.ExpiresAt.UTC())
		}
	}
	if len(all) == 0 {
		return ""
	}
	slices.SortFunc(all, time.Time.Compare)
	first, last := all[0], all[len(all)-1]
	title, form := "week", "2 Jan"
	from := first.Truncate(day).AddDate(0, 0, -(int(first.Weekday())+6)%7) // Monday
	next := func(t time.Time) time.Time { return t.AddDate(0, 0, 7) }
	if last.Sub(from) >= chartBars*7*day {
		title, form = "month", "Jan 06"
		from = time.Date(first.Year(), first.Month(), 1, 0, 0, 0, 0, time.UTC)
		next = func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }
	}
	var labels, bars []string
	most := 0
	for len(all) > 0 {
		to, label, n := next(from), from.Format(form), len(all)
		if len(bars) == chartBars-1 && !last.Before(to) {
			label += " on" // all that come later, too
		} else if i := slices.IndexFunc(all, func(t time.Time) bool { return !t.Before(to) }); i >= 0 {
			n = i
		}
		if n > 0 { // of nothing there would be a stub
			labels, bars = append(labels, fmt.Sprintf(`"%s: %d"`, label, n)), append(bars, fmt.Sprint(n))
		}
		most, from, all = max(most, n), to, all[n:]
	}
	// Below ten the axis would count in fractions.
	return fmt.Sprintf(chartForm, 70+26*len(bars), title, strings.Join(labels, ", "), max(10, most), strings.Join(bars, ", "))
}

// chartForm is a chart's text: its height in pixels, week or month, labels, the
// end of the axis, bars. https://mermaid.js.org/syntax/xyChart.html
const chartForm = "```mermaid\n" +
	`%%%%{init: {"xyChart": {"width": 480, "height": %d, "titleFontSize": 16, "xAxis": {"labelFontSize": 13, "labelPadding": 10}, "yAxis": {"labelFontSize": 12}}, ` +
	`"themeVariables": {"xyChart": {"plotColorPalette": "#1f883d"}}}}%%%%` + `
xychart-beta horizontal
  title "Tokens that expire, by %s"
  x-axis [%s]
  y-axis 0 --> %d
  bar [%s]
` + "```\n\n"

// table writes the rows between head and tail: what needs care most first, then
// by name. It is cut between two rows.
func (r *Report) table(b *strings.Builder, head, tail string, rows []outcome.Result) {
	if len(rows) == 0 {
		return
	}
	outcome.ByName(rows)
	slices.SortStableFunc(rows, func(a, b outcome.Result) int { return outcome.Severity(a, r.o.Now()) - outcome.Severity(b, r.o.Now()) })
	// Two columns: more are too wide for a phone.
	b.WriteString(head + "| repository | outcome |\n| --- | --- |\n")
	for i, res := range rows {
		expires := ""
		if !res.ExpiresAt.IsZero() {
			expires = ", expires " + date(res.ExpiresAt)
		}
		why := shortReason(res)
		if strings.HasPrefix(res.Warning, why) {
			why = res.Warning
		} else if res.Warning != "" {
			why += "; " + res.Warning
		}
		if why != "" {
			why = ": " + why
		}
		row := fmt.Sprintf("| %s | **%s**%s%s |\n", r.link(res.Repository()), res.Outcome, expires, breakable(markdown(why)))
		if b.Len()+len(row)+len(tail) > maxSummary {
			fmt.Fprintf(b, "| … | %d more; with the input report-file they are all listed |\n", len(rows)-i)
			break
		}
		b.WriteString(row)
	}
	b.WriteString("\n" + tail)
}

// link is a repository's name, linked to its page, and a link to that of its
// secrets.
func (r *Report) link(repository string) string {
	owner, name, _ := strings.Cut(repository, "/")
	page := fmt.Sprintf("%s/%s/%s", r.o.Web, url.PathEscape(owner), url.PathEscape(name))
	return fmt.Sprintf("[%s](%s) ([secrets](%s/settings/secrets/actions))", markdown(name), page, page)
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// address finds an address in text that markdown has neutralised.
var address = regexp.MustCompile(`https\\://(?:[^\s,;\\]|\\[^)])+`)

// unescape makes an address out of it again. It is one of ours, of the catalogue
// or of an input, never a service's.
func unescape(escaped string) string {
	plain := strings.ReplaceAll(escaped, `\`, "")
	return "<" + strings.ReplaceAll(plain, "&amp;", "&") + ">"
}
