package report

import (
	"fmt"
	"math"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/outcome"
)

// Progress logs in one line how far the run has come, if that has changed. On a
// terminal it moves the progress bar instead.
func (r *Report) Progress(p outcome.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	p.WaitingFor.Cause = r.o.Redactor.Redact(p.WaitingFor.Cause)
	r.waits.update(p.WaitingFor, now)
	if r.o.ProgressBar {
		r.updateBar(p)
		return
	}
	last := r.lastProgress
	if p.Done == last.Done && p.WaitingFor.Cause == last.WaitingFor.Cause && now.Sub(r.lastProgressAt) < repeatAfter {
		return
	}
	r.lastProgress, r.lastProgressAt = p, now
	if p.WaitingFor.Cause != "" {
		r.waits.markLogged(now)
	}
	r.print(progressLine(p))
}

func progressLine(p outcome.Progress) string {
	text := fmt.Sprintf("%s of %s done", number(p.Done), count(p.Total, "repository", "repositories"))
	if p.Rate > 0 {
		text += fmt.Sprintf(", %.0f per minute", math.Ceil(p.Rate))
	}
	if p.PendingWrites > 0 {
		text += fmt.Sprintf("; %s pending", count(p.PendingWrites, "write", "writes"))
	}
	if p.WaitingFor.Cause != "" {
		text += "; waiting for " + waitText(p.WaitingFor)
	}
	if p.Remaining > 0 {
		text += "; about " + roundDuration(p.Remaining) + " left"
	}
	return text
}

// roundDuration returns a duration in whole minutes: "41 min", "2 h 5 min".
func roundDuration(d time.Duration) string {
	minutes := int(math.Ceil(d.Minutes()))
	if minutes < 60 {
		return fmt.Sprintf("%d min", minutes)
	}
	return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
}
