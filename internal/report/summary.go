package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/codacy/codacy-project-tokens/internal/match"
)

const (
	// maxSummary is the size of a summary that GitHub shows, in bytes, less space for
	// what is written around the rows of the tables.
	// https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
	maxSummary = 1<<20 - 64<<10
	// maxAlerts is the number of errors, and of warnings, that a summary shows.
	maxAlerts = 20
)

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
	if counts := r.countsLine(" · "); counts != "" {
		b.WriteString(counts + "\n\n")
	}
	r.alerts(&b, "CAUTION", slices.Concat(r.errors, r.unwritten))
	r.alerts(&b, "WARNING", r.warnings)
	b.WriteString(r.chart())
	r.tables(&b)
	if r.selected > 0 {
		b.WriteString(r.footer())
	}
	return b.String()
}

// alerts writes the first messages of a kind, and how many more there are.
func (r *Report) alerts(b *strings.Builder, kind string, messages []message) {
	shown := messages[:min(len(messages), maxAlerts)]
	for _, m := range shown {
		b.WriteString(r.alert(kind, m))
	}
	if more := len(messages) - len(shown); more > 0 {
		b.WriteString(r.alert(kind, message{text: number(more) + " more; see the log"}))
	}
}

// alert shows a message in one of GitHub's frames. Trusted addresses in the hint
// become links.
func (r *Report) alert(kind string, m message) string {
	text := "> [!" + kind + "]\n> " + markdown(m.text)
	if m.hint != "" {
		text += "<br>\n> **" + address.ReplaceAllStringFunc(markdown(m.hint), r.linkTrusted) + "**"
	}
	return text + "\n\n"
}

// footer says what the counts of the outcomes don't.
func (r *Report) footer() string {
	s := fmt.Sprintf("Secret `%s` in %s.", r.o.SecretName, count(r.selected, "selected repository", "selected repositories"))
	for _, c := range skippedTexts(r.skipped) {
		s += " " + c + "."
	}
	return s + "\n"
}

// skippedTexts says how many repositories were not selected, and why.
func skippedTexts(skipped match.Counts) []string {
	var texts []string
	for _, c := range []struct {
		n    int
		text string
	}{
		{skipped.NotAdded, "not added to Codacy"},
		{skipped.Excluded, "excluded by the patterns"},
		{skipped.OtherShards, "in other shards"},
	} {
		if c.n > 0 {
			texts = append(texts, number(c.n)+" "+c.text)
		}
	}
	return texts
}

// address matches an address in escaped text.
var address = regexp.MustCompile(`https\\://(?:[^\s,;\\]|\\[^)])+`)

// linkTrusted makes an escaped address a link, if it is below GitHub's or Codacy's
// own address or in their docs. Any other may come from a server, and stays text.
func (r *Report) linkTrusted(escaped string) string {
	plain := strings.ReplaceAll(strings.ReplaceAll(escaped, `\`, ""), "&amp;", "&")
	for _, base := range []string{r.o.Web, r.o.CodacyWeb, "https://docs.github.com", "https://docs.codacy.com", "https://pkg.go.dev"} {
		if base != "" && strings.HasPrefix(plain+"/", strings.TrimSuffix(base, "/")+"/") {
			return "<" + plain + ">"
		}
	}
	return escaped
}
