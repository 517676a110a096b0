package report

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/codacy/codacy-project-tokens/internal/outcome"
)

// tables writes the repositories: those that need attention, the changed ones, and
// the others.
func (r *Report) tables(b *strings.Builder) {
	var attention, changed, rest []outcome.Result
	for _, res := range r.tally.Results() {
		switch {
		case res.NeedsAttention(r.o.Now()):
			attention = append(attention, res)
		case res.Changed() || len(res.Revoked) > 0:
			changed = append(changed, res)
		default:
			rest = append(rest, res)
		}
	}
	r.table(b, "### "+r.attentionTitle(len(attention))+"\n\n", "", attention)
	title := "Changed"
	if r.o.DryRun {
		title = "Will change"
	}
	outcome.DestructiveFirst(changed)
	r.table(b, fmt.Sprintf("### %s (%s)\n\n", title, number(len(changed))), "", changed)
	outcome.ByName(rest)
	r.table(b, fmt.Sprintf("<details><summary>All others (%s)</summary>\n\n", number(len(rest))), "</details>\n\n", rest)
}

// attentionTitle says how many of n results failed or are about to, and how many
// only have a warning.
func (r *Report) attentionTitle(n int) string {
	problems := r.tally.Problems(r.o.Now())
	switch {
	case problems == 0:
		return fmt.Sprintf("Warnings (%s)", number(n))
	case problems < n:
		return fmt.Sprintf("Needs attention (%s), and warnings (%s)", number(problems), number(n-problems))
	}
	return fmt.Sprintf("Needs attention (%s)", number(n))
}

// table writes the rows between head and tail: the most severe first, otherwise in
// their order. A note that most rows share is said once, above them. A table that is
// too long is cut between two rows.
func (r *Report) table(b *strings.Builder, head, tail string, rows []outcome.Result) {
	if len(rows) == 0 {
		return
	}
	slices.SortStableFunc(rows, func(a, b outcome.Result) int { return a.Severity(r.o.Now()) - b.Severity(r.o.Now()) })
	b.WriteString(head)
	common := r.commonNote(rows)
	if common != "" {
		b.WriteString("Unless noted: " + breakable(markdown(common)) + ".\n\n")
	}
	name := "outcome"
	if r.o.DryRun && slices.ContainsFunc(rows, func(res outcome.Result) bool { return res.Action() != "" }) {
		name = "action"
	}
	fmt.Fprintf(b, "| repository | %s | expires | note |\n| --- | --- | --- | --- |\n", name)
	for i, res := range rows {
		row := r.row(res, common)
		if b.Len()+len(row)+len(tail) > maxSummary {
			fmt.Fprintf(b, "| … | | | %s more; set `report-file` to list all of them |\n", number(len(rows)-i))
			break
		}
		b.WriteString(row)
	}
	b.WriteString("\n" + tail)
}

// commonNote returns the note that most rows share; empty if there is none.
func (r *Report) commonNote(rows []outcome.Result) string {
	counts := map[string]int{}
	for _, res := range rows {
		counts[r.note(res)]++
	}
	for note, n := range counts {
		if note != "" && n >= 3 && 2*n > len(rows) {
			return note
		}
	}
	return ""
}

// row is the row of one repository.
func (r *Report) row(res outcome.Result, common string) string {
	expires, note := "", r.note(res)
	if !res.ExpiresAt.IsZero() {
		expires = strings.ReplaceAll(date(res.ExpiresAt), "-", "\u2011") // doesn't wrap
	}
	if note == common {
		note = ""
	} else if note == "" && common != "" {
		note = "–"
	}
	return fmt.Sprintf("| %s | %s | %s | %s |\n", r.link(res), r.label(res), expires, breakable(markdown(note)))
}

// note explains a result and its warning.
func (r *Report) note(res outcome.Result) string {
	why := r.explain(res)
	switch {
	case res.Warning == "" || why == "":
		return why + res.Warning
	case strings.HasPrefix(res.Warning, why):
		return res.Warning
	}
	return why + "; " + res.Warning
}

// link is a repository's name with a link to its page, or to the page of its secrets
// where they may need attention.
func (r *Report) link(res outcome.Result) string {
	page := fmt.Sprintf("%s/%s/%s", r.o.Web, url.PathEscape(res.Owner), url.PathEscape(res.Name))
	text := fmt.Sprintf("[%s](%s)", breakable(markdown(res.Name)), page)
	if res.NeedsAttention(r.o.Now()) {
		text += fmt.Sprintf(" ([secrets](%s/settings/secrets/actions))", page)
	}
	return text
}
