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
	github     *pace.Limiter
	waitingFor func() outcome.Wait
	stores     int // in each repository
	samples    []sample
}

// start takes the first sample.
func (m *meter) start(done int) { m.samples = append(m.samples, sample{time.Now(), done}) }

// progress returns how far a run has come: done of total repositories, and
// pendingWrites that are known to need a write. Each call is a sample.
func (m *meter) progress(done, total, pendingWrites int) outcome.Progress {
	now := sample{time.Now(), done}
	for len(m.samples) > 1 && now.at.Sub(m.samples[1].at) >= rateWindow {
		m.samples = m.samples[1:]
	}
	first := m.samples[0]
	m.samples = append(m.samples, now)
	p := outcome.Progress{Done: done, Total: total, PendingWrites: pendingWrites, WaitingFor: m.waitingFor()}
	if over := now.at.Sub(first.at); over >= time.Minute {
		p.Rate = float64(now.done-first.done) / over.Minutes()
	}
	switch {
	case pendingWrites > 0 && p.WaitingFor.Cause != "":
		p.Remaining = m.github.EstimateWrites(pendingWrites * m.stores)
	case p.Rate > 0:
		p.Remaining = time.Duration(float64(total-done) / p.Rate * float64(time.Minute))
	}
	return p
}
