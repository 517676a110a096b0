package report

import (
	"fmt"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
)

// newBar is the bar that a terminal shows while a run goes on, with its rate and
// the time that is left.
func newBar(to io.Writer, total int) *progressbar.ProgressBar {
	return progressbar.NewOptions(
		total, progressbar.OptionSetWriter(to), progressbar.OptionSetWidth(24), progressbar.OptionShowCount(),
		progressbar.OptionShowIts(), progressbar.OptionSetItsString("repositories"), progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetDescription("working"), progressbar.OptionClearOnFinish(), progressbar.OptionUseANSICodes(true),
		progressbar.OptionThrottle(100*time.Millisecond),
	)
}

// show moves the bar.
func (r *Report) updateBar(p outcome.Progress) {
	if r.bar == nil {
		r.bar = newBar(r.o.Stderr, p.Total)
	}
	what := "working"
	if p.WaitingFor != "" {
		what = "waits for " + line(p.WaitingFor)
	}
	r.bar.Describe(what)
	_ = r.bar.Set(p.Done) // on a terminal that is gone there is nothing to show
}

// Rest takes the bar off the terminal.
func (r *Report) RemoveBar() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clearBar()
	r.bar = nil
}

func (r *Report) clearBar() {
	if r.bar != nil {
		_ = r.bar.Clear() // as in show
	}
}

// The colours of a terminal, by what they are for.
const (
	plainColour = "\x1b[0m"
	good        = "\x1b[32m"
	bad         = "\x1b[31m"
	attention   = "\x1b[33m"
)

// colour marks the first word of a line that was neutralised.
func (r *Report) colour(text string) string {
	word, rest, _ := strings.Cut(text, " ")
	of := map[string]string{
		string(outcome.Created): good, string(outcome.Renewed): good, string(outcome.Failed): bad,
		"error:": bad, "warning:": attention,
	}[word]
	if !r.o.Colour || of == "" {
		return text
	}
	return of + word + plainColour + " " + rest
}

// Plan shows what Finish of a run would do, and what is settled already: a row
// for each outcome with its first and last repository, by name, and the soonest
// expiry among the tokens in place.
func (r *Report) Plan(todo []outcome.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	groups := map[string][]outcome.Result{}
	for _, res := range todo {
		name := string(res.Outcome)
		if !res.Changed() {
			name = "revoke" // a replaced token whose time has come
		}
		groups[name] = append(groups[name], res)
	}
	names := []string{"created", "renewed", "revoke"}
	for _, res := range r.tally.Results() {
		name := string(res.Outcome)
		groups[name] = append(groups[name], res)
	}
	for _, o := range outcome.All() {
		if !slices.Contains(names, string(o)) {
			names = append(names, string(o))
		}
	}
	rows := [][]string{{"outcome", "repositories", "first", "last", "soonest expiry"}}
	for _, name := range names {
		results := groups[name]
		if len(results) == 0 {
			continue
		}
		outcome.ByName(results)
		soonest := outcome.NextExpiry(results)
		row := []string{name, fmt.Sprint(len(results)), results[0].Repository(), "", ""}
		if len(results) > 1 {
			row[3] = results[len(results)-1].Repository()
		}
		if !soonest.IsZero() {
			row[4] = date(soonest)
		}
		rows = append(rows, row)
	}
	r.print("")
	r.print(fmt.Sprintf("The plan for the secret %s of %s:", r.o.SecretName, r.o.Organization))
	for _, text := range columns(rows) {
		r.print(text)
	}
}

// Declined tells that a plan for n repositories was not answered with yes.
func (r *Report) Declined(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.declined = n
}

// columns aligns a table, numbers on the right.
func columns(rows [][]string) []string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i := range row {
			row[i] = line(row[i])
			widths[i] = max(widths[i], len([]rune(row[i])))
		}
	}
	all := make([]string, 0, len(rows))
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			if i == 1 {
				cell, pad = pad+cell, ""
			}
			b.WriteString(cell + pad + "  ")
		}
		all = append(all, strings.TrimRight(b.String(), " "))
	}
	return all
}
