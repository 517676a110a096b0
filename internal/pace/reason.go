package pace

import (
	"strconv"
	"time"
)

// pauseReason is the reason of requests to a service that is paused.
const pauseReason = "rate-limited, asked to wait"

// waits returns what the limiter's waiters wait for, and the reservation that
// TryReserve could not take last.
func (s *Limiter) waits() []Wait {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Wait, 0, len(s.waiters)+1)
	for _, t := range s.waiters {
		all = append(all, s.reason(t))
	}
	if !s.read.Since.IsZero() {
		all = append(all, s.read)
	}
	return all
}

// reason returns what t waits for.
func (s *Limiter) reason(t *waiter) Wait {
	now := time.Now()
	wait := Wait{Service: s.name, Since: t.since}
	if now.Before(s.pausedUntil) {
		wait.Reason, wait.Until = pauseReason, s.pausedUntil
		return wait
	}
	if !s.primary.allows(t.requests, t.inProgress, now) {
		wait.Reason = grouped(s.primary.limit) + " requests per hour, a tenth of them left to others"
		wait.Until, wait.Resets = s.primary.reset, true
		return wait
	}
	for i, w := range s.limits {
		if t.cost[i] > 0 && !w.allows(t.cost[i]+t.headroom) {
			wait.Reason, wait.Until = w.Name, w.nextFree()
			return wait
		}
	}
	wait.Reason = "requests with a higher priority"
	return wait
}

// grouped formats a number with commas: 12,500.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
