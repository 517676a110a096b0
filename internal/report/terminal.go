package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/codacy/codacy-project-tokens/internal/outcome"
)

// newBar returns a progress bar with its rate and the remaining time.
func newBar(to io.Writer, total int) *progressbar.ProgressBar {
	return progressbar.NewOptions(
		total, progressbar.OptionSetWriter(to), progressbar.OptionSetWidth(24), progressbar.OptionShowCount(),
		progressbar.OptionShowIts(), progressbar.OptionSetItsString("repositories"), progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetDescription("working"), progressbar.OptionClearOnFinish(), progressbar.OptionUseANSICodes(true),
		progressbar.OptionThrottle(100*time.Millisecond),
	)
}

// updateBar moves the bar, and shows it first if it isn't shown. Errors are
// ignored: a terminal that is gone shows nothing.
func (r *Report) updateBar(p outcome.Progress) {
	if r.bar == nil {
		r.bar = newBar(r.o.Stderr, p.Total)
	}
	text := "working"
	if p.WaitingFor != "" {
		text = "waiting for " + line(p.WaitingFor)
	}
	r.bar.Describe(text)
	_ = r.bar.Set(p.Done)
}

// RemoveBar removes the bar from the terminal.
func (r *Report) RemoveBar() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clearBar()
	r.bar = nil
}

// clearBar clears the bar's line, so that a line of the log takes its place.
func (r *Report) clearBar() {
	if r.bar != nil {
		_ = r.bar.Clear() // ignored, as in updateBar
	}
}

// The colours of a terminal.
const (
	resetColour = "\x1b[0m"
	green       = "\x1b[32m"
	red         = "\x1b[31m"
	yellow      = "\x1b[33m"
)

// colour colours the first word of an escaped line.
func (r *Report) colour(text string) string {
	word, rest, _ := strings.Cut(text, " ")
	code := map[string]string{
		string(outcome.Created): green, string(outcome.Renewed): green, string(outcome.Failed): red,
		"error:": red, "warning:": yellow,
	}[word]
	if !r.o.Colour || code == "" {
		return text
	}
	return code + word + resetColour + " " + rest
}

// Plan shows what the run will do, and what has an outcome already: a row for each
// with its first and last repository, by name, and the next expiry.
func (r *Report) Plan(planned []outcome.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	groups := map[string][]outcome.Result{}
	for _, res := range planned {
		name := string(res.Outcome)
		if !res.Changed() {
			name = "revoke"
		}
		groups[name] = append(groups[name], res)
	}
	for _, res := range r.tally.Results() {
		groups[string(res.Outcome)] = append(groups[string(res.Outcome)], res)
	}
	names := []string{string(outcome.Created), string(outcome.Renewed), "revoke"}
	for _, o := range outcome.All() {
		if !slices.Contains(names, string(o)) {
			names = append(names, string(o))
		}
	}
	rows := [][]string{{"outcome", "repositories", "first", "last", "next expiry"}}
	for _, name := range names {
		if results := groups[name]; len(results) > 0 {
			rows = append(rows, planRow(name, results))
		}
	}
	r.print("")
	r.print(fmt.Sprintf("The plan for the secret %s of %s:", r.o.SecretName, r.o.Organization))
	for _, text := range alignColumns(rows) {
		r.print(text)
	}
}

func planRow(name string, results []outcome.Result) []string {
	outcome.ByName(results)
	row := []string{name, fmt.Sprint(len(results)), results[0].Repository(), "", ""}
	if len(results) > 1 {
		row[3] = results[len(results)-1].Repository()
	}
	if next := outcome.NextExpiry(results); !next.IsZero() {
		row[4] = date(next)
	}
	return row
}

// alignColumns returns the lines of a table. The second column is aligned right.
func alignColumns(rows [][]string) []string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i := range row {
			row[i] = line(row[i])
			widths[i] = max(widths[i], len([]rune(row[i])))
		}
	}
	lines := make([]string, 0, len(rows))
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			if i == 1 {
				cell, pad = pad+cell, ""
			}
			b.WriteString(cell + pad + "  ")
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	return lines
}
