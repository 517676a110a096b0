package report

import (
	"fmt"
	"math"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/outcome"
)

// repeatAfter is how long an unchanged progress is not logged again.
const repeatAfter = 5 * time.Minute

// Progress logs in one line how far the run has come, if that has changed. On a
// terminal it moves the progress bar instead.
func (r *Report) Progress(p outcome.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.o.ProgressBar {
		r.updateBar(p)
		return
	}
	now := time.Now()
	if p.Done == r.lastProgress.Done && p.WaitingFor == r.lastProgress.WaitingFor && now.Sub(r.lastProgressAt) < repeatAfter {
		return
	}
	r.lastProgress, r.lastProgressAt = p, now
	r.print(r.o.Redactor.Redact(progressLine(p)))
}

func progressLine(p outcome.Progress) string {
	text := fmt.Sprintf("progress %d of %d done", p.Done, p.Total)
	if p.Rate > 0 {
		text += fmt.Sprintf(", %.0f a minute", math.Ceil(p.Rate))
	}
	if p.PendingWrites > 0 {
		text += fmt.Sprintf("; %d pending", p.PendingWrites)
	}
	if p.WaitingFor != "" {
		text += "; waiting for " + p.WaitingFor
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
