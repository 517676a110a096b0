package wire

import (
	"net/http"
	"sync"
	"time"
)

// Clock is what is known of a service's clock: how far it is ahead of ours. An
// answer's Date, in whole seconds, was set between the moment the request left
// and the moment the answer came, so each answer bounds the offset from both
// sides; the Clock keeps what all of them allow. The zero Clock says 0.
type Clock struct {
	mu     sync.Mutex
	known  bool
	lo, hi time.Duration
}

// observe learns from one answer. A date that can't be read is passed over.
func (c *Clock) observe(sent, received time.Time, date string) {
	at, err := http.ParseTime(date)
	if err != nil {
		return
	}
	lo, hi := at.Sub(received), at.Add(time.Second).Sub(sent)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known && lo <= c.hi && c.lo <= hi {
		c.lo, c.hi = max(c.lo, lo), min(c.hi, hi)
		return
	}
	// The first, or one of the two clocks was set anew: believe the latest.
	c.known, c.lo, c.hi = true, lo, hi
}

// Offset is how far the service's clock is ahead of ours.
func (c *Clock) Offset() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lo + (c.hi-c.lo)/2
}

// Ours puts a time that the service told on our clock. A zero time stays zero.
func (c *Clock) ToLocal(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(-c.Offset())
}
