package pace

import (
	"time"

	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// primary is the service's primary rate limit, which its responses state.
type primary struct {
	known     bool
	limit     int
	remaining int       // as stated last, less the requests sent since
	reset     time.Time // on this machine's clock
}

// allows reports whether n requests may be sent. A tenth of the limit is left to
// other clients of the same credential, but not by requests of an operation that
// is in progress.
func (p *primary) allows(n int, inProgress bool, now time.Time) bool {
	if !p.known || !now.Before(p.reset) {
		return true
	}
	reserved := p.limit / 10
	if inProgress {
		reserved = 0
	}
	return p.remaining-n >= reserved
}

// refund takes back n requests that were charged in the period with that reset,
// unless it is over.
func (p *primary) refund(n int, reset time.Time) {
	if reset.Equal(p.reset) {
		p.remaining += n
	}
}

// update applies a quota that a response states.
func (p *primary) update(q *wire.Quota) {
	if q == nil || q.Reset.IsZero() {
		return
	}
	reset := q.Reset
	// Responses overtake each other: within one period the lowest number counts.
	if p.known && reset.Sub(p.reset).Abs() < 2*time.Second {
		p.remaining = min(p.remaining, q.Remaining)
		return
	}
	// An earlier reset that is over belongs to a late response of the period before.
	// One that is not over corrects the later one.
	if p.known && reset.Before(p.reset) && !reset.After(time.Now()) {
		return
	}
	*p = primary{known: true, limit: q.Limit, remaining: q.Remaining, reset: reset}
}

// QuotaLeaves reports whether n more requests can be sent in this period of the
// service's primary limit, or whether it states none.
func (s *Limiter) QuotaLeaves(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.primary.allows(n, false, time.Now())
}
