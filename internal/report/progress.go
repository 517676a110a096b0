package report

import (
	"fmt"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"math"
	"time"
)

// silence is how long a wait in which nothing changes is not told again.
const repeatAfter = 5 * time.Minute

// Progress tells in one line of the log how far the run has come, if that has
// changed; on a terminal a bar does.
func (r *Report) Progress(p outcome.Progress) {
	if r.o.ProgressBar {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.updateBar(p)
		return
	}
	now := time.Now()
	if p.Done == r.lastProgress.Done && p.WaitingFor == r.lastProgress.WaitingFor && now.Sub(r.lastProgressAt) < repeatAfter {
		return
	}
	r.lastProgress, r.lastProgressAt = p, now
	text := fmt.Sprintf("progress %d of %d done", p.Done, p.Total)
	if p.Rate > 0 {
		text += fmt.Sprintf(", %.0f a minute", math.Ceil(p.Rate))
	}
	if p.PendingWrites > 0 {
		text += fmt.Sprintf("; %d to be written", p.PendingWrites)
	}
	if p.WaitingFor != "" {
		text += "; waits for " + p.WaitingFor
	}
	if p.Remaining > 0 {
		text += "; about " + roundDuration(p.Remaining) + " left"
	}
	r.Info("%s", text)
}

// roughly tells a time for people: "41 min", "2 h 5 min".
func roundDuration(d time.Duration) string {
	minutes := int(math.Ceil(d.Minutes()))
	if minutes < 60 {
		return fmt.Sprintf("%d min", minutes)
	}
	return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
}
