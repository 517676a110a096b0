package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/outcome"
)

// maxPlanned is the number of repositories that a plan names.
const maxPlanned = 20

// Plan shows what the run will do, the destructive effects first, and what has an
// outcome already. The estimate is the time that it will take; zero if it is
// unknown. With ask set it ends with a question, whose answer the caller reads.
func (r *Report) Plan(planned []outcome.Result, estimate time.Duration, ask bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	planned = slices.Clone(planned)
	outcome.DestructiveFirst(planned)
	r.print("")
	r.print(fmt.Sprintf("Plan for the secret %s in %s:", r.o.SecretName, r.o.Organization))
	r.print("")
	for _, text := range r.planLines(planned) {
		_, _ = fmt.Fprintln(r.o.Stdout, r.colour(text)) // ignored, as in print
	}
	if text := r.countsText(", "); text != "" {
		r.print("")
		r.print("No change: " + text + ".")
	}
	text := planText(planned, estimate)
	r.print("")
	if !ask {
		r.print(text)
		return
	}
	_, _ = fmt.Fprint(r.o.Stdout, line(text)+" Continue? [y/N] ") // ignored, as in print
}

// planLines returns a line for each of the first planned results: action,
// repository, note.
func (r *Report) planLines(planned []outcome.Result) []string {
	shown := planned[:min(len(planned), maxPlanned)]
	width := 0
	for _, res := range shown {
		width = max(width, len([]rune(line(res.Repository()))))
	}
	lines := make([]string, 0, len(shown)+1)
	for _, res := range shown {
		repository := line(res.Repository())
		repository += strings.Repeat(" ", width-len([]rune(repository)))
		text := fmt.Sprintf("%-9s  %s  %s", res.Action(), repository, line(r.planNote(res)))
		lines = append(lines, strings.TrimRight(text, " "))
	}
	if more := len(planned) - len(shown); more > 0 {
		lines = append(lines, fmt.Sprintf("… and %s more", number(more)))
	}
	return lines
}

// planNote explains a planned result. The action column says the rest.
func (r *Report) planNote(res outcome.Result) string {
	var parts []string
	switch stores := res.Overwritten(); {
	case len(stores) > 0 && len(res.Writes) > 1:
		parts = append(parts, "existing secret in "+storeNames(stores)+", not created by this action")
	case len(stores) > 0:
		parts = append(parts, "existing secret, not created by this action")
	case res.Changed():
		parts = append(parts, shortReason(res))
	}
	if len(res.Revoked) > 0 {
		text := tokenNames(res.Revoked)
		if res.Changed() {
			text = "revoke " + text
		}
		parts = append(parts, text)
	}
	return r.o.Redactor.Redact(strings.Join(parts, "; "))
}

// planText sums up what the run will do: "4 existing secrets will be overwritten, 6
// new secrets created, 2 renewed (about 1 min)."
func planText(planned []outcome.Result, estimate time.Duration) string {
	text := strings.Join(effectTexts(planned, "will be"), ", ")
	if estimate > 0 {
		text += " (about " + roundDuration(estimate) + ")"
	}
	return text + "."
}

// countsText lists the outcomes so far with their counts.
func (r *Report) countsText(separator string) string {
	var counts []string
	for _, o := range r.tally.Outcomes() {
		counts = append(counts, fmt.Sprintf("%s %s", number(r.tally.Count(o)), o))
	}
	return strings.Join(counts, separator)
}
