package report

import (
	"fmt"

	"github.com/codacy/codacy-project-tokens/internal/outcome"
)

// writeOutputs writes the action's outputs: a count for each outcome, and the next
// expiry.
func (r *Report) writeOutputs() error {
	if r.o.Getenv("GITHUB_OUTPUT") == "" {
		r.annotate(&r.warningAnnotations, "no outputs: GITHUB_OUTPUT is not set, although a runner always sets it")
		return nil
	}
	return catchPanic(func() {
		for _, o := range outcome.All() {
			r.action.SetOutput(string(o), r.o.Redactor.Redact(fmt.Sprint(r.tally.Count(o))))
		}
		next := ""
		if t := r.tally.NextExpiry(); !t.IsZero() {
			next = stamp(t)
		}
		r.action.SetOutput("next-expiry", r.o.Redactor.Redact(next))
	})
}
