package report

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/outcome"
)

// maxPlanned is the number of repositories that a plan names.
const maxPlanned = 20

// Plan shows what the run will do, the destructive effects first, and what has an
// outcome already. The estimate is the time that it will take; zero if it is
// unknown. With ask set it ends with a question, whose reply the caller reads.
func (r *Report) Plan(planned []*outcome.Result, estimate time.Duration, ask bool) {
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
	if text := r.countsText(", ", outcome.All()); text != "" {
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
func (r *Report) planLines(planned []*outcome.Result) []string {
	shown := planned[:min(len(planned), maxPlanned)]
	width := 0
	for _, res := range shown {
		width = max(width, len([]rune(line(res.Repository()))))
	}
	lines := make([]string, 0, len(shown)+1)
	for _, res := range shown {
		repository := line(res.Repository())
		repository += strings.Repeat(" ", width-len([]rune(repository)))
		text := fmt.Sprintf("%-9s  %s  %s", res.Action(), repository, line(r.o.Redactor.Redact(planNote(res))))
		lines = append(lines, strings.TrimRight(text, " "))
	}
	if more := len(planned) - len(shown); more > 0 {
		lines = append(lines, fmt.Sprintf("… and %s more", number(more)))
	}
	return lines
}

// planText sums up what the run will do: "4 existing secrets will be overwritten, 6
// new secrets created, 2 renewed (about 1 min)."
func planText(planned []*outcome.Result, estimate time.Duration) string {
	text := strings.Join(effectTexts(planned, "will be"), ", ")
	switch {
	case estimate >= time.Minute:
		text += " (about " + roundDuration(estimate) + ")"
	case estimate > 0:
		text += " (less than a minute)"
	}
	return text + "."
}

// Confirmed reads the reply to the plan's question, and reports whether it is yes.
// The end of ctx is a no.
func (r *Report) Confirmed(ctx context.Context, stdin io.Reader) bool {
	reply := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(stdin).ReadString('\n') // an error means no
		reply <- text
	}()
	select {
	case <-ctx.Done():
		return false
	case text := <-reply:
		text = strings.ToLower(strings.TrimSpace(text))
		return text == "y" || text == "yes"
	}
}
