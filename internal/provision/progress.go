package provision

import (
	"time"

	"github.com/codacy/codacy-project-tokens/internal/outcome"
)

// rateOver is the time over which a rate is measured.
const rateWindow = 5 * time.Minute

// mark is how far a run had come at some time.
type sample struct {
	at   time.Time
	done int
}

// progress is how far the run has come. Each call is remembered for rateOver, so
// that the next ones can tell the rate.
func (r *Run) progress() outcome.Progress {
	now := sample{time.Now(), r.done}
	for len(r.samples) > 1 && now.at.Sub(r.samples[1].at) >= rateWindow {
		r.samples = r.samples[1:]
	}
	first := r.samples[0]
	r.samples = append(r.samples, now)
	p := outcome.Progress{Done: r.done, Total: r.total, PendingWrites: len(r.toWrite) + r.applying, WaitingFor: outcome.Wait{Cause: r.waitReason()}}
	if over := now.at.Sub(first.at); over >= time.Minute {
		p.Rate = float64(now.done-first.done) / over.Minutes()
	}
	switch {
	case p.PendingWrites > 0 && p.WaitingFor.Cause != "":
		p.Remaining = r.GitHubLimiter.EstimateWrites(p.PendingWrites * len(r.Policy.Stores))
	case p.Rate > 0:
		p.Remaining = time.Duration(float64(r.total-r.done) / p.Rate * float64(time.Minute))
	}
	return p
}

// waits is what the run waits for.
func (r *Run) waitReason() string {
	if s := r.GitHubLimiter.WaitReason(); s != "" {
		return s
	}
	return r.CodacyLimiter.WaitReason()
}
