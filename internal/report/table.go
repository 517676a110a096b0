package report

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/codacy/codacy-project-tokens/internal/outcome"
)

// tables writes the repositories: the ones that need attention, the most severe first,
// the changed ones, and, folded, the others.
func (r *Report) tables(b *strings.Builder) {
	var failed, expiring, warned, changed, revoked, rest []*outcome.Result
	now := r.o.Now()
	for res := range r.tally.Results() {
		switch {
		case res.Outcome == outcome.Failed:
			failed = append(failed, res)
		case res.ExpiringSoon(now):
			expiring = append(expiring, res)
		case res.Warning != "":
			warned = append(warned, res)
		case res.Changed() || r.isPlanned(res):
			changed = append(changed, res)
		case len(res.Revoked) > 0:
			revoked = append(revoked, res)
		default:
			rest = append(rest, res)
		}
	}
	for _, rows := range [][]*outcome.Result{failed, expiring, warned, revoked, rest} {
		outcome.ByName(rows)
	}
	outcome.DestructiveFirst(changed)
	heading := func(title string, counts ...string) string {
		return "### " + title + " (" + strings.Join(counts, ", ") + ")\n\n"
	}
	r.table(b, heading("Failed", number(len(failed))), "", failed)
	r.table(b, heading("Deferred, and the token expires within 7 days", number(len(expiring))), "", expiring)
	r.table(b, heading("Warnings", r.labelCounts(warned)...), "", warned)
	if r.o.DryRun {
		r.table(b, heading("Will change", r.labelCounts(changed)...), "", changed)
	} else {
		for _, rows := range r.byLabel(changed) {
			r.table(b, heading("Changed", r.labelCounts(rows)...), "", rows)
		}
	}
	folded := func(title string, counts ...string) string {
		return "<details><summary>" + title + " (" + strings.Join(counts, ", ") + ")</summary>\n\n"
	}
	const end = "</details>\n\n"
	r.table(b, folded("Replaced tokens revoked", number(len(revoked))), end, revoked)
	for _, rows := range r.byLabel(rest) {
		r.table(b, folded("Others", r.labelCounts(rows)...), end, rows)
	}
}

// byLabel returns the rows of each label, in their order, so that no table has to name
// it in each row.
func (r *Report) byLabel(rows []*outcome.Result) [][]*outcome.Result {
	var all [][]*outcome.Result
	for _, label := range r.labels(rows) {
		var some []*outcome.Result
		for _, res := range rows {
			if r.label(res) == label {
				some = append(some, res)
			}
		}
		all = append(all, some)
	}
	return all
}

// table writes the rows between head and tail. A note that most rows share is said
// once, above them. A table that is too long is cut between two rows.
func (r *Report) table(b *strings.Builder, head, tail string, rows []*outcome.Result) {
	if len(rows) == 0 {
		return
	}
	b.WriteString(head)
	common := r.commonNote(rows)
	if common != "" {
		b.WriteString("Unless noted: " + breakable(markdown(common)) + "\n\n")
	}
	columns := columns{
		label:   r.isPlanned(rows[0]) || len(r.labels(rows)) > 1,
		expires: slices.ContainsFunc(rows, func(res *outcome.Result) bool { return !res.ExpiresAt.IsZero() }),
		note:    slices.ContainsFunc(rows, func(res *outcome.Result) bool { return r.note(res) != common }),
	}
	columns.expires = columns.expires && !(columns.label && columns.note) // a phone has space for three columns
	name := "outcome"
	if r.o.DryRun {
		name = "action"
	}
	b.WriteString(columns.row("repository", name, "expires", "note") + columns.row("---", "---", "---", "---"))
	for i, res := range rows {
		row := r.row(columns, res, common)
		if b.Len()+len(row)+len(tail) > maxSummary {
			b.WriteString(columns.row(fmt.Sprintf("… %s more; set `report-file` to list all of them", number(len(rows)-i)), "", "", ""))
			break
		}
		b.WriteString(row)
	}
	b.WriteString("\n" + tail)
}

// labels returns the labels of the rows, in their order.
func (r *Report) labels(rows []*outcome.Result) []string {
	var labels []string
	for _, res := range rows {
		if label := r.label(res); !slices.Contains(labels, label) {
			labels = append(labels, label)
		}
	}
	return labels
}

// labelCounts counts the rows by label: "3 created", "40 renewed".
func (r *Report) labelCounts(rows []*outcome.Result) []string {
	counts := map[string]int{}
	for _, res := range rows {
		counts[r.label(res)]++
	}
	var texts []string
	for _, label := range r.labels(rows) {
		texts = append(texts, number(counts[label])+" "+label)
	}
	return texts
}

// columns says which columns a table has. Columns that would say nothing are left out,
// so that a phone can show the others.
type columns struct{ label, expires, note bool }

// row returns a row of escaped cells.
func (c columns) row(repository, label, expires, note string) string {
	text := "| " + repository + " |"
	for _, column := range []struct {
		shown bool
		cell  string
	}{{c.label, label}, {c.expires, expires}, {c.note, note}} {
		if column.shown {
			text += " " + column.cell + " |"
		}
	}
	return text + "\n"
}

// shortNote is the length up to which a note may be repeated in every row.
const shortNote = 20

// commonNote returns the long note that most rows share; empty without one.
func (r *Report) commonNote(rows []*outcome.Result) string {
	counts := map[string]int{}
	for _, res := range rows {
		counts[r.note(res)]++
	}
	for note, n := range counts {
		if len(note) > shortNote && n >= 3 && 2*n > len(rows) {
			return note
		}
	}
	return ""
}

// row returns the row of one repository.
func (r *Report) row(c columns, res *outcome.Result, common string) string {
	expires, note := "", r.note(res)
	if !res.ExpiresAt.IsZero() {
		expires = date(res.ExpiresAt)
	}
	if !c.label { // there is space for dates that don't wrap
		expires = strings.ReplaceAll(expires, "-", "\u2011")
	}
	if note == common {
		note = ""
	} else if note == "" {
		note = "–"
	}
	return c.row(r.link(res), r.label(res), expires, breakable(markdown(note)))
}

// note explains a result and its warning.
func (r *Report) note(res *outcome.Result) string {
	why := r.why(res)
	switch {
	case res.Warning == "" || why == "":
		return why + res.Warning
	case strings.HasPrefix(res.Warning, why):
		return res.Warning
	}
	return why + "; " + res.Warning
}

// link is a repository's name with a link to its page, or to its secrets if it needs
// attention.
func (r *Report) link(res *outcome.Result) string {
	page := fmt.Sprintf("%s/%s/%s", r.o.Web, url.PathEscape(res.Owner), url.PathEscape(res.Name))
	if res.NeedsAttention(r.o.Now()) {
		page += "/settings/secrets/actions"
	}
	return fmt.Sprintf("[%s](%s)", breakable(markdown(res.Name)), page)
}
