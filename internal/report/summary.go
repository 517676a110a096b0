package report

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/codacy/codacy-project-tokens/internal/outcome"
)

// maxSummary is the size of a summary that GitHub shows, in bytes, less space for
// the last lines.
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
const maxSummary = 1<<20 - 1<<10

// writeSummary writes the summary to the runner's file, if there is one.
func (r *Report) writeSummary() {
	if r.o.Getenv("GITHUB_STEP_SUMMARY") == "" {
		return
	}
	if err := catchPanic(func() { r.action.AddStepSummary(r.o.Redactor.Redact(r.summary())) }); err != nil {
		r.annotate(&r.warningAnnotations, line(r.o.Redactor.Redact("the summary could not be written: "+err.Error())))
	}
}

// summary describes the run in GitHub-flavored Markdown.
func (r *Report) summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s %s\n\n", r.icon(), r.headline())
	if outcomes := r.tally.Outcomes(); len(outcomes) > 0 {
		var counts []string
		for _, o := range outcomes {
			counts = append(counts, fmt.Sprintf("**%d** %s", r.tally.Count(o), o))
		}
		b.WriteString(strings.Join(counts, " · ") + "\n\n")
	}
	for _, e := range r.errors {
		b.WriteString(alert("CAUTION", e))
	}
	for _, w := range r.warnings {
		b.WriteString(alert("WARNING", w))
	}
	b.WriteString(r.chart())
	r.tables(&b)
	if r.selected > 0 {
		b.WriteString(r.footer())
	}
	return b.String()
}

// tables writes the repositories: those that need attention, the changed ones, and
// the others.
func (r *Report) tables(b *strings.Builder) {
	var attention, changed, rest []outcome.Result
	for _, res := range r.tally.Results() {
		switch {
		case res.NeedsAttention(r.o.Now()):
			attention = append(attention, res)
		case res.Changed():
			changed = append(changed, res)
		default:
			rest = append(rest, res)
		}
	}
	r.table(b, "### "+r.attentionTitle(len(attention))+"\n\n", "", attention)
	title := "Changed"
	if r.o.DryRun {
		title = "Would change"
	}
	r.table(b, fmt.Sprintf("### %s (%d)\n\n", title, len(changed)), "", changed)
	r.table(b, fmt.Sprintf("<details><summary>All others (%d)</summary>\n\n", len(rest)), "</details>\n\n", rest)
}

// alert shows a message in one of GitHub's frames. Addresses in the hint become
// links.
func alert(kind string, m message) string {
	text := "> [!" + kind + "]\n> " + markdown(m.text)
	if m.hint != "" {
		text += "<br>\n> **" + address.ReplaceAllStringFunc(markdown(m.hint), unescape) + "**"
	}
	return text + "\n\n"
}

// attentionTitle says how many of n results failed or are about to, and how many
// only have a warning.
func (r *Report) attentionTitle(n int) string {
	problems := r.tally.Problems(r.o.Now())
	switch {
	case problems == 0:
		return fmt.Sprintf("Warnings (%d)", n)
	case problems < n:
		return fmt.Sprintf("Needs attention (%d), and warnings (%d)", problems, n-problems)
	}
	return fmt.Sprintf("Needs attention (%d)", n)
}

// headline says whether the run is well, and until when.
func (r *Report) headline() string {
	problems, deferred, next := r.tally.Problems(r.o.Now()), r.tally.Count(outcome.Deferred), r.tally.NextExpiry()
	changes := r.tally.Count(outcome.Created) + r.tally.Count(outcome.Renewed)
	repositories := count(r.tally.Len(), "repository", "repositories")
	verb := func(n int, one, many string) string { return map[bool]string{true: one, false: many}[n == 1] }
	text := "All is well"
	switch {
	case problems > 0:
		text = fmt.Sprintf("%d of %s %s attention", problems, repositories, verb(problems, "needs", "need"))
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
		return "Not started; nothing changed"
	case len(r.errors) > 0:
		return "Run failed"
	case r.o.DryRun:
		return fmt.Sprintf("Dry run: %s would change, nothing was changed", count(changes, "repository", "repositories"))
	case deferred > 0:
		text = fmt.Sprintf("Nothing failed; %d of %s %s left to the next run", deferred, repositories, verb(deferred, "is", "are"))
	case !next.IsZero():
		text += " until " + date(next)
	}
	if n := r.allWarnings(); n > 0 {
		text += ", with " + count(n, "warning", "warnings")
	}
	return text
}

// allWarnings returns the number of warnings, those of repositories included.
func (r *Report) allWarnings() int { return len(r.warnings) + r.tally.Warned() }

// icon shows the headline at a glance.
func (r *Report) icon() string {
	switch {
	case r.tally.Problems(r.o.Now()) > 0 || len(r.errors) > 0:
		return "❌"
	case r.allWarnings() > 0:
		return "⚠️"
	case r.o.DryRun:
		return "🔎"
	case r.tally.Count(outcome.Deferred) > 0:
		return "⏳"
	}
	return "✅"
}

// footer says what the counts of the outcomes don't.
func (r *Report) footer() string {
	s := fmt.Sprintf("Secret `%s` of %s.", r.o.SecretName, count(r.selected, "selected repository", "selected repositories"))
	for _, c := range []struct {
		n    int
		text string
	}{
		{r.skipped.NotAdded, "not added to Codacy"},
		{r.skipped.Excluded, "excluded by the patterns"},
		{r.skipped.OtherShards, "in other shards"},
	} {
		if c.n > 0 {
			s += fmt.Sprintf(" %d %s.", c.n, c.text)
		}
	}
	return s + "\n"
}

// table writes the rows between head and tail: the most severe first, then by name.
// A table that is too long is cut between two rows.
func (r *Report) table(b *strings.Builder, head, tail string, rows []outcome.Result) {
	if len(rows) == 0 {
		return
	}
	outcome.ByName(rows)
	slices.SortStableFunc(rows, func(a, b outcome.Result) int { return a.Severity(r.o.Now()) - b.Severity(r.o.Now()) })
	// Two columns: more are too wide for a phone.
	b.WriteString(head + "| repository | outcome |\n| --- | --- |\n")
	for i, res := range rows {
		row := r.row(res)
		if b.Len()+len(row)+len(tail) > maxSummary {
			fmt.Fprintf(b, "| … | %d more; set report-file to list all of them |\n", len(rows)-i)
			break
		}
		b.WriteString(row)
	}
	b.WriteString("\n" + tail)
}

// row is the row of one repository.
func (r *Report) row(res outcome.Result) string {
	expires, why := "", shortReason(res)
	if !res.ExpiresAt.IsZero() {
		expires = ", expires " + date(res.ExpiresAt)
	}
	if strings.HasPrefix(res.Warning, why) {
		why = res.Warning
	} else if res.Warning != "" {
		why += "; " + res.Warning
	}
	if why != "" {
		why = ": " + why
	}
	return fmt.Sprintf("| %s | **%s**%s%s |\n", r.link(res), res.Outcome, expires, breakable(markdown(why)))
}

// link is a repository's name with a link to its page, and a link to its secrets.
func (r *Report) link(res outcome.Result) string {
	page := fmt.Sprintf("%s/%s/%s", r.o.Web, url.PathEscape(res.Owner), url.PathEscape(res.Name))
	return fmt.Sprintf("[%s](%s) ([secrets](%s/settings/secrets/actions))", markdown(res.Name), page, page)
}

// address matches an address in escaped text.
var address = regexp.MustCompile(`https\\://(?:[^\s,;\\]|\\[^)])+`)

// unescape makes an escaped address a link. Hints contain only addresses from the
// list of misconfigurations or the inputs, never from a service.
func unescape(escaped string) string {
	plain := strings.ReplaceAll(escaped, `\`, "")
	return "<" + strings.ReplaceAll(plain, "&amp;", "&") + ">"
}
