package provision

import (
	"time"

	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/pace"
)

// rateWindow is the time over which a rate is measured.
const rateWindow = 5 * time.Minute

// sample is how many repositories were done at a time.
type sample struct {
	at   time.Time
	done int
}

// meter measures how fast a run is, and estimates how long it will take.
type meter struct {
	codacy, github *pace.Limiter
	waitingFor     func() outcome.Wait
	stores         int // in each repository
	samples        []sample
}

// counts are how many repositories a run has, is done with, has still to list the
// tokens of, and is known to have to write.
type counts struct{ total, done, unlisted, pendingWrites int }

// start takes the first sample.
func (m *meter) start(done int) { m.samples = append(m.samples, sample{time.Now(), done}) }

// progress returns how far a run has come. Each call is a sample. While the run waits,
// the time left follows from the limits: one list of tokens for each unlisted
// repository, and a read for each secret, with a write where one is pending.
func (m *meter) progress(c counts) outcome.Progress {
	now := sample{time.Now(), c.done}
	for len(m.samples) > 1 && now.at.Sub(m.samples[1].at) >= rateWindow {
		m.samples = m.samples[1:]
	}
	first := m.samples[0]
	m.samples = append(m.samples, now)
	p := outcome.Progress{Done: c.done, Total: c.total, PendingWrites: c.pendingWrites, WaitingFor: m.waitingFor()}
	if over := now.at.Sub(first.at); over >= time.Minute {
		p.Rate = float64(now.done-first.done) / over.Minutes()
	}
	left := c.total - c.done
	if p.WaitingFor.Cause != "" {
		p.Remaining = max(m.codacy.Estimate(c.unlisted, 0), m.github.Estimate(left*m.stores, c.pendingWrites*m.stores))
	}
	if p.Remaining == 0 && p.Rate > 0 {
		p.Remaining = time.Duration(float64(left) / p.Rate * float64(time.Minute))
	}
	return p
}
