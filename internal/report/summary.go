package report

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/codacy/codacy-project-tokens/internal/provision"
)

// maxSummary is what GitHub shows of a summary, in bytes, less room for the last
// line. https://docs.github.com/actions/reference/workflow-commands-for-github-actions
const maxSummary = 1<<20 - 1<<10

// Summary is what the run did, in GitHub-flavoured Markdown.
func (r *Report) Summary() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.summary()
}

func (r *Report) summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", r.headline())
	for _, e := range r.errors {
		fmt.Fprintf(&b, "> [!CAUTION]\n> %s\n\n", markdown(e.what))
	}
	for _, w := range r.warnings {
		fmt.Fprintf(&b, "> [!WARNING]\n> %s\n\n", markdown(w.what))
	}
	b.WriteString("|")
	for _, o := range provision.Outcomes() {
		fmt.Fprintf(&b, " %s |", o)
	}
	b.WriteString("\n|" + strings.Repeat(" ---: |", len(provision.Outcomes())) + "\n|")
	for _, o := range provision.Outcomes() {
		fmt.Fprintf(&b, " %d |", r.counts[o])
	}
	b.WriteString("\n\n" + r.aside() + "\n")

	needsCare := func(res provision.Result) bool {
		return res.Outcome == provision.FailedHere || res.Warning != "" || r.dueSoon(res)
	}
	changed := func(res provision.Result) bool {
		return res.Outcome == provision.Created || res.Outcome == provision.Renewed
	}
	r.table(&b, "Needs care", "", needsCare)
	r.table(&b, map[bool]string{true: "Would change", false: "Changed"}[r.o.DryRun], "", func(res provision.Result) bool {
		return changed(res) && !needsCare(res)
	})
	r.table(&b, "", "All others", func(res provision.Result) bool { return !changed(res) && !needsCare(res) })
	return b.String()
}

// headline answers: is all well, and until when?
func (r *Report) headline() string {
	next := r.nextExpiry()
	problems := 0
	for _, res := range r.results {
		if res.Outcome == provision.FailedHere || r.dueSoon(res) {
			problems++
		}
	}
	switch {
	case len(r.errors) > 0 && problems == 0:
		return "The run did not come to its end"
	case problems > 0:
		return fmt.Sprintf("%s of %d need care", count(problems, "repository", "repositories"), len(r.results))
	case r.o.DryRun:
		return fmt.Sprintf("Dry run: %s would change, nothing was changed",
			count(r.counts[provision.Created]+r.counts[provision.Renewed], "repository", "repositories"))
	case next.IsZero():
		return "All is well"
	}
	return "All is well: the first token expires on " + date(next)
}

// aside tells what the table of counts doesn't.
func (r *Report) aside() string {
	s := fmt.Sprintf("Secret `%s` of %s.", r.o.SecretName, count(r.selected, "selected repository", "selected repositories"))
	for _, c := range []struct {
		n    int
		what string
	}{
		{r.left.NotAdded, "not added to Codacy"},
		{r.left.LeftOut, "left out by the patterns"},
		{r.left.OtherShards, "in other shards"},
	} {
		if c.n > 0 {
			s += fmt.Sprintf(" %d %s.", c.n, c.what)
		}
	}
	return s + "\n"
}

// table writes the results that fit, sorted by name, under a title or folded.
func (r *Report) table(b *strings.Builder, title, folded string, fits func(provision.Result) bool) {
	var rows []provision.Result
	for _, res := range r.results {
		if fits(res) {
			rows = append(rows, res)
		}
	}
	if len(rows) == 0 {
		return
	}
	slices.SortFunc(rows, func(a, b provision.Result) int { return strings.Compare(a.Repository, b.Repository) })
	tail := "\n"
	if folded != "" {
		fmt.Fprintf(b, "\n<details><summary>%s (%d)</summary>\n\n", folded, len(rows))
		tail = "\n</details>\n"
	} else {
		fmt.Fprintf(b, "\n### %s\n\n", title)
	}
	b.WriteString("| repository | outcome | expires | reason |\n| --- | --- | --- | --- |\n")
	for i, res := range rows {
		expires := ""
		if !res.ExpiresAt.IsZero() {
			expires = date(res.ExpiresAt)
		}
		reason := res.Reason
		if res.Warning != "" {
			reason = strings.TrimPrefix(reason+"; "+res.Warning, "; ")
		}
		row := fmt.Sprintf("| %s | %s | %s | %s |\n", r.link(res.Repository), res.Outcome, expires, markdown(reason))
		if b.Len()+len(row)+len(tail) > maxSummary {
			fmt.Fprintf(b, "| … | | | %d more: see the log or the report file |\n", len(rows)-i)
			break
		}
		b.WriteString(row)
	}
	b.WriteString(tail)
}

// link is a repository's name, linked to the page of its secrets.
func (r *Report) link(repository string) string {
	owner, name, _ := strings.Cut(repository, "/")
	return fmt.Sprintf("[%s](%s/%s/%s/settings/secrets/actions)", markdown(name), r.o.Web, url.PathEscape(owner), url.PathEscape(name))
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
