package report

import (
	"fmt"
	"io"
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
		r.clearStatus()
		r.bar = newBar(r.o.Stderr, p.Total)
	}
	r.bar.Describe(r.status("working"))
	_ = r.bar.Set(p.Done)
}

// showStatus shows what the run waits for or does, in the bar or, before there is
// one, in a line of its own that the next one replaces.
func (r *Report) showStatus() {
	if r.bar != nil {
		r.bar.Describe(r.status("working"))
		return
	}
	text := r.status(r.activity)
	r.clearStatus()
	if text == "" {
		return
	}
	r.statusShown = true
	_, _ = fmt.Fprint(r.o.Stderr, truncate(text, statusWidth)) // ignored, as in updateBar
}

// status returns what the run waits for, or else what it does.
func (r *Report) status(activity string) string {
	if w := r.waits.current; w.Cause != "" {
		return line("waiting for " + waitText(w))
	}
	return line(activity)
}

// statusWidth is the width of a status line. A longer one would wrap, and could not
// be erased.
const statusWidth = 79

// clearStatus erases the status line.
func (r *Report) clearStatus() {
	if r.statusShown {
		_, _ = fmt.Fprint(r.o.Stderr, "\r\x1b[K") // ignored, as in updateBar
		r.statusShown = false
	}
}

// RemoveBar removes the bar or the status from the terminal.
func (r *Report) RemoveBar() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clearBar()
	r.bar, r.activity, r.waits.current = nil, "", outcome.Wait{}
}

// clearBar clears the bar's or the status line, so that a line of the log takes its
// place.
func (r *Report) clearBar() {
	r.clearStatus()
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
		string(outcome.ActionOverwrite): red, string(outcome.ActionRevoke): red,
		string(outcome.ActionCreate): green, string(outcome.ActionRenew): green,
		"error:": red, "warning:": yellow,
	}[word]
	if !r.o.Colour || code == "" {
		return text
	}
	return code + word + resetColour + " " + rest
}
